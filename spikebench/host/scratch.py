"""Folders of ours for what lives no longer than a run. One that disappears is made again, and one that a killed run left is removed."""

import fcntl
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

from spikebench.errors import Problem
from spikebench.host import clock
from spikebench.records.locks import MEMORY

PREFIX = "spikebench-run-"
LEAST = 64 * 2**20  # bytes that must be free in memory
YOUNG = 60.0  # seconds in which a folder may be about to be locked


class Scratch:
    """A folder of this run, with `memory` in memory where there is enough. Raises Problem where none can be made."""

    def __init__(self, memory: bool = False) -> None:
        try:
            Path(tempfile.gettempdir()).mkdir(parents=True, exist_ok=True)
            place = Path(MEMORY if memory and _roomy() else tempfile.gettempdir())
            _remove_left(place)
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        except OSError as error:
            raise Problem(f"no folder for scratch files: {_why(error)}; set TMPDIR to one with space") from error
        self._remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
        self._lock = -1
        self._hold()

    def file(self, name: str) -> Path:
        """The path of a file in it; the folder is made again if it is gone."""
        try:
            Path(tempfile.gettempdir()).mkdir(parents=True, exist_ok=True)
            if not self.path.exists():
                self.path.mkdir(0o700, parents=True, exist_ok=True)
                self._hold()
        except OSError as error:
            raise Problem(f"cannot make {self.path} again: {_why(error)}; set TMPDIR to a folder with space") from error
        return self.path / name

    def _hold(self) -> None:
        """Lock the folder for as long as this process lives."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Remove it with all that is in it."""
        self._remove()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _roomy() -> bool:
    """Whether there is a folder in memory with LEAST bytes free. In a container it is often small."""
    with suppress(OSError):
        found = os.statvfs(MEMORY)
        return os.access(MEMORY, os.W_OK) and found.f_bavail * found.f_frsize >= LEAST
    return False


def _remove_left(place: Path) -> None:
    """Remove folders of this user whose run has not done so: it was killed."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            about = folder.lstat()
            if about.st_uid != os.getuid() or clock.wall() - about.st_mtime < YOUNG:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _why(error: OSError) -> str:
    return error.strerror or str(error)
