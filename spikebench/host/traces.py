"""What a process may leave behind or change around it: children, threads, its priority, its place on the cores."""

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

import psutil

from spikebench.host import clock

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
PATIENCE = 2.0  # seconds


@dataclass(frozen=True)
class Traces:
    """This process at one moment: its children, Python threads, nice value, and the cores that its first thread may use."""

    children: frozenset[int]
    threads: int
    nice: int
    cores: frozenset[int]

    @staticmethod
    def now() -> "Traces":
        """This process now."""
        cores = os.sched_getaffinity(os.getpid()) if hasattr(os, "sched_getaffinity") else ()
        children = frozenset(c.pid for c in psutil.Process().children(recursive=True))
        return Traces(children, len(sys._current_frames()), os.getpriority(os.PRIO_PROCESS, 0), frozenset(cores))

    def company(self, later: "Traces") -> bool:
        """Whether there are more processes or threads of Python later."""
        return bool(later.children - self.children) or later.threads > self.threads

    def moved(self, later: "Traces") -> bool:
        """Whether priority or place are others later. OpenMP binds the first thread to the first of them, which is as it should be."""
        return later.nice != self.nice or later.cores not in (self.cores, frozenset(sorted(self.cores)[:1]))


def adopt() -> None:
    """Become the parent of what descendants leave behind, so that a process which hides in its own session still shows. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """End when the thread that has started this process does: nobody would hear of its work. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def end_children() -> int:
    """Kill every child of this process, and what these leave, which comes to it once it has called `adopt`; how many there were.

    A process that goes on making new ones is given up after PATIENCE seconds.
    """
    killed, until = set[int](), clock.monotonic() + PATIENCE
    while clock.monotonic() < until:
        try:
            gone, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if gone:
            continue
        for child in psutil.Process().children():
            killed.add(child.pid)
            with suppress(psutil.Error):
                child.kill()
        time.sleep(0.002)
    return len(killed)


def memory_of_children() -> int:
    """Bytes that the descendants of this process have to themselves now."""
    held = 0
    for child in psutil.Process().children(recursive=True):
        try:
            held += child.memory_full_info().uss
        except psutil.Error:
            continue  # it has just ended
    return held
