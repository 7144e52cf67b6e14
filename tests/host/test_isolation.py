"""What child processes get: where Python looks for modules, where numba keeps kernels, and folders that last as long as a run."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from spikebench.errors import Problem
from spikebench.host import isolation, scratch
from spikebench.host.scratch import Scratch

ROOT = str(isolation.PACKAGE.parent)


def test_the_working_folder_is_not_in_the_path_and_this_package_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([".", "/elsewhere", str(tmp_path), ""]))
    found = isolation.variables()
    assert found["PYTHONSAFEPATH"] == "1"
    first, *own = found["PYTHONPATH"].split(os.pathsep)
    assert first == "/elsewhere" and own in ([], [ROOT])
    (tmp_path / "select.py").write_text("raise SystemExit(7)")
    code = "import select, spikebench; print(spikebench.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | found, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(ROOT)


def test_processes_find_the_spikebench_of_their_parent_before_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spikebench").mkdir()
    (tmp_path / "spikebench" / "__init__.py").write_text("raise SystemExit(7)")
    for given, found in (
        (["/elsewhere", str(tmp_path)], ["/elsewhere", ROOT, str(tmp_path)]),
        (["/elsewhere", ROOT, str(tmp_path)], ["/elsewhere", ROOT, str(tmp_path)]),
    ):
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(given))
        assert isolation.variables()["PYTHONPATH"].split(os.pathsep) == found


@pytest.mark.parametrize("home", [True, False])
def test_numba_has_a_folder_of_ours_where_the_package_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: bool
) -> None:
    assert "NUMBA_CACHE_DIR" not in isolation.variables(), "the package of this checkout can be written"
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: real(path, mode) and not str(path).startswith(ROOT))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("HOME", str(tmp_path / "home") if home else "/proc/none")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    found = Path(isolation.variables()["NUMBA_CACHE_DIR"])
    assert found.is_dir() and found.is_relative_to(tmp_path / ("home/.cache" if home else "tmp"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/mine")
    assert "NUMBA_CACHE_DIR" not in isolation.variables(), "what is set stays"


def test_a_scratch_folder_that_disappears_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    made = Scratch()
    shutil.rmtree(tmp_path / "tmp")
    made.file("x").write_text("there")
    (tmp_path / "tmp").rename(tmp_path / "away")
    (tmp_path / "tmp").write_text("a file in its place")
    with pytest.raises(Problem, match="set TMPDIR"):
        made.file("x")
    made.close()


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_uses_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    living = Scratch()
    dead, young = tmp_path / f"{scratch.PREFIX}dead", tmp_path / f"{scratch.PREFIX}young"
    for folder in (dead, young):
        folder.mkdir()
    for folder in (dead, living.path):
        os.utime(folder, (0, 0))
    other = Scratch()
    assert not dead.exists() and young.exists() and living.path.exists()
    other.close()
    living.close()
    assert [p.name for p in tmp_path.iterdir()] == [young.name]
