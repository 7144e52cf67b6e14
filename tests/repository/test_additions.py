"""What a newcomer adds, done in a copy of the project: a figure is one file, a command is two."""

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
from spikebench.cli._tables import loaded, stdout, table
from spikebench.experiments.count_statuses import counted


def command(files: o.Files, sizes: o.Sizes, as_json: o.Json = False) -> None:
    """Count records by status."""
    found = counted([r for r in loaded(files) if not sizes.T or str(r.case["T"]) == sizes.T])
    stdout().print_json(json.dumps(found)) if as_json else table(("status", "records"), found.items())
'''


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with one figure and one command more."""
    folder = tmp_path_factory.mktemp("more")
    shutil.copytree(HERE / "spikebench", folder / "spikebench", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "spikebench" / "plots" / "toy.py").write_text(PLOT)
    (folder / "spikebench" / "experiments" / "count_statuses.py").write_text(EXPERIMENT)
    (folder / "spikebench" / "cli" / "count_statuses.py").write_text(COMMAND)
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
    assert "-T <str>" in run(copy, "count-statuses", "--help")
    every = json.loads(run(copy, "count-statuses", str(RECORDS), "--json"))
    some = json.loads(run(copy, "count-statuses", str(RECORDS), "-T", "128", "--json"))
    assert every["ok"] > some["ok"] > 0
