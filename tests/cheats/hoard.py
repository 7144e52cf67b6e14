"""Holds its memory where nobody counts it: from the first call on, or in another process that it starts."""

import mmap
import os
import time
from typing import Literal

from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

SIZE = 64 * 2**20  # bytes
held: list[object] = []


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Literal["first", "child"] = "child") -> Tensor:
    if not held:
        held.append(_child() if kind == "child" else bytearray(os.urandom(2**20) * (SIZE // 2**20)))
    return eager.run(neuron, x, seed)


def _child() -> int:
    pid = os.fork()
    if pid == 0:
        own = mmap.mmap(-1, SIZE)
        own.write(os.urandom(2**20) * (SIZE // 2**20))
        time.sleep(30)
        os._exit(0)
    time.sleep(0.3)  # until it has written
    return pid
