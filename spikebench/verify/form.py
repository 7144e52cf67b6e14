"""What a tensor must be before any of its values is read: a plain one, like the input, in memory of its own."""

import torch
from torch import Tensor, strided

from spikebench.numerics.bits import Packed, words_of


def misformed(
    out: object,
    like: Tensor | None = None,
    held: Tensor | None = None,
    cast: str | None = None,
    sent: object = "same",
) -> str | None:
    """What is wrong with what a launch gave, or None.

    A tensor of a subclass may compute its values when it is read. Spikes have dtype, device and shape of the input `like`,
    and the memory of neither the input nor an output that is still `held`; their dtype may be the one that torch.autocast
    was asked to `cast` to. Where the subject's option `spikes`, here `sent`, asks for it, they are bytes, or words of bits
    that lie in memory and are read by `numerics/bits.py`.
    """
    if wrong := _of_another_kind(out, sent):
        return wrong
    assert isinstance(out, Tensor)
    return None if like is None else _unlike(out, like, held, cast, sent)


def _of_another_kind(out: object, sent: object) -> str | None:
    """Why something is no tensor whose values lie in memory, or None."""
    if type(out) is Packed and sent == "bits":
        return _miswritten(out)
    if type(out) is not Tensor:
        return f"gives a {type(out).__name__} and not a torch.Tensor: its values may be computed when they are read"
    return None if out.layout is strided else f"gives a tensor whose layout is {out.layout}"


def _unlike(out: Tensor, like: Tensor, held: Tensor | None, cast: str | None, sent: object) -> str | None:
    """Why a tensor cannot be the spikes that an input gives, or None."""
    if out.shape != like.shape:
        return f"gives spikes {list(out.shape)} for input {list(like.shape)}"
    expected = ("torch.uint8",) if sent == "uint8" else (str(like.dtype), f"torch.{cast}")
    if out.device != like.device or str(out.dtype) not in expected:
        return f"gives {out.dtype} on {out.device} for an input of {like.dtype} on {like.device}"
    if sent == "bits" and type(out) is not Packed:
        return "gives its spikes as numbers and not as bits"
    memory = memory_of(out)
    if memory == memory_of(like):
        return "gives its input's memory as output"
    if held is not None and memory == memory_of(held):
        return "gives the memory of an output that is still held"
    return None


def memory_of(tensor: Tensor) -> int:
    """Where the values of a tensor lie."""
    return (tensor.words if type(tensor) is Packed else tensor).untyped_storage().data_ptr()


def _miswritten(spikes: Packed) -> str | None:
    """What is wrong with the words of packed spikes, or None."""
    words: object = spikes.words
    if type(words) is not Tensor:
        return f"gives words that are a {type(words).__name__}: they may be computed when they are read"
    shape = (words_of(len(spikes)), *spikes.shape[1:])
    if words.layout is not strided or words.dtype != torch.int32 or words.shape != shape:
        return f"gives words of {words.dtype} {list(words.shape)} for spikes {list(spikes.shape)}"
    if words.device != spikes.device:
        return f"gives words on {words.device} for spikes on {spikes.device}"
    return None
