"""Which form of a diagonal state-space model is predicted to be faster on a GPU: step by step, or as products of matrices.

Operations are counted; what they cost is a guess from one figure. On an H100 a training step of the sequential form took
2.65 ms at T = 1024, B = 32, N = 512, state = 64, of which the host's share was 0.5 ms (results/nvidia-h100-80gb-hbm3-16c).
No product has been timed: `PRODUCT` is the share of a card's rate that tiles of 16 x 16 are taken to reach.
"""

from typing import Literal, NamedTuple

from spikebench.backends.triton._model import H100, Gpu

Form = Literal["sequential", "dot"]
ISSUED = 1.6e-9  # seconds of one instruction of a warp on its scheduler, fitted to that figure
STEP, PAIR = (
    (60, 40, 40),
    (5, 4, 16),
)  # instructions of forward, backward, parameters: a step's, and those of one of its pairs
HELD = 8  # pairs that a thread holds
PRODUCT = 0.3
RATE = {"ieee": 66.9e12, "tf32x3": 165e12, "tf32": 494e12}  # operations a second of an H100, as NVIDIA gives them
TILE = 16


class Size(NamedTuple):
    """Sizes of a layer, complex pairs of a neuron's state, steps of a chunk, and whether it trains."""

    steps: int
    batch: int
    neurons: int
    pairs: int
    chunk: int
    trains: bool

    @property
    def elements(self) -> int:
        """T·B·N."""
        return self.steps * self.batch * self.neurons


def sequential_operations(size: Size) -> int:
    """Multiplications and additions step by step: a pair's state turns and gets x (7), and gives its part of y (4).

    Backward is the same filter in reversed time. The parameters' gradients run it once more, with its derivative by the
    decay (8), and add up four sums (8).
    """
    forward = 11 * size.pairs + 5
    backward = 11 * size.pairs + 4
    parameters = (11 + 8 + 8) * size.pairs + 9
    return size.elements * (forward + (backward + parameters if size.trains else 0))


def dot_operations(size: Size) -> int:
    """Multiplications and additions of the products of matrices: what lies above the diagonal is left out by tiles of 16.

    A step takes (C + 16)/2 taps and 2S entries of the state, which each step enters, too. Backward is the same in
    reversed time; the parameters' gradients are three products: of C, and twice of 2S, with every step of a chunk.
    """
    entries = 2 * size.pairs
    one = (size.chunk + TILE) // 2 + 2 * entries
    learned = size.chunk + 2 * entries
    return 2 * size.elements * (one + (one + learned if size.trains else 0))


def sequential_seconds(size: Size, gpu: Gpu = H100) -> float:
    """Of a program of one warp, which holds 8 pairs a thread, as often as programs wait for a scheduler."""
    passes = 3 if size.trains else 1
    threads = max(1, size.pairs / HELD)  # of one neuron
    warps = size.batch * size.neurons * threads / 32
    turns = max(1.0, warps / (4 * gpu.multiprocessors))
    issued = sum(STEP[n] + PAIR[n] * min(size.pairs, HELD) for n in range(passes))
    return passes * gpu.start + size.steps * turns * issued * ISSUED


def dot_seconds(size: Size, precision: str, gpu: Gpu = H100) -> float:
    """Of the products, and of the states of all chunks [T/C, 2S, B, N], which are written, read, carried and read again."""
    launches = 10 if size.trains else 3
    product = dot_operations(size) / (PRODUCT * RATE[precision] * gpu.multiprocessors / H100.multiprocessors)
    states = 4 * 4 * size.elements * 2 * size.pairs / size.chunk / gpu.bandwidth
    carried = -(-size.steps // size.chunk) * (gpu.turn + gpu.element)
    both = 2 if size.trains else 1
    return launches * gpu.start + product + both * (states + carried)


def best(size: Size, precision: str, gpu: Gpu = H100) -> Form:
    """The form that is predicted to be faster; the sequential one if they are equal."""
    return "dot" if dot_seconds(size, precision, gpu) < sequential_seconds(size, gpu) else "sequential"
