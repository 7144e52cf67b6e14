"""Other processes as the system shows them: what one does now, how it ended, and what it has below it. Linux only."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

TICKS = 100  # of a second, in which the system gives a process's CPU time


@dataclass(frozen=True)
class Seen:
    """A process at one moment. `state` is a letter of /proc, `ended` is its wait status once it is over."""

    state: str
    parent: int
    cpu_seconds: float
    ended: int

    @property
    def stopped(self) -> bool:
        """Whether a signal or a debugger has stopped it."""
        return self.state in "Tt"

    @property
    def over(self) -> bool:
        """Whether it has ended, and its parent does not know it yet."""
        return self.state in "ZX"


def seen(pid: int) -> Seen | None:
    """A process now; None if there is none of this number."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # from the third on: the second, a name, may hold anything
    return Seen(fields[0], int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS, int(fields[49]))


def below(pid: int) -> list[psutil.Process]:
    """The children of a process, and theirs; none where it is gone."""
    with suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def above(process: psutil.Process) -> list[int]:
    """The numbers of a process's parents, up to the first one of the system."""
    with suppress(psutil.Error):
        return [p.pid for p in process.parents()]
    return []


def end(found: list[psutil.Process]) -> None:
    """Kill processes that were found before, unless they have ended since."""
    for process in found:
        with suppress(psutil.Error):
            process.kill()
