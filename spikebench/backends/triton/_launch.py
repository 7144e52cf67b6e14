"""How the kernels are launched: block shapes by the number of series, checks, and recording instead of launching."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.runtime import driver

from spikebench.backend import Refused
from spikebench.backends.triton import _direct
from spikebench.backends.triton._shapes import Shape
from spikebench.backends.triton._shapes import shape as shape

if TYPE_CHECKING:
    from spikebench.cases.case import Case

IN_FLIGHT = 3 << 20  # bytes that must be under way to fill an H200: 4.3 TB/s times 0.7 µs of latency
COMPUTE = {
    torch.float64: tl.float64,
    torch.float32: tl.float32,
    torch.bfloat16: tl.float32,
    torch.float16: tl.float32,
}


@dataclass(frozen=True)
class Launch:
    """One kernel launch: what is launched, over which grid, with how many warps, on which arguments."""

    kernel: Any
    grid: tuple[int, ...]
    warps: int
    arguments: dict[str, Any]


_recorded: ContextVar[list[Launch] | None] = ContextVar("recorded", default=None)


@contextmanager
def recording() -> Iterator[list[Launch]]:
    """Collect launches instead of launching; run on tensors of the meta device."""
    launches: list[Launch] = []
    token = _recorded.set(launches)
    try:
        yield launches
    finally:
        _recorded.reset(token)


def launch(kernel: Any, grid: tuple[int, ...], warps: int, where: Tensor, **arguments: Any) -> None:
    """Launch a kernel on the device of `where`, or record it."""
    launches = _recorded.get()
    if launches is not None:
        launches.append(Launch(kernel, grid, warps, arguments))
        return
    direct = _direct.of(kernel)
    if direct is None:
        kernel[grid](**arguments, num_warps=warps)
        return
    active, device = driver.active, where.get_device()
    if device == active.get_current_device():
        direct(active, device, grid, warps, arguments)
    else:
        with torch.cuda.device(device):
            direct(active, device, grid, warps, arguments)


def interpreted() -> bool:
    """Whether triton's interpreter stands in for a GPU; decided when triton is imported."""
    return bool(triton.knobs.runtime.interpret)


def refusal(case: "Case") -> str | None:
    """Why no kernel here can run a case, or None."""
    if case.device != "cuda" and not interpreted():
        return f"triton kernels run on CUDA devices; the case asks for {case.device}"
    return None


def no_bytes(case: "Case") -> str | None:
    """Why spikes cannot be single bytes in a case, or None."""
    if case.parsed.all_how["spikes"] == "uint8" and case.mode != "inference":
        return "uint8 spikes carry no gradient; they go with mode inference"
    return None


def moved(case: "Case", tensors: dict[str, tuple[int, int]]) -> int:
    """Bytes that a case's kernels must move, from the numbers of tensors in `MOVES`; spikes may be single bytes."""
    narrow, wide = tensors[case.mode]
    width = getattr(torch, case.dtype).itemsize
    less = width - 1 if case.parsed.all_how.get("spikes") == "uint8" else 0
    return case.T * case.B * case.N * (narrow * width + wide * max(4, width) - less)


def dtype_of_spikes(x: Tensor, spikes: str, learns: bool) -> torch.dtype:
    """The dtype that the option `spikes` asks for; Refused if bytes should carry a gradient."""
    if spikes == "uint8" and learns:
        raise Refused("uint8 spikes carry no gradient; run without gradients or with spikes=same")
    return torch.uint8 if spikes == "uint8" else x.dtype


PLACES: set[str] = set()  # kinds of device besides CUDA that launches go to


def check(x: Tensor) -> None:
    """Raise Refused where the kernels cannot run an input."""
    if not x.is_cuda and x.device.type not in PLACES and not interpreted() and _recorded.get() is None:
        raise Refused(f"triton kernels run on CUDA devices; the input is on {x.device.type}")
    if x.dtype not in COMPUTE:
        raise Refused(f"triton kernels take {', '.join(str(d) for d in COMPUTE)}; the input is {x.dtype}")


def series(x: Tensor) -> Tensor:
    """x [T, ...] as contiguous [T, M]; raises Refused where the kernels cannot run it."""
    check(x)
    return x.view(x.shape[0], -1) if x.is_contiguous() else x.reshape(x.shape[0], -1).contiguous()


def wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype that the kernels compute in and save: float32 for half precision."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def fitted(count: int, itemsize: int, loads: int, how: dict[str, Any], rows: int = 1) -> Shape:
    """Shape for `count` series: reads of up to 16 bytes per thread, as long as there are 128 programs, at least of 4.

    The loop reads `rows` time steps of `loads` tensors per iteration; it is pipelined as deep as the latency asks,
    between 3 and 32 stages. Reasoned for an H200, not tuned on one; block, warps and stages in `how` that are not 0
    replace what is found.
    """
    each = min(16 // itemsize, 16 // rows)  # series per thread
    if itemsize == 8 and rows > 1:
        each = 1  # two would spill registers
    while each > max(1, 4 // itemsize) and count < 128 * 32 * each:
        each //= 2
    warps = 4 if count >= 1 << 18 else 1
    stages = IN_FLIGHT // max(1, count * itemsize * loads * rows)
    found = Shape(32 * each * warps, warps, stages=min(32 // rows, max(3, 1 << stages.bit_length())))
    block, deep = how["block"] or found.block, how["stages"] or found.stages
    return Shape(block, how["warps"] or found.warps, stages=deep)


def sizes(x: Tensor, shape: Shape) -> dict[str, Any]:
    """Kernel arguments that every kernel over x [T, M] takes."""
    steps, count = x.shape
    return {"T": steps, "M": count, "COMPUTE": COMPUTE[x.dtype], "BLOCK": shape.block, "STAGES": shape.stages}


def cdiv(total: int, each: int) -> int:
    """How many of `each` cover `total`; triton's own is made for kernels and takes the host 2 µs."""
    return -(-total // each)


def steps_of(x: Tensor, shape: Shape) -> int:
    """Time steps that one program handles of x [T, M]: the chunk rounded up to a multiple of 4, or T."""
    return min(-(-shape.chunk // 4) * 4, x.shape[0]) if shape.chunk > 0 else x.shape[0]


def steps_per_chunk(x: Tensor, asked: int | None) -> int:
    """Time steps per chunk of a scan over x [T, M], a multiple of 4; T itself means one sequential pass.

    `asked` decides if given (0: sequential). Otherwise long sequences of few series are cut so that about 32,768
    chunks run at once, none shorter than 64 steps. Reasoned for an H200, not tuned on one.
    """
    steps, count = x.shape
    if asked is not None:
        return min(-(-asked // 4) * 4, steps) if asked > 0 else steps
    chunks = min(steps // 64, (1 << 15) // count)
    return steps if chunks < 4 else -(-steps // (4 * chunks)) * 4
