"""Every verb of the command line is a function of the package, and does what the command does."""

import inspect
import itertools
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import spikebench as sb
from spikebench import registry
from spikebench.cases.point import ARGUMENTS
from spikebench.errors import Problem
from spikebench.experiments.settings import told_apart
from spikebench.experiments.sweep import Grid
from spikebench.run.settings import Settings

HERE = Path(__file__).parents[2]
RECORDS = HERE / "results" / "amd-epyc-2c" / "quick.jsonl"
# about other programs, or a table is the verb
SHELL_ONLY = {"app", "asv", "gpu", "show", "watch", "from_nir", "to_nir"}


def test_every_command_has_a_verb_that_says_what_it_does() -> None:
    verbs = [name for name in registry.names("cli") if name not in SHELL_ONLY]
    assert len(verbs) >= 15
    for name in verbs:
        verb: Any = getattr(sb, name)
        assert callable(verb), name
        assert len((inspect.getdoc(verb) or "").split()) > 15, name


def test_verbs_are_there_without_torch_and_whatever_is_imported() -> None:
    code = (
        "import sys, spikebench as sb, spikebench.run.session, spikebench.report.html\n"
        "assert all(callable(f) for f in (sb.run, sb.report, sb.check, sb.train, sb.list))\n"
        "print({'torch', 'triton', 'numba'} & set(sys.modules))\n"
        "from spikebench.neuron import Neuron\n"
        "print(callable(sb.neuron), issubclass(Neuron, object))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["set()", "True True"]


def test_what_is_recorded_is_read_drawn_and_handed_on(tmp_path: Path) -> None:
    records = sb.load(RECORDS)
    assert len(sb.table(records)) == len(sb.table(RECORDS)) > len(records) > 0
    assert [p.suffix for p in sb.plot("scaling", records, tmp_path, ["svg"])] == [".svg"]
    assert sb.export(records, "csv", tmp_path / "all.csv").read_text().count("\n") > len(records)
    assert "lif@eager" in sb.report(RECORDS, tmp_path / "r.html").read_text()
    assert "@" in sb.cite("lif")
    assert set(sb.list("neurons").index) == set(registry.names("neurons"))


def test_a_sweep_is_narrowed_as_by_the_options() -> None:
    whole = sb.sweep("quick")
    mine = sb.sweep("quick", "lif@cpu", T=64, mode=["inference", "train"])
    assert [(c.subject, c.T, c.B, c.mode) for c in mine] == [
        ("lif@cpu", 64, whole[0].B, mode) for mode in ("inference", "train")
    ]
    with pytest.raises(Problem, match="sweep quick has no lif@triton; there are lif@eager"):
        sb.sweep("quick", "lif@triton")
    with pytest.raises(Problem, match="a case has no field 'device_kind'; there are "):
        sb.sweep("quick", device_kind="cpu")


def test_keywords_of_settings_are_told_from_those_of_cases() -> None:
    given = {"samples": 3, "T": 8, "network": "shd"}
    settings, grid = told_apart(given, Settings(samples=7, timeout=9.0), Grid(T=[9], N=[4]))
    assert (settings.samples, settings.timeout) == (3, 9.0)
    assert grid == Grid(T=[8], N=[4], network="shd", workload="network")
    with pytest.raises(Problem, match="a case has no field 'sample'"):
        sb.compare("lif@eager", "lif@cpu", sample=3)
    with pytest.raises(Problem, match="run takes no sample"):
        sb.run(sb.grid(["lif@eager"]), sample=3)


def test_a_grid_has_the_fields_of_a_case() -> None:
    assert [f.name for f in fields(Grid)] == [name for name in ARGUMENTS if name != "subject"]


@pytest.mark.long
def test_a_comparison_is_kept_and_has_the_ids_of_its_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told, expected = list[str](), list[float]()
    (row,) = sb.compare(
        "lif@eager",
        "lif@indexed",
        T=8,
        B=2,
        N=8,
        pairs=2,
        samples=3,
        out="mine.jsonl",
        progress=lambda what, *_: told.append(what),
        expect=lambda least, most: expected.extend((least, most)),
    )
    assert [what for what, _ in itertools.groupby(told)] == ["gate", *["warm-up", "samples", "pairs"] * 2]
    assert 0 < expected[0] == expected[1] < 60
    assert (row.baseline, row.subject, row.status, row.result.n) == ("lif@eager", "lif@indexed", "ok", 2)
    (case,) = sb.grid(["lif@eager"], T=[8], B=[2], N=[8])
    assert [r.case_id for r in sb.load("mine.jsonl")].count(case.case_id) == 2
