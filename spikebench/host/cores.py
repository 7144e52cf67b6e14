"""Divides the cores of this machine among processes that work side by side."""

import os
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from spikebench.records.locks import Locks


@dataclass(frozen=True)
class Cores:
    """Equal parts, one for each of several threads and the processes they start.

    Processes that place their threads would all take the same cores otherwise.
    """

    free: deque[set[int]]
    count: int

    @staticmethod
    def parts(most: int) -> "Cores":
        there = sorted(os.sched_getaffinity(0))
        count = max(1, len(there) // most)
        return Cores(deque(set(there[i : i + count]) for i in range(0, len(there) - count + 1, count)), count)

    def take(self) -> None:
        """Keep the calling thread, and what it starts, to a part of its own."""
        os.sched_setaffinity(0, self.free[0])
        self.free.rotate(-1)


def of_process(pid: int) -> list[int]:
    """The cores that the threads of a process may run on now, in order. Linux only: elsewhere none."""
    found = set[int]()
    with suppress(OSError, AttributeError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(ProcessLookupError):  # it has just ended
                found |= os.sched_getaffinity(int(thread))
    return sorted(found)


def own(count: int, locks: Locks) -> set[int]:
    """So many cores that no other run of this user has, which are taken with `locks`; none if there are not enough.

    Two runs whose threads are bound would have the same cores otherwise: the first ones.
    """
    there, taken = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [], set[int]()
    for core in there:
        if len(taken) < count and locks.take(f"core {core}"):
            taken.add(core)
    if len(taken) < count:
        for core in taken:
            locks.give_back(f"core {core}")
        return set()
    return taken


@contextmanager
def only(cores: Collection[int]) -> Iterator[None]:
    """Processes that this thread starts meanwhile may use these cores, or all if none are named.

    They have to begin so. OpenMP binds their first thread when its library is loaded, and whoever sets the cores after
    that takes the binding away: then two threads share a core, and each waits until the other's time slice is over.
    """
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
