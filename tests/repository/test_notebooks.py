"""The notebooks run as plain scripts, and all but the one for hosted GPUs measure nothing."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
HOSTED = ROOT / "notebooks" / "hosted_gpu.py"
READING = [p for p in NOTEBOOKS if p != HOSTED]


def test_there_are_four_and_one_that_measures() -> None:
    assert {p.stem for p in READING} == {"tour", "explained_4000x", "own_neuron", "reading_results"} and HOSTED.exists()


@pytest.mark.slow
def test_the_one_for_hosted_gpus_marks_its_records(tmp_path: Path) -> None:
    """On the CPU, and as a hosted machine has it: the notebook itself, in an empty folder."""
    nbformat, client = pytest.importorskip("nbformat"), pytest.importorskip("nbclient", reason="needs the extra docs")
    book = nbformat.read(HOSTED.with_suffix(".ipynb"), as_version=4)
    del book.cells[1]  # which installs
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    own = os.environ | {"PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": ""}
    runner = client.NotebookClient(
        book, kernel_name="python3", timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    runner.execute(env=own)
    lines = [json.loads(line) for line in (tmp_path / "measured" / "records.jsonl").read_text().splitlines()]
    assert len(lines) > 4 and all("shared" in line["flags"] for line in lines)


@pytest.mark.parametrize("path", READING, ids=lambda p: p.stem)
def test_runs(path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (ROOT / "results").rglob("*.jsonl")}
    surroundings = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", path],
        cwd=path.parent,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 4
    assert before == {p: p.stat().st_mtime_ns for p in (ROOT / "results").rglob("*.jsonl")}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_notebook_beside_it_has_the_same_cells(path: Path) -> None:
    """And one that sets up what is missing, as on Colab; `python docs/books.py` writes it. It has no outputs."""
    parts = re.split(r"^# %%(.*)\n", path.read_text(), flags=re.M)[1:]
    cells = list(zip(parts[::2], parts[1::2], strict=True))
    wanted = [re.sub(r"^# ?", "", text, flags=re.M) if "markdown" in kind else text for kind, text in cells]
    found = json.loads(path.with_suffix(".ipynb").read_text())["cells"]
    assert found[1]["id"] == "setup" and "pip" in "".join(found[1]["source"])
    assert ["".join(cell["source"]).strip() for cell in (found[0], *found[2:])] == [text.strip() for text in wanted]
    assert not any(cell.get("outputs") for cell in found)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_is_in_percent_format(path: Path) -> None:
    text = path.read_text()
    assert "format_name: percent" in text
    cells = re.split(r"^# %%", text, flags=re.M)[1:]
    assert sum(c.startswith(" [markdown]") for c in cells) >= 4
    for cell in (c for c in cells if c.startswith(" [markdown]")):
        assert all(line.startswith("#") or not line for line in cell.splitlines()[1:]), "text is in comments"


@pytest.mark.parametrize("path", READING, ids=lambda p: p.stem)
def test_measures_nothing(path: Path) -> None:
    code = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
    assert not re.search(r"sb\.(run|compare|profile)\(|\brunner\b|perf_counter|\bclock\b|import time", code)
