"""What a newcomer adds, done in a copy: a figure is one file, a metric with its figure two, a command two, a library a folder."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2]
RECORDS = HERE / "results" / "amd-epyc-2c" / "quick.jsonl"

PLOT = '''"""The time of every subject, as a toy."""

from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt


def figures(frame: Any) -> Iterator[tuple[str, Any, str]]:
    """One figure: all latencies, whatever they are of."""
    figure, axes = plt.subplots()
    axes.plot(list(frame[frame["metric"] == "latency"]["value"]))
    yield "toy", figure, "Latencies in the order of the file."
'''

EXPERIMENT = '''"""How many records there are of each status."""

from collections import Counter
from collections.abc import Sequence

from spikebench.records.record import Record


def counted(records: Sequence[Record]) -> dict[str, int]:
    """Status and number."""
    return dict(Counter(r.status for r in records))
'''

COMMAND = '''"""`count-statuses` counts records by status."""

import json

from spikebench.cli import _options as o
from spikebench.cli._print import stdout, table
from spikebench.cli._tables import loaded
from spikebench.experiments.count_statuses import counted


def command(files: o.Files, sizes: o.Sizes, as_json: o.Json = False) -> None:
    """Count records by status."""
    found = counted([r for r in loaded(files) if not sizes.T or r.case["T"] in sizes.T])
    stdout().print_json(json.dumps(found)) if as_json else table(("status", "records"), found.items())
'''


METRIC = '''"""Numbers in the input of one launch."""

from spikebench.metric import Running

unit = "1"
process = "timing"


def sample(running: Running) -> list[float]:
    """One count."""
    return [float(running.workload.x.numel())]
'''

ITS_PLOT = PLOT.replace('"latency"', '"input_numbers"').replace('yield "toy"', 'yield "input_numbers"')

LIBRARY = """import torch


def unroll(step, state, x):
    spikes = []
    for x_t in x:
        s, _, state = step(x_t, state)
        spikes.append(s)
    return torch.stack(spikes)
"""

ADAPTER = {
    "__init__.py": '''"""Loopy 3.1: the step of a neuron, unrolled."""

REQUIRES = ("loopy",)
LONGEST_T = 1000
MARKER = "h"
DASHES = (7, 7)
''',
    "lif.py": '''"""LIF by loopy.unroll."""

from typing import TYPE_CHECKING

import loopy
from torch import Tensor

from spikebench.backend import beyond
from spikebench.neurons.lif import LIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case

CAN = {"synapse_decay": (None,)}


def refuses(case: "Case") -> str | None:
    """A synapse, which loopy has none of."""
    return beyond(case, "loopy", "3.1")


def run(neuron: LIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]."""
    return loopy.unroll(neuron.step, neuron.initial(x[0]), x)
