"""Groups of processes that none of them can leave (cgroups of Linux, version 2), where this user may make them.

A process that has a session of its own, and whose parents have ended, is still in the group that it was started in.
"""

import os
import secrets
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from spikebench.host import clock

MOUNTS, OWN = Path("/proc/self/mounts"), Path("/proc/self/cgroup")
PATIENCE = 1.0  # seconds that killed processes may take to be gone


@dataclass(frozen=True)
class Group:
    """A group, which is a folder of the system."""

    folder: Path

    @staticmethod
    def made() -> "Group | None":
        """A new one below that of this process; None where there can be none."""
        above = here()
        if above is None:
            return None
        folder = above / f"spikebench-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            folder.mkdir()
        except OSError:
            return None
        return Group(folder)

    def end(self) -> int:
        """Kill whoever is in it, and remove it; how many there were."""
        found, until = set[int](), clock.monotonic() + PATIENCE
        while (there := self._processes()) and clock.monotonic() < until:
            found |= there
            with suppress(OSError):
                (self.folder / "cgroup.kill").write_text("1", encoding="utf-8")
            for pid in there:  # kernels before 5.14 have no such file
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)
        with suppress(OSError):
            self.folder.rmdir()
        return len(found)

    def _processes(self) -> set[int]:
        try:
            return set(map(int, (self.folder / "cgroup.procs").read_text(encoding="utf-8").split()))
        except OSError:
            return set()


def join(folder: str) -> None:
    """Go into a group, with all that this process will start; it stays where it is if it may not."""
    with suppress(OSError):
        (Path(folder) / "cgroup.procs").write_text(str(os.getpid()), encoding="utf-8")


@lru_cache(maxsize=1)
def here() -> Path | None:
    """The group of this process, if groups can be made below it."""
    try:
        mounts = [line.split() for line in MOUNTS.read_text(encoding="utf-8").splitlines()]
        own = [line[3:] for line in OWN.read_text(encoding="utf-8").splitlines() if line.startswith("0::")]
    except OSError:
        return None
    for root in [fields[1] for fields in mounts if fields[2] == "cgroup2"][:1]:
        folder = Path(root) / own[0].lstrip("/") if own else Path(root)
        if (folder / "cgroup.procs").exists() and os.access(folder, os.W_OK) and _can_make(folder):
            return folder
    return None


def _can_make(folder: Path) -> bool:
    """Whether a group can be made there, and removed again."""
    tried = folder / f"spikebench-{os.getpid()}-tried"
    try:
        tried.mkdir()
        tried.rmdir()
    except OSError:
        return False
    return True
