"""The neuron of docs/add-a-neuron.md, in one new file with its oracle, appears everywhere: list, docs table, cite, check, sweeps and the tests."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2]

NEURON, ORACLE = re.findall(r"```python\n(.*?)```", (HERE / "docs" / "add-a-neuron.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with one neuron more."""
    folder = tmp_path_factory.mktemp("toy")
    for name in ("spikebench", "tests"):
        shutil.copytree(HERE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "pyproject.toml", folder)
    (folder / "spikebench" / "neurons" / "toy.py").write_text(NEURON)
    (folder / "tests" / "oracles" / "toy.py").write_text(ORACLE)
    return folder


def run(copy: Path, *args: str) -> str:
    done = subprocess.run([sys.executable, "-m", *args], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_listed_in_the_docs_table_and_cited(copy: Path) -> None:
    rows = {row["id"]: row for row in json.loads(run(copy, "spikebench", "list", "neurons", "--json"))}
    assert {"eager"} <= set(rows["toy"]["backends"])
    assert "| toy |" in run(copy, "spikebench", "list", "neurons", "--markdown")
    assert "@misc{toy" in run(copy, "spikebench", "cite", "toy")


@pytest.mark.long
def test_it_is_checked(copy: Path) -> None:
    rows = json.loads(run(copy, "spikebench", "check", "toy", "--json"))
    assert len(rows) == 11
    assert [row["check"] for row in rows if not row["passed"]] == ["carried"], "it takes no state that could be carried"
    assert not any(row["passed"] is False for row in rows)


@pytest.mark.long
def test_it_is_in_the_sweeps_of_the_whole_field(copy: Path) -> None:
    code = "import json; from spikebench.cases import sweeps; print(json.dumps([n for n in sweeps.SWEEPS if any('toy@' in c.subject for c in sweeps.sweep(n))]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True, check=True)
    assert {"smoke", "length", "batch", "width"} <= set(json.loads(done.stdout))


@pytest.mark.long
def test_the_tests_walk_over_it(copy: Path) -> None:
    out = run(copy, "pytest", "-q", "-p", "no:cacheprovider", "tests/neurons/test_neurons.py", "-k", "toy")
    assert " passed" in out
    assert "failed" not in out
