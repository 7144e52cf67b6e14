"""The metric, the figure and the command of CONTRIBUTING.md, done word for word in a copy of the package."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2]
TEXT = (HERE / "CONTRIBUTING.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
PLACES = ("metrics/page_faults.py", "plots/page_faults.py", "experiments/count.py", "cli/count.py")


def run(folder: Path, line: str) -> str:
    command = [sys.executable, "-m", "spikebench", *shlex.split(line)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_what_it_says_works_word_for_word(tmp_path: Path) -> None:
    shutil.copytree(HERE / "spikebench", tmp_path / "spikebench", ignore=shutil.ignore_patterns("__pycache__"))
    assert len(BLOCKS) == len(PLACES)
    for place, block in zip(PLACES, BLOCKS, strict=True):
        assert not (tmp_path / "spikebench" / place).exists()
        (tmp_path / "spikebench" / place).write_text(block)
    lines = [
        line.split("spikebench ", 1)[1]
        for line in TEXT.splitlines()
        if line.startswith("    ") and "mine.jsonl" in line
    ]
    assert [line.split()[0] for line in lines] == ["run", "plot", "count"]
    printed = [run(tmp_path, line) for line in lines]
    assert list((tmp_path / "figures").glob("page_faults-*.png"))
    assert re.search(r"ok +2", printed[-1])
