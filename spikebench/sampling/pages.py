"""Memory for what is kept while launches are timed, in pages of its own.

malloc would give it a piece of what a launch has freed. The next launch would then not fit there, and would take fresh pages
every time, which cost more than many kernels. Even the few bytes of a tensor's own record are enough for that.
"""

import ctypes
import math
import mmap
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, cast

import torch
from torch import Tensor, strided

from spikebench.numerics.bits import Packed
from spikebench.verify.evidence import Kept

PART = 2**24  # bytes that are taken at once
_BETWEEN = mmap.mmap(-1, PART, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # forked processes do not share it
_ADDRESS = torch.frombuffer(_BETWEEN, dtype=torch.uint8).data_ptr()
_TENSOR = torch._C.TensorBase
_NUMEL, _ELEMENT_SIZE, _DATA_PTR = _TENSOR.numel, _TENSOR.element_size, _TENSOR.data_ptr
_IS_CONTIGUOUS, _LAYOUT, _IS_CPU = _TENSOR.is_contiguous, *(vars(_TENSOR)[n].__get__ for n in ("layout", "is_cpu"))
_POINTER = ctypes.c_void_p
_MEMMOVE = ctypes.cast(ctypes.memmove, _POINTER).value
# what PYFUNCTYPE makes holds the interpreter's lock while it runs
_MOVE = ctypes.PYFUNCTYPE(_POINTER, _POINTER, _POINTER, ctypes.c_size_t)(_MEMMOVE or 0)


@dataclass(frozen=True)
class Slot:
    """Where a tensor lies."""

    part: int
    start: int
    shape: tuple[int, ...]
    dtype: torch.dtype


class Pages:
    """Copies of tensors of the CPU; those of a GPU stay what they are, since its allocator has blocks of its own."""

    def __init__(self) -> None:
        self._parts, self._used = [_part(PART)], 0

    def put(self, tensor: Tensor) -> "Slot | Tensor":
        """Keep a copy, which `get` gives."""
        if tensor.device.type != "cpu":
            return tensor.detach().clone()
        size = -(-tensor.numel() * tensor.element_size() // 64) * 64
        if self._used + size > len(self._parts[-1]):
            self._parts.append(_part(max(PART, size)))
            self._used = 0
        slot = Slot(len(self._parts) - 1, self._used, tuple(tensor.shape), tensor.dtype)
        self._used += size
        self._at(slot).copy_(tensor.detach())
        return slot

    def get(self, slot: "Slot | Tensor") -> Tensor:
        """The copy, in memory of its own, as `torch.save` wants it."""
        return slot if isinstance(slot, Tensor) else self._at(slot).clone()

    def _at(self, slot: Slot) -> Tensor:
        end = slot.start + math.prod(slot.shape) * slot.dtype.itemsize
        return self._parts[slot.part][slot.start : end].view(slot.dtype).view(slot.shape)

    def put_kept(self, kept: Kept) -> tuple[object, ...]:
        """Keep what was copied of a launch, field by field."""
        return tuple(self._of(getattr(kept, f.name)) for f in fields(Kept))

    def get_kept(self, values: tuple[object, ...]) -> Kept:
        """What was copied of a launch."""
        made: list[Any] = [self._back(v) for v in values]
        return Kept(**{f.name: v for f, v in zip(fields(Kept), made, strict=True)})

    def _of(self, value: object) -> object:
        if isinstance(value, list):
            return tuple(self._of(v) for v in value)
        return self.put(value) if isinstance(value, Tensor) else value

    def _back(self, value: object) -> object:
        if isinstance(value, tuple):
            return [self._back(v) for v in value]
        return self.get(value) if isinstance(value, Slot) else value


def numel(value: object) -> int:
    """How many values a tensor has, plain or of packed spikes; 0 of anything else, which no launch may give."""
    return _NUMEL(cast(Tensor, value)) if type(value) in (Tensor, Packed) else 0


def raw(value: object) -> bytes | None:
    """A copy of a plain contiguous tensor of the CPU, as bytes; None of anything else, and of what is larger than PART.

    Nothing in it can be hooked from Python. Its functions are those of C, which were named before a subject was loaded, none
    of them is audited, and no other thread of Python runs meanwhile, as one may in an operation of torch.
    """
    if type(value) is not Tensor or _LAYOUT(value) is not strided or not _IS_CPU(value) or not _IS_CONTIGUOUS(value):
        return None
    size = _NUMEL(value) * _ELEMENT_SIZE(value)
    if size > PART:
        return None
    _MOVE(_ADDRESS, _DATA_PTR(value), size)
    return _BETWEEN[:size]


def copied(tensor: Tensor, taken: bytes | None) -> Callable[[], Tensor]:
    """A copy as a call that gives it: of the bytes that `raw` has taken, or one that is made now where it took none."""
    if taken is None:
        made = tensor.detach().clone()
        return lambda: made
    dtype, shape = tensor.dtype, tensor.shape
    return lambda: torch.frombuffer(bytearray(taken), dtype=dtype).view(shape)


def _part(size: int) -> Tensor:
    return torch.frombuffer(mmap.mmap(-1, size), dtype=torch.uint8)
