"""Which shape a kernel is launched with: what its user asked for, else what was tuned on this GPU, else the model's best.

A neuron's file declares its kernels as data, under the names that it launches them by:

    KERNELS = {
        "forward": Kernel(reads=(1, 0), writes=(1, 1), rows=(4, 8, 16, 32)),
        "backward": Kernel(reads=(1, 1), writes=(1, 0), rows=(4, 8, 16), cut=True),
    }

and asks `sized("lif.forward", x, asked)` before a launch. What `spikebench tune` measures, and what the model chooses
among, are the shapes that `Kernel.shapes` gives: a grid over rows, series a thread, warps and chunks, or the kernel's own
`candidates`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor

from spikebench.backends.triton import _model

TUNED = Path(__file__).with_name("tuned")
Made = TypeVar("Made")
DEPTHS = (4, 8, 16, 32)  # stages of a pipelined loop
KNOWN = 4096  # sizes and options of a neuron whose launches are kept prepared
CHUNKS = (64, 128, 256, 512, 1024)  # time steps that a program of a pass that is cut may handle
H100, A100 = "NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB"
ASSUMED = {90: H100, 80: A100}  # whose tuned shapes are compiled where there is no GPU, by compute capability


class Shape(NamedTuple):
    """Series a program, warps a program, time steps a tile, stages of a loop without tiles, time steps a program (0: all)."""

    block: int
    warps: int
    rows: int = 1
    stages: int = 1
    chunk: int = 0


class Options(NamedTuple):
    """What a user asks of a shape: numbers of `Shape`, where 0 leaves one to what is found; of a chunk it is None that does."""

    chunk: int | None = None
    block: int = 0
    warps: int = 0
    stages: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Rule:
    """A shape that was measured to be better than the model's for a kernel, a dtype and ranges of M and T."""

    kernel: str
    dtype: str
    count: range
    steps: range
    shape: Shape


