"""What the model of latency and bytes predicts at six sizes, beside what an H100 and an H200 took there.

`spikebench tune --predict` prints it, and `python -m spikebench.backends.triton predict` puts it into README.md.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import torch

from spikebench.backends.triton import _model, _shapes
from spikebench.backends.triton._shapes import Kernel, Shape

HERE = Path(__file__).parent
README = HERE / "README.md"
BEGIN, END = "<!-- predictions -->\n", "<!-- end of predictions -->\n"
# T, M, and of LIF's training step in float32 at 83345a2: series a thread, stages, device time in seconds
MEASURED = (
    (128, 16384, 4, 32, 44.8e-6),
    (1024, 16384, 4, 32, 291e-6),
    (1024, 65536, 4, 16, 568e-6),
    (4096, 16384, 4, 32, 1133e-6),
    (10000, 4096, 1, 32, 1443e-6),
    (1000, 2048, 1, 32, 152e-6),
)
# T, M, and the same step's device time on an H200 at fc2cb97, on tiles of 32 steps and one series a thread, n = 1
TILES = ((128, 16384, 19.6e-6), (1024, 16384, 128.8e-6), (1024, 65536, 445.9e-6), (4096, 16384, 508.0e-6))
LOOPS = (Kernel(), Kernel(reads=(1, 1), writes=(1, 0)))  # LIF's two passes there: no tiles, a pipelined loop


def loops(steps: int, count: int, each: int, stages: int) -> float:
    """What the model says of the loops and shapes of 83345a2."""
    shape = Shape(32 * each, 1, stages=stages)
    return sum(_model.seconds(kernel, 4, (steps, count), shape) for kernel in LOOPS)


def tiles(steps: int, count: int) -> float:
    """What the model says of an H200, the kernels of tiles, and the shapes of fc2cb97."""
    names, shape = ("lif.forward", "lif.backward"), Shape(32, 1, 32)
    return sum(_model.seconds(_shapes.declared(n), 4, (steps, count), shape, _model.H200) for n in names)


def predicted(kernel: str, steps: int, count: int, dtype: torch.dtype = torch.float32) -> tuple[Shape, float]:
    """The model's shape of a kernel for x [T, M], and its device time."""
    shape = _shapes.modelled(kernel, dtype, steps, count)
    return shape, _model.seconds(_shapes.declared(kernel), dtype.itemsize, (steps, count), shape)


def kernels() -> list[str]:
    """Every kernel whose neuron's file declares it."""
    names = sorted(p.stem for p in HERE.glob("[a-z]*.py"))
    found = {n: getattr(import_module(f"spikebench.backends.triton.{n}"), "KERNELS", {}) for n in names}
    return [f"{neuron}.{name}" for neuron, declared in found.items() for name in declared]


def text() -> str:
    """Two tables in Markdown: LIF's training step then and now, and every kernel of now."""
    sizes = [m[:2] for m in MEASURED]
    lines = ["| LIF, training step, float32, us | " + " | ".join(f"T={t} M={m:,}" for t, m in sizes) + " |"]
    lines.append("|---" * (len(sizes) + 1) + "|")
    lines.append(_row("measured at 83345a2, pipelined loops", [m[4] for m in MEASURED]))
    lines.append(_row("the model for those loops", [loops(*m[:4]) for m in MEASURED]))
    there = kernels()
    now = [predicted("lif.forward", *s)[1] + predicted("lif.backward", *s)[1] for s in sizes]
    lines.append(_row("predicted for the kernels of now", now))
    lines.append(
        _row(
            f"24 bytes an element at {_model.H100.bandwidth / 1e12:.2f} TB/s, the rate of a copy",
            [24 * t * m / _model.H100.bandwidth for t, m in sizes],
        )
    )
    took = {size[:2]: size[2] for size in TILES}
    lines.append(_row("measured on an H200 at fc2cb97, tiles of 32 steps", [took.get(size) for size in sizes]))
    lines.append(_row("the model for those tiles", [tiles(*size) if size in took else None for size in sizes]))
    lines += ["", "| predicted, float32, us | " + " | ".join(f"T={t} M={m:,}" for t, m in sizes) + " |"]
    lines.append("|---" * (len(sizes) + 1) + "|")
    lines += [_row(kernel, [predicted(kernel, *s)[1] for s in sizes]) for kernel in there]
    return "\n".join(lines) + "\n"


def _row(name: str, seconds: Sequence[float | None]) -> str:
    return f"| {name} | " + " | ".join("—" if s is None else f"{1e6 * s:.1f}" for s in seconds) + " |"


def write() -> None:
    """Put the predictions into README.md, in place of those that stand there."""
    before, found, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2] if found else ""
    README.write_text(before.rstrip("\n") + "\n\n" + BEGIN + text() + END + after, encoding="utf-8")
