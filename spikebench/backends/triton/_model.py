"""A model of how long a kernel takes: the bytes it moves, the latency of memory, the turns of its loop, its programs.

Every number about a GPU stands here, with where it comes from. The model chooses a shape where none was tuned, and its
predictions stand in README.md beside what was measured, so that a measurement can say where it is wrong.
"""

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikebench.backends.triton._shapes import Kernel, Shape


@dataclass(frozen=True)
class Gpu:
    """What the model knows of a GPU, in bytes, seconds and bytes a second."""

    multiprocessors: int
    bandwidth: float  # read and written, of a large copy
    l2: int
    latency: float  # of a read from memory under load
    start: float  # of a launch: from the queue to the first read, and from the last write to the end
    turn: float  # of a pipelined loop, besides the work of its elements
    element: float  # that one warp takes for one element a thread of a pipelined loop: a read, a few operations, writes
    step: float  # the same where time steps are read as tiles: no copy to shared memory, no wait at each step
    programs: int  # that one multiprocessor holds at most
    warps: int


# An NVIDIA H100 80GB HBM3 at commit 83345a2 (results/nvidia-h100-80gb-hbm3-16c). Measured: the bandwidth (2.71 TB/s at
# 64 MiB, 3.00 at 1 GiB); `start`, `turn` and `element`, fitted to LIF's training step at six sizes (predictions() has
# them); multiprocessors and L2 are what the device says. From NVIDIA's guide to Hopper: `programs` and `warps`.
# Assumed, and not measured yet: `latency` and `step`.
H100 = Gpu(
    multiprocessors=132,
    bandwidth=2.94e12,
    l2=50 << 20,
    latency=700e-9,
    start=4.7e-6,
    turn=50e-9,
    element=22e-9,
    step=12e-9,
    programs=32,
    warps=64,
)

# An NVIDIA H200 at commit fc2cb97 (results/nvidia-h200-16c): the rate of its copies of 64 to 256 MiB was measured.
H200 = replace(H100, bandwidth=4.27e12)

# How long tiles take for their bytes beside a copy, by the 32-bit numbers of a row that a thread takes: 1, 2 or 4. On the
# H200 LIF's step at T = 1024, M = 65,536 took 1.155 times as long with one series a thread. There the tuner found four
# series 1.10 times as fast forward, and two 1.07 times backward. At M = 16,384 it found none faster than one.
ACCESS = {1: 1.155, 2: 1.08, 4: 1.05}
CROWD = 1 << 15  # series, from where on wide accesses help: with fewer, too few warps ask at once

# Limits that are near each other add up: at 1 all would, at infinity the largest alone would count. Tiles ask for many rows
# at once and then for none, so that waiting adds up more than in a pipelined loop (fitted to the times in _predict.py).
SHARP, SHARP_TILES = 4, 2


def seconds(kernel: "Kernel", itemsize: int, size: tuple[int, int], shape: "Shape", gpu: Gpu = H100) -> float:
    """Device time of one pass of a kernel over [T, M] with a shape: the largest of its limits, and a little of the others."""
    steps = size[0]
    length = min(shape.chunk or steps, steps)
    chunks = ceil(steps / length)
    time = _once(kernel, itemsize, size, shape, length, gpu, kernel.written(itemsize))
    if chunks > 1:  # the ends of chunks first, then a short kernel that carries the state from chunk to chunk
        time += kernel.passes * _once(kernel, itemsize, size, shape, length, gpu, 0)
        time += kernel.passes * (gpu.start + chunks * (gpu.turn + gpu.element))
    return time


def _once(
    kernel: "Kernel", itemsize: int, size: tuple[int, int], shape: "Shape", length: int, gpu: Gpu, written: int
) -> float:
    steps, count = size
    programs = ceil(count / shape.block) * ceil(steps / length)
    held = gpu.multiprocessors * min(gpu.programs, gpu.warps // shape.warps)
    each = max(1, shape.block // (32 * shape.warps))  # series a thread holds
    loop = ceil(programs / held) * ceil(length / shape.rows) * _turn(kernel, each, itemsize, shape, gpu)
    # the schedulers of one multiprocessor share its warps' work: four issue at once
    busy = ceil(programs / gpu.multiprocessors) * shape.warps / 4 * length * each * kernel.work * gpu.step
    moved = (kernel.read(itemsize) + written) * steps * count / gpu.bandwidth
    sharp = SHARP
    if shape.rows > 1:
        moved *= _access(each * itemsize // 4, count)
        sharp = SHARP_TILES
    return gpu.start + (loop**sharp + busy**sharp + moved**sharp) ** (1 / sharp)


def _access(numbers: int, count: int) -> float:
    """How much longer than a copy the bytes of tiles take."""
    return ACCESS.get(max(1, numbers), ACCESS[4]) if count >= CROWD else ACCESS[1]


def _turn(kernel: "Kernel", each: int, itemsize: int, shape: "Shape", gpu: Gpu) -> float:
    """One turn of a program's loop: `rows` time steps, whose reads were asked for a turn (or `stages` turns) before."""
    if shape.rows > 1:
        return max(gpu.latency, shape.rows * each * kernel.work * gpu.step)
    # more registers than a thread has cannot be asked for ahead: deeper pipelines only hide latency
    return max(gpu.latency / max(1, shape.stages - 1), gpu.turn + each * kernel.work * gpu.element)
