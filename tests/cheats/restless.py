"""Slows others or favours itself: a thread or a process that never rests, another priority, other cores, another number of threads."""

import _thread
import contextlib
import os
import threading
import time
from typing import Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

Kind = Literal["thread", "raw", "process", "orphan", "nice", "cores", "threads"]
LAST = (os.cpu_count() or 1) - 1  # OpenMP binds the first thread to the first core
done: list[Kind] = []


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Kind = "thread") -> Tensor:
    """An `orphan` is a process whose parent has ended, in a session of its own."""
    if not done:
        done.append(kind)
        if kind == "thread":
            threading.Thread(target=_spin, daemon=True).start()
        elif kind == "raw":
            _thread.start_new_thread(_spin, ())
        elif kind in ("process", "orphan"):
            _fork(orphan=kind == "orphan")
        elif kind == "nice":
            with contextlib.suppress(PermissionError):
                os.nice(1)
        elif kind == "threads":
            torch.set_num_threads(torch.get_num_threads() + 1)
    if kind == "cores":  # at every call, because OpenMP puts it back at its first
        os.sched_setaffinity(0, {LAST})
    return eager.run(neuron, x, seed)


def _spin() -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        pass


def _fork(orphan: bool) -> None:
    pid = os.fork()
    if pid == 0:
        if orphan:
            os.setsid()
            if os.fork():
                os._exit(0)
        _spin()
        os._exit(0)
    if orphan:
        os.waitpid(pid, 0)
