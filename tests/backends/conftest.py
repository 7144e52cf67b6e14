"""The tests that triton interprets run in one process of their own: it chooses between compiling and interpreting when it is imported."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from interpreting import Interpreted

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def interpreted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interpreted]:
    """Of the files whose interpreted tests are asked for, as their marker says."""
    marks = [m for item in request.session.items for m in item.iter_markers("interprets")]
    files = [str(TESTS / name) for name in dict.fromkeys(m.args[0] for m in marks)]
    folder = tmp_path_factory.mktemp("interpreted")
    found, log = folder / "found.xml", folder / "log"
    if not files or "TRITON_INTERPRET" in os.environ:
        yield Interpreted(None, found, log)
        return
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", f"--junitxml={found}"]
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    with (
        log.open("w") as said,
        subprocess.Popen([*command, *files], cwd=TESTS.parent, env=environment, stdout=said, stderr=said) as process,
    ):
        yield Interpreted(process, found, log)
        process.kill()
