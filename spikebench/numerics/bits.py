"""Spikes as bits, 32 time steps of a series in one word: the layout, and a tensor that holds its spikes so.

    words [⌈T/32⌉, …], int32: bit t mod 32 of words[t div 32] is the spike of step t; bit 0 is the lowest
    bits of steps from T on are 0

Series lie side by side as in [T, …], so neither T nor the number of series need be a multiple of anything. An element takes
an eighth of a byte, and the words of a neuron's tile of 32 steps are written, and read by the next layer, as they stand.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

BITS = 32
Product = Callable[["Packed", Tensor, Tensor | None], Tensor]  # torch.nn.functional.linear of packed spikes
SHARED = (torch.ops.aten.detach.default, torch.ops.aten.alias.default)  # what gives the same spikes


def words_of(steps: int) -> int:
    """How many words hold so many time steps of a series."""
    return -(-steps // BITS)


def pack(spikes: Tensor) -> Tensor:
    """The words of spikes [T, …], of which whatever is not 0 is a spike."""
    words = torch.zeros(words_of(len(spikes)), *spikes.shape[1:], dtype=torch.int32, device=spikes.device)
    t = torch.arange(len(spikes), device=spikes.device)
    places = (t % BITS).to(torch.int32).view(-1, *(1,) * (spikes.dim() - 1))
    return words.index_add_(0, t // BITS, (spikes != 0).to(torch.int32).bitwise_left_shift_(places))


def unpack(words: Tensor, steps: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Spikes [steps, …] as 0 and 1 from their words."""
    fired = (words[:, None] >> _places(words.device, words.dim())) & 1
    return fired.flatten(0, 1)[:steps].to(dtype)


def _places(device: torch.device, axes: int) -> Tensor:
    return torch.arange(BITS, dtype=torch.int32, device=device).view(1, BITS, *(1,) * (axes - 1))


class Packed(Tensor):
    """Spikes [T, …] that are held as `words`. To PyTorch it is a tensor of `dtype` with a gradient of that dtype and shape.

    `torch.nn.Linear` hands it to `product`, which multiplies the bits as they are, where there is one. Whatever else is done
    with it unpacks it first, each time.
    """

    words: Tensor
    product: Product | None

    @staticmethod
    def __new__(
        cls: type["Packed"], words: Tensor, steps: int, dtype: torch.dtype, product: Product | None = None
    ) -> "Packed":
        """Spikes of `steps` time steps from their words."""
        shape = (steps, *words.shape[1:])
        made = Tensor._make_wrapper_subclass(cls, shape, dtype=dtype, device=words.device)  # pyright: ignore[reportAttributeAccessIssue]  # not in torch's stubs
        made.words, made.product = words, product
        return made

    def __init__(self, *_: Any) -> None:
        """All is done: a tensor of torch has no other `__init__`."""

    def dense(self) -> Tensor:
        """The same spikes as an ordinary tensor, without a gradient."""
        return unpack(self.words, len(self), self.dtype)

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        with torch._C.DisableTorchFunctionSubclass():
            if func is nn.functional.linear and args and type(args[0]) is Packed and args[0].product is not None:
                return _linear(*args, **given)
            return func(*args, **given)

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in SHARED:
            same = cast(Packed, args[0])
            return Packed(same.words, len(same), same.dtype, same.product)
        dense, given = tree_map_only(Packed, Packed.dense, (args, kwargs or {}))
        return func(*dense, **given)


def _linear(spikes: Packed, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    assert spikes.product is not None
    return spikes.product(spikes, weight, bias)