@dataclass(frozen=True)
class Kernel:
    """What is known of a kernel before it runs.

    reads, writes: how many tensors of the input's dtype, and of float32 at least, it reads and writes an element.
    rows: time steps a tile that it can be compiled with; 1: without tiles its loop is pipelined.
    work: operations of an element, in those of a LIF neuron. cut: whether it can be cut into chunks of time, with `passes`
    passes before the last. candidates: its shapes, or a function from dtype, T and M to them; None: a grid.
    """

    reads: tuple[int, int] = (1, 0)
    writes: tuple[int, int] = (1, 1)
    rows: tuple[int, ...] = (1,)
    work: float = 1.0
    cut: bool = False
    passes: int = 1
    widest: int = 4  # series a thread at most
    tile: int = 64  # numbers of 32 bits of a tile that a thread holds at most; with more, registers would spill
    candidates: tuple[Shape, ...] | Callable[[torch.dtype, int, int], tuple[Shape, ...]] | None = None

    def read(self, itemsize: int) -> int:
        """Bytes it reads an element."""
        return self.reads[0] * itemsize + self.reads[1] * max(4, itemsize)

    def written(self, itemsize: int) -> int:
        """Bytes it writes an element."""
        return self.writes[0] * itemsize + self.writes[1] * max(4, itemsize)

    def shapes(self, dtype: torch.dtype, steps: int, count: int) -> tuple[Shape, ...]:
        """Its candidates for x [T, M]; the first is as plain as any."""
        if callable(self.candidates):
            return self.candidates(dtype, steps, count)
        return self.candidates or self._grid(dtype, steps, count)

    def _grid(self, dtype: torch.dtype, steps: int, count: int) -> tuple[Shape, ...]:
        widest = min(self.widest, max(1, 16 // dtype.itemsize))
        each = [n for n in (1, 2, 4, 8) if n <= widest and (n == 1 or 32 * n <= count)]
        chunks = [0, *(c for c in CHUNKS if 2 * c <= steps)] if self.cut else [0]
        tiles = [(r, 1) for r in self.rows if r > 1] + [(1, depth) for depth in DEPTHS if 1 in self.rows]
        most = self.tile // max(1, dtype.itemsize // 4)
        return tuple(
            Shape(32 * n * warps, warps, r, stages, chunk)
            for chunk, n, warps, (r, stages) in product(chunks, each, (1, 2, 4), tiles)
            if r * n <= most
        )


# of the process, not of a context: on a GPU autograd runs backward passes in threads of its own
_forced: dict[str, Shape] = {}
_asked: list["Asked"] | None = None
_assumed: ContextVar[str | None] = ContextVar("assumed", default=None)


@dataclass(frozen=True)
class Asked:
    """One launch that asked for a shape: of which kernel, for x [T, M] of which dtype, and what it was given."""

    kernel: str
    dtype: torch.dtype
    steps: int
    count: int
    shape: Shape


def sized(kernel: str, x: Tensor, asked: Options) -> tuple[tuple[int, int], Shape]:
    """T and M of x [T, ...], and the shape of a kernel, "lif.forward", for them.

    What is asked for comes before all, then the tuner's choice, then the model's. A chunk of 0 that is asked for is one:
    all steps in one program.
    """
    steps, count = size(x)
    found = _forced.get(kernel) or chosen(kernel, x.dtype, steps, count, device_of(x))
    found = _with(found, asked)
    if _asked is not None:
        _asked.append(Asked(kernel, x.dtype, steps, count, found))
    return (steps, count), found


def _with(of: Shape, asked: Options) -> Shape:
    """A shape, and in it what is asked for."""
    chunk, block, warps, stages, rows = asked
    chunk = of.chunk if chunk is None else chunk
    return Shape(block or of.block, warps or of.warps, rows or of.rows, stages or of.stages, chunk)


def fitted(build: Callable[..., Made]) -> Callable[..., Made]:
    """Decorates what prepares a kernel's launches from x's dtype, x's size and the shape that is chosen for them.

    It is then called with the kernel's name, x, what the user asks of the shape, and further arguments, which can be hashed.
    For an x of a dtype, sizes and device that it has seen, it returns what it prepared then, unless shapes are forced or watched.
    """
    of_shape = lru_cache(KNOWN)(build)

    @lru_cache(KNOWN)
    def of_size(
        kernel: str, dtype: torch.dtype, size: tuple[int, ...], device: str | None, asked: Options, *others: Any
    ) -> Made:
        steps, count = size[0], prod(size) // max(size[0], 1)
        return of_shape(dtype, (steps, count), _with(chosen(kernel, dtype, steps, count, device), asked), *others)

    def found(kernel: str, x: Tensor, asked: Options, *others: Any) -> Made:
        if x.__class__ is Tensor and not _forced and _asked is None:
            return of_size(kernel, x.dtype, x.shape, device_of(x), asked, *others)
        return of_shape(x.dtype, *sized(kernel, x, asked), *others)  # what torch traces has sizes without a hash

    return found


def size(x: Tensor) -> tuple[int, int]:
    """T and M of x [T, ...], the number of series."""
    steps = int(x.shape[0])
    return steps, int(x.numel()) // max(steps, 1)


@contextmanager
def forced(shapes: Mapping[str, Shape]) -> Iterator[None]:
    """Kernels have these shapes inside, whatever was tuned; options of a subject still come first."""
    before = dict(_forced)
    _forced.update(shapes)
    try:
        yield
    finally:
        _forced.clear()
        _forced.update(before)


@contextmanager
def watching() -> Iterator[list[Asked]]:
    """What asks for a shape inside, in order."""
    global _asked
    before, _asked = _asked, []
    try:
        yield _asked
    finally:
        _asked = before


@contextmanager
def assumed(device: str | None) -> Iterator[None]:
    """Shapes inside are those tuned for a GPU of this name, which need not be there; None: the model's."""
    token = _assumed.set(device)
    try:
        yield
    finally:
        _assumed.reset(token)


def device_of(x: Tensor) -> str | None:
    """The name of a tensor's GPU, or of the one that is assumed."""
    return _device_name(x.get_device()) if x.is_cuda else _assumed.get()


@cache
def _device_name(index: int) -> str:
    return torch.cuda.get_device_name(index)


@lru_cache(KNOWN)
def chosen(kernel: str, dtype: torch.dtype, steps: int, count: int, device: str | None) -> Shape:
    """The tuner's choice on a device of this name, else the model's."""
    return tuned(kernel, dtype, steps, count, device) or modelled(kernel, dtype, steps, count)


@lru_cache(KNOWN)
def modelled(kernel: str, dtype: torch.dtype, steps: int, count: int) -> Shape:
    """The candidate that the model finds fastest; the first of equals."""
    known = declared(kernel)
    size = (steps, count)
    return min(known.shapes(dtype, *size), key=lambda shape: _model.seconds(known, dtype.itemsize, size, shape))


@cache
def declared(kernel: str) -> Kernel:
    """What a neuron's file declares of a kernel; the parts of the name after the first are one key."""
    neuron, _, name = kernel.partition(".")
    return cast(Kernel, import_module(f"spikebench.backends.triton.{neuron}").KERNELS[name])


def tuned(kernel: str, dtype: torch.dtype, steps: int, count: int, device: str | None) -> Shape | None:
    """The shape that was measured to be better than the model's on a device of this name, or None."""
    for rule in rules(device) if device else ():
        near = count in rule.count and steps in rule.steps
        if near and (rule.kernel, rule.dtype) == (kernel, str(dtype).removeprefix("torch.")):
            return rule.shape
    return None


@cache
def rules(device: str) -> tuple[Rule, ...]:
    """The rules tuned for a device of this name."""
    path = file_of(device)
    if not path.exists():
        return ()
    found = json.loads(path.read_text(encoding="utf-8"))["rules"]
    wrong = [r for r in found if set(r["shape"]) - set(Shape._fields)]
    if wrong:
        raise ValueError(
            f"{path}: a shape has {', '.join(Shape._fields)}, not {wrong[0]['shape']}; run `spikebench tune` again"
        )
    return tuple(Rule(r["kernel"], r["dtype"], range(*r["M"]), range(*r["T"]), Shape(**r["shape"])) for r in found)


def file_of(device: str, folder: Path | None = None) -> Path:
    """The file of tuned shapes of a device: tuned/nvidia-h100-80gb-hbm3.json."""
    return (folder or TUNED) / f"{re.sub(r'[^a-z0-9]+', '-', device.lower()).strip('-')}.json"


def as_json(shape: Shape) -> dict[str, int]:
    """A shape as a file of tuned shapes has it."""
    return shape._asdict()