''',
}

FOUND = """import json
from spikebench.cases import sweeps
from spikebench.experiments.doctor import examine
from spikebench.host import environment
from spikebench.plots import _style
cases = [(name, c.mode, c.T) for name in sweeps.SWEEPS for c in sweeps.sweep(name) if c.parsed.backend == "loopy"]
drawn = vars(_style.look("lif@loopy"))
found = examine()
print(json.dumps({"cases": cases, "drawn": drawn, "versions": environment.versions(), "doctor": vars(found.backends["loopy"])}))
"""
LINT = "from importlinter.cli import lint_imports_command as lint; lint()"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with all of them more, and the library as if it were installed."""
    folder = tmp_path_factory.mktemp("more")
    shutil.copytree(HERE / "spikebench", folder / "spikebench", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "tests/contracts.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(HERE / name, folder / name)
    (folder / "spikebench" / "plots" / "toy.py").write_text(PLOT)
    (folder / "spikebench" / "experiments" / "count_statuses.py").write_text(EXPERIMENT)
    (folder / "spikebench" / "cli" / "count_statuses.py").write_text(COMMAND)
    (folder / "spikebench" / "metrics" / "input_numbers.py").write_text(METRIC)
    (folder / "spikebench" / "plots" / "input_numbers.py").write_text(ITS_PLOT)
    (adapter := folder / "spikebench" / "backends" / "loopy").mkdir()
    for name, text in ADAPTER.items():
        (adapter / name).write_text(text)
    (folder / "loopy.py").write_text(LIBRARY)
    (facts := folder / "loopy-3.1.dist-info").mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: loopy\nVersion: 3.1\n")
    return folder


def run(copy: Path, *args: str) -> str:
    line = [sys.executable, "-m", "spikebench", *args]
    done = subprocess.run(line, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_figure_is_drawn_from_its_one_file(copy: Path) -> None:
    run(copy, "plot", "toy", str(RECORDS), "-o", "figures")
    assert {p.suffix for p in (copy / "figures").iterdir()} == {".png", ".svg", ".txt"}


def test_a_command_of_two_files_is_there_with_its_options(copy: Path) -> None:
    assert "count-statuses" in run(copy, "--help")
    assert "-T INTEGER,…" in run(copy, "count-statuses", "--help")
    every = json.loads(run(copy, "count-statuses", str(RECORDS), "--json"))
    some = json.loads(run(copy, "count-statuses", str(RECORDS), "-T", "128", "--json"))
    assert every["ok"] > some["ok"] > 0


@pytest.mark.long
def test_a_metric_and_its_figure_are_two_files(copy: Path) -> None:
    sizes = ("-T", "8", "-B", "2", "-N", "4", "--samples", "2", "--out", "r.jsonl")
    (record,) = json.loads(run(copy, "run", "--subject", "lif", *sizes, "--metric", "input_numbers", "--json"))
    (measured,) = (m for m in record["measurements"] if m["metric"] == "input_numbers")
    assert (measured["status"], measured["unit"], measured["samples"]) == ("ok", "1", [64.0])
    assert "input_numbers" in {row["id"] for row in json.loads(run(copy, "list", "metrics", "--json"))}
    run(copy, "plot", "input_numbers", "r.jsonl", "-o", "counts")
    assert {p.name for p in (copy / "counts").iterdir()} == {f"input_numbers.{e}" for e in ("png", "svg", "txt")}


def python(copy: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_another_librarys_backend_is_one_folder(copy: Path) -> None:
    assert all(row["passed"] for row in json.loads(run(copy, "check", "lif@loopy", "--json")))
    found = json.loads(python(copy, FOUND).stdout)
    assert {name for name, *_ in found["cases"]} == {"smoke", "libraries"}
    assert sorted((mode, T) for name, mode, T in found["cases"] if name == "libraries") == sorted(
        [*[("train", T) for T in (100, 1000)], *[("forward", T) for T in (100, 1000, 10000)]]
    )
    assert found["drawn"] == {"marker": "h", "dashes": [7, 7], "plain": True}
    assert found["versions"]["loopy"] == "3.1" and found["doctor"]["available"]


def test_the_import_contract_knows_it_without_naming_it(copy: Path) -> None:
    assert "0 broken" in python(copy, LINT).stdout
    (stray := copy / "spikebench" / "numerics" / "stray.py").write_text("import loopy\n")
    assert "spikebench.numerics.stray imports loopy" in python(copy, LINT).stdout
    stray.unlink()


@pytest.mark.long
def test_a_library_that_is_away_is_told_with_its_remedy(copy: Path, tmp_path: Path) -> None:
    shutil.copytree(copy / "spikebench", tmp_path / "spikebench", ignore=shutil.ignore_patterns("__pycache__"))
    found = json.loads(python(tmp_path, FOUND).stdout)
    doctor = found["doctor"]
    assert (doctor["available"], doctor["reason"]) == (False, "loopy is not installed")
    assert doctor["remedy"].startswith("pip install loopy torch=="), "the torch that is there is kept"
    assert "loopy" not in found["versions"] and found["cases"], (
        "a sweep asks for it all the same, and records the reason"
    )
