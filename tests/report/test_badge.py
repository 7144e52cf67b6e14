"""A badge says what the records give, and is drawn only where there is something to say; records are cited by what they hold."""

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import commands
import pytest
import submitted

from spikebench.cases.case import Case, with_changes
from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.record import Record
from spikebench.report.badge import badge
from spikebench.report.cite import bibtex, permalink

ROOT = Path(__file__).parents[2]


def pairs(count: int = 5) -> list[Record]:
    base = Case("lif@eager", T=64, B=2, N=16)
    fast = with_changes(base, subject="lif@cpu")
    return [submitted.record(case, t, k) for k in range(count) for case, t in ((base, 2e-3), (fast, 1e-3))]


def test_it_is_an_svg_with_gate_ratio_and_device() -> None:
    root = ElementTree.fromstring(badge(pairs(), "lif@cpu", "lif@eager"))
    texts = [e.text or "" for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "spikebench"
    assert re.fullmatch(r"gated · 2\.0\dx \[1\.\d\d, 2\.0\d\] vs lif@eager · A CPU", texts[1])
    assert texts[1] in root.attrib["aria-label"] and float(root.attrib["width"]) > 6 * len(texts[1])


def test_nothing_is_drawn_of_what_is_not_proven() -> None:
    with pytest.raises(Problem, match=r"takes 5 pairs; .* have 4"):
        badge(pairs(4), "lif@cpu", "lif@eager")
    red = [replace(r, gate=r.gate and replace(r.gate, status="none")) for r in pairs()]
    with pytest.raises(Problem, match="green gate"):
        badge(red, "lif@cpu", "lif@eager")
    other = [replace(r, environment={**r.environment, "machine": "b"}) for r in pairs()]
    with pytest.raises(Problem, match="1 cases of 2 origins"):
        badge([*pairs(), *other], "lif@cpu", "lif@eager")
    with pytest.raises(Problem, match="0 cases"):
        badge(pairs(), "psu@cpu", "lif@eager")


def test_the_command_draws_and_cites(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_bytes(b"".join(map(store.line, pairs())))
    line = ["cite", "--from", "r.jsonl", "--badge", "b.svg", "--subject", "lif@fused"]
    assert commands.run(*line, cwd=tmp_path).stdout == "badge in b.svg\n"
    assert (tmp_path / "b.svg").read_text() == badge(pairs(), "lif@cpu", "lif@eager")
    said = commands.run("cite", "--from", "r.jsonl", "--doi", "10.1/2", cwd=tmp_path).stdout
    assert said.count("@misc{spikebench-") == 10 and said.count("doi = {10.1/2}") == 10
    assert permalink(pairs()[0]) in said
    assert "name a neuron" in commands.run("cite", cwd=tmp_path).stderr


def test_what_a_record_says_ends_no_field_of_bibtex() -> None:
    record = replace(pairs()[0], run="a}b\n@x{c")
    text = bibtex(record, permalink(record))
    assert text.count("\n@") == 0 and r"a\}b @x\{c" in text


def test_zenodo_is_told_the_version_and_the_licence() -> None:
    told = json.loads((ROOT / ".zenodo.json").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (told["version"], told["license"]) == (project["version"], project["license"])
