"""The environment of a record: what machine and what checkout it comes from."""

import json
import subprocess
from pathlib import Path

import pytest

from spikebench.host import environment

ROOT = Path(__file__).parents[2]


def head() -> str:
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no checkout")
    return done.stdout.strip()


def test_the_commit_of_the_checkout_is_found_from_the_package() -> None:
    commit = head()
    found = environment.commit(Path(environment.__file__).parents[1])
    assert found.commit == commit and found == environment.gather().checkout


def test_a_folder_that_is_not_the_package_of_its_checkout_has_no_commit() -> None:
    """Installed into a virtual environment inside somebody's checkout, say: that checkout's commit is not ours."""
    assert environment.commit(ROOT / "tests") == environment.Commit()


def test_a_record_has_the_facts_side_by_side() -> None:
    facts = environment.gather().to_json()
    assert {"machine", "python", "versions", "gpu", "commit", "dirty", "cpu", "cores"} <= facts.keys()
    assert set(environment.PRINT) - {"threads"} <= facts.keys(), "what must be equal for a record to count as measured"
    assert json.loads(json.dumps(facts)) == facts
