"""What a tensor must be before any of its values is read: a plain one, like the input, in memory of its own."""

from torch import Tensor, strided


def misformed(
    out: object, like: Tensor | None = None, held: Tensor | None = None, cast: str | None = None
) -> str | None:
    """What is wrong with what a launch gave, or None.

    A tensor of a subclass may compute its values when it is read. Spikes have dtype, device and shape of the input `like`,
    and the memory of neither the input nor an output that is still `held`; their dtype may be the one that torch.autocast
    was asked to `cast` to.
    """
    if type(out) is not Tensor:
        return f"gives a {type(out).__name__} and not a torch.Tensor: its values may be computed when they are read"
    if out.layout is not strided:
        return f"gives a tensor whose layout is {out.layout}"
    if like is None:
        return None
    if out.shape != like.shape:
        return f"gives spikes {list(out.shape)} for input {list(like.shape)}"
    if out.device != like.device or (out.dtype != like.dtype and str(out.dtype) != f"torch.{cast}"):
        return f"gives {out.dtype} on {out.device} for an input of {like.dtype} on {like.device}"
    memory = out.untyped_storage().data_ptr()
    if memory == like.untyped_storage().data_ptr():
        return "gives its input's memory as output"
    if held is not None and memory == held.untyped_storage().data_ptr():
        return "gives the memory of an output that is still held"
    return None
