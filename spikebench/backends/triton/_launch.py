"""How the kernels are launched: checks, the launch itself, and recording instead of launching."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.runtime import driver

from spikebench.backend import Refused
from spikebench.backends.triton import _direct
from spikebench.backends.triton._direct import Argument, Arguments
from spikebench.backends.triton._shapes import Options as Options
from spikebench.backends.triton._shapes import Shape as Shape
from spikebench.backends.triton._shapes import fitted as fitted
from spikebench.backends.triton._shapes import size as size
from spikebench.backends.triton._shapes import sized as sized
from spikebench.numerics.bits import words_of

if TYPE_CHECKING:
    from spikebench.cases.case import Case

COMPUTE = {
    torch.float64: tl.float64,
    torch.float32: tl.float32,
    torch.bfloat16: tl.float32,
    torch.float16: tl.float32,
}

Spikes = Literal["same", "uint8", "bits"]  # as what spikes are sent: the input's dtype, bytes, or 32 steps a word


@dataclass(frozen=True)
class Launch:
    """One kernel launch: what is launched, over which grid, with how many warps, on which arguments."""

    kernel: Any
    grid: tuple[int, ...]
    warps: int
    arguments: Arguments


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


def launch(kernel: Any, grid: tuple[int, ...], warps: int, where: Tensor, **arguments: Argument) -> None:
    """Launch a kernel on the device of `where`, or record it."""
    launches = _recorded.get()
    if launches is not None:
        launches.append(Launch(kernel, grid, warps, arguments))
        return
    direct = _direct.of(kernel, warps)
    if direct is None:
        kernel[grid](**arguments, num_warps=warps)
    else:
        _go(direct, grid, where, arguments)


class Prepared:
    """A launch that is made again and again: the kernel, its grid and warps, and the arguments that stay, none a tensor."""

    def __init__(self, kernel: Any, grid: tuple[int, ...], warps: int, **fixed: Argument) -> None:
        self.kernel, self.grid, self.warps, self.fixed = kernel, grid, warps, fixed
        self._direct = _direct.Direct(kernel, warps, fixed) if isinstance(kernel, _direct.JITFunction) else None

    def __call__(self, where: Tensor, given: Arguments) -> None:
        """Launch it with the other arguments on the device of `where`, or record it."""
        if self._direct is None or _recorded.get() is not None:
            launch(self.kernel, self.grid, self.warps, where, **self.fixed, **given)
        else:
            _go(self._direct, self.grid, where, given)


def _go(direct: _direct.Direct, grid: tuple[int, ...], where: Tensor, given: Arguments) -> None:
    active, device = driver.active, where.get_device()
    if device == active.get_current_device():
        direct(active, device, grid, given)
    else:
        with torch.cuda.device(device):
            direct(active, device, grid, given)


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
    """Bytes that a case's kernels must move, from the numbers of tensors in `MOVES`; spikes may be bytes, or bits."""
    narrow, wide = tensors[case.mode]
    width = getattr(torch, case.dtype).itemsize
    sent = case.parsed.all_how.get("spikes")
    less = {"uint8": width - 1, "bits": width}.get(str(sent), 0)
    words = 4 * words_of(case.T) * case.B * case.N if sent == "bits" else 0
    return case.T * case.B * case.N * (narrow * width + wide * max(4, width) - less) + words


def learns(x: Tensor, others: Iterable[Tensor]) -> bool:
    """Whether a gradient is wanted: autograd records, and the input or one of the other tensors needs one."""
    return torch.is_grad_enabled() and (x.requires_grad or any(p.requires_grad for p in others))


def sent_as(x: Tensor, spikes: str, learns: bool) -> torch.dtype | None:
    """The dtype of spikes that may be bits, which is None then; Refused if bytes should carry a gradient."""
    return None if spikes == "bits" else dtype_of_spikes(x, spikes, learns)


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
    """x [T, ...] in one piece, which kernels read as [T, M]; raises Refused where they cannot run it."""
    check(x)
    return whole(x)


def whole(x: Tensor) -> Tensor:
    """x in one piece: the gradient of spikes, which is of their dtype and on their device."""
    return x if x.is_contiguous() else x.contiguous()


def wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype that the kernels compute in and save: float32 for half precision."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def like(x: Tensor, dtype: torch.dtype) -> Tensor:
    """An empty tensor of the shape of x; torch takes longer where it is told the dtype."""
    return torch.empty_like(x) if x.dtype == dtype else torch.empty_like(x, dtype=dtype)


def cdiv(total: int, each: int) -> int:
    """How many of `each` cover `total`; triton's own is made for kernels and takes the host 2 µs."""
    return -(-total // each)
