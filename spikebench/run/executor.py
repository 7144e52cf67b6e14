"""An executor decides where cases are measured. It takes them all, and gives their records back as they come."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from spikebench.cases.case import Case
from spikebench.records.record import Record

Repeat = tuple[Case, int]  # a case and which of its repeats


class Executor(Protocol):
    """Measures each submitted case once; the parent alone writes records."""

    anywhere: bool  # whether other machines than this one measure

    def submit(self, case: Case, repeat: int) -> None:
        """Take a case."""
        ...

    def as_completed(self) -> Iterator[tuple[Repeat, Record]]:
        """Every submitted case with its record, in the order in which they end."""
        ...

    def close(self) -> None:
        """Give up what has not been measured."""
        ...


class Local:
    """One case after the other on this machine, in the order of submission, each when its record is asked for."""

    anywhere = False

    def __init__(self, measure: Callable[[Case, int], Record]) -> None:
        self._measure, self._jobs = measure, deque[Repeat]()

    def submit(self, case: Case, repeat: int) -> None:
        self._jobs.append((case, repeat))

    def as_completed(self) -> Iterator[tuple[Repeat, Record]]:
        while self._jobs:
            job = self._jobs.popleft()
            yield job, self._measure(*job)

    def close(self) -> None:
        self._jobs.clear()
