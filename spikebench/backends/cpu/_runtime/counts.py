"""Why a fused pass takes longer than its bytes: its instructions for a line of series, and its time where no byte moves.

The bandwidth bound counts bytes alone. A pass that computes more than it moves cannot reach it, however it is written.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import cfunc, types
from torch import Tensor

from spikebench.backends.cpu import psu as of_psu
from spikebench.backends.cpu import spsn as of_spsn
from spikebench.backends.cpu._kernels import psu, spsn
from spikebench.cases.case import Case
from spikebench.neurons.psu import PSU
from spikebench.neurons.spsn import SPSN

KINDS = {
    "arithmetic": r"v(fn?m|mulp|addp|subp|maxp|minp|cmp)",
    "integers": r"v(p|cvt|rndscale)",
    "reciprocals": r"v(rcp|div)",
    "memory": r"vmov\w+ .*\(",
}
STEPS = 4  # that a loop over lines takes at once
# steps, and series of a thread. What one length takes more than the one before it is a time without the launch; the first
# stay in a thread's second-level cache, but on some CPUs the start of a launch is slow, and then the longest tell
LENGTHS, EACH = (32, 64, 128, 256, 512), 1024
LARGE = 1 << 27  # numbers of a copy that no cache holds: a Xeon may have 480 MiB
RUNS = 100  # launches, of which the fastest counts: what interrupts one only adds to it


class Pass(NamedTuple):
    """A pass of a neuron in float32: its compiled task, and how many stores of an iteration of its loop go past the caches."""

    name: str
    task: Callable[[Any, str], Any] | None
    stores: int


# the neuron, its backend, and both passes; the loop of PSU's backward pass is of another form, and is not counted
NEURONS: dict[str, tuple[Any, Any, tuple[Pass, Pass]]] = {
    "spsn": (SPSN, of_spsn, (Pass("forward", spsn.forward, 8), Pass("backward", spsn.backward, 4))),
    "psu": (PSU, of_psu, (Pass("forward", psu.forward, 4), Pass("backward", None, 0))),
}


def instructions(task: Callable[[Any, str], Any], stores: int) -> dict[str, float]:
    """Instructions on whole lines of float32, of each kind, for a line and a step; {} where lines are not of 64 bytes.

    The loop over lines is the shortest way back to a label that has so many stores past the caches.
    """
    compiling: Any = cfunc(types.void(types.voidptr), error_model="numpy")  # its types lack what it compiled to
    written = compiling(task(np.float32, "counted"))._library.get_asm_str()
    lines = [" ".join(line.split()) for line in written.split("\n")]
    labels = {line.removesuffix(":"): n for n, line in enumerate(lines) if re.fullmatch(r"\.LBB\w+:", line)}
    jumps = [(labels[j.split()[-1]], n) for n, j in enumerate(lines) if re.match(r"j\w+ \.LBB", j)]
    ways = [lines[start:end] for start, end in jumps if start < end]
    whole = [way for way in ways if sum("vmovnt" in line for line in way) >= stores]
    if not whole:
        return {}
    found = Counter(kind for line in min(whole, key=len) if "zmm" in line for kind in _kinds(line))
    return {kind: found[kind] / STEPS for kind in KINDS}


def _kinds(line: str) -> Sequence[str]:
    return [kind for kind, pattern in KINDS.items() if re.match(pattern, line)][:1]


def seconds_a_number(neuron: str) -> tuple[float, float]:
    """Time of both passes for a number of their input, all threads at work, where arrays stay in the caches: the least found."""
    kind, backend, _ = NEURONS[neuron]
    times = [_timed(kind(), backend.run, steps) for steps in LENGTHS]
    numbers = [EACH * torch.get_num_threads() * (long - short) for short, long in pairwise(LENGTHS)]

    def least(which: int) -> float:
        more = (long[which] - short[which] for short, long in pairwise(times))
        return min(took / size for took, size in zip(more, numbers, strict=True) if took > 0)

    return least(0), least(1)


def _timed(neuron: Any, run: Callable[..., Tensor], steps: int) -> tuple[float, float]:
    x = torch.randn(steps, EACH * torch.get_num_threads(), requires_grad=True)
    g, there, back = torch.randn_like(x), [], []
    for _ in range(RUNS):
        start = time.perf_counter()
        s = run(neuron, x)
        between = time.perf_counter()
        torch.autograd.grad(s, x, g)
        back.append(time.perf_counter() - between)
        there.append(between - start)
    return min(there), min(back)


def bytes_a_number(neuron: str) -> tuple[float, float]:
    """Bytes that both passes must move for a number of their input, as the backend declares them."""
    cases = (Case(f"{neuron}@cpu", T=LENGTHS[-1], B=1, N=EACH, mode=mode) for mode in ("forward", "train"))
    forward, both = (NEURONS[neuron][1].moves(case) / (LENGTHS[-1] * EACH) for case in cases)
    return forward, both - forward


def seconds_a_byte() -> float:
    """Time of a copy for a byte, read or written."""
    x, y, times = torch.randn(LARGE), torch.empty(LARGE), []
    for _ in range(RUNS // 10):
        start = time.perf_counter()
        y.copy_(x)
        times.append(time.perf_counter() - start)
    return min(times) / (8 * LARGE)


def text() -> str:
    """A table of all passes, and what each neuron can reach of its bound."""
    byte, out = seconds_a_byte(), []
    out.append(f"| neuron, pass | {' | '.join(KINDS)} | ns in the caches | bytes | ns at the copy's rate |")
    out.append("| --- " * (len(KINDS) + 4) + "|")
    most = []
    for name, (_, _, passes) in NEURONS.items():
        times, moved = seconds_a_number(name), bytes_a_number(name)
        for one, seconds, size in zip(passes, times, moved, strict=True):
            found = instructions(one.task, one.stores) if one.task else {}
            cells = [f"{found[kind]:.2f}" if found else "—" for kind in KINDS]
            figures = f"{seconds * 1e9:.3f} | {size:g} | {size * byte * 1e9:.3f}"
            out.append(f"| {name}, {one.name} | {' | '.join(cells)} | {figures} |")
        bound = [size * byte for size in moved]
        share = sum(bound) / sum(max(pair) for pair in zip(bound, times, strict=True))
        most.append(f"{name}: at most {share:.2f} of the bandwidth bound, if all that moves, moves while it computes")
    return "\n".join([*out, "", *most, ""])
