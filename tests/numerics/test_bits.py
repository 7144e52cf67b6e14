"""Spikes as bits: the layout, bit by bit, and a tensor that holds them and is read as any other."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spikebench.numerics.bits import Packed, pack, unpack
from spikebench.verify.form import misformed

SIZES = [(1, 1, 1), (31, 1, 3), (32, 2, 5), (33, 1, 131), (70, 3, 7)]


def spikes(size: tuple[int, ...], rate: float = 0.4) -> Tensor:
    return (torch.rand(size, generator=torch.Generator().manual_seed(7)) < rate).float()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rate", [0.4, 1.0])
def test_packing_and_back_at_odd_sizes(size: tuple[int, ...], rate: float) -> None:
    s = spikes(size, rate)
    words = pack(s)
    assert words.dtype == torch.int32 and words.shape == (-(-size[0] // 32), *size[1:])
    assert torch.equal(unpack(words, size[0]), s)


def test_the_layout_is_the_documented_one() -> None:
    s = spikes((70, 2, 3))
    words = pack(s).tolist()
    for t in range(96):
        for b in range(2):
            for n in range(3):
                bit = (words[t // 32][b][n] >> (t % 32)) & 1  # Python's shift of a negative number keeps its bits
                assert bit == (s[t, b, n] if t < 70 else 0)


class Sent(torch.autograd.Function):
    """x > 0 as bits, with the gradient 2."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, product: Any = None) -> Tensor:
        return Packed(pack(x > 0), len(x), x.dtype, product)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return 2 * grad, None


def sent(x: Tensor, product: Any = None) -> Tensor:
    return Sent.apply(x, product)  # pyright: ignore[reportReturnType]  # untyped in torch


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_it_is_read_and_learnt_from_as_any_tensor(dtype: torch.dtype) -> None:
    x = torch.randn(37, 2, 3, dtype=dtype, requires_grad=True)
    s, layer = sent(x), nn.Linear(3, 4, dtype=dtype)
    assert type(s) is Packed and (s.shape, s.dtype, s.requires_grad) == (x.shape, dtype, True)
    dense = (x > 0).to(dtype)
    assert torch.equal(s, dense) and torch.equal(s.detach().clone(), dense) and type(s.detach()) is Packed
    assert torch.equal(s.flatten(1)[:, torch.tensor([1, 4])], dense.flatten(1)[:, [1, 4]])
    assert torch.equal(layer(s), layer(dense)) and float(s.detach().double().sum()) == float((x > 0).sum())
    g = torch.randn_like(dense)
    for read in (lambda s: s, lambda s: s.flatten(1).view(s.shape), lambda s: s * 1):
        (by_x,) = torch.autograd.grad(read(sent(x)), x, g)
        assert torch.equal(by_x, 2 * g)


def test_a_linear_layer_hands_it_to_its_product() -> None:
    asked: list[Any] = []

    def product(spikes: Packed, weight: Tensor, bias: Tensor | None) -> Tensor:
        asked.append((type(spikes), weight is layer.weight, bias is layer.bias))
        return spikes.dense() @ weight.t()

    layer, x = nn.Linear(3, 4), torch.randn(5, 1, 3)
    layer(sent(x, product))
    assert asked == [(Packed, True, True)]
    packed = Packed(pack(x > 0), 5, x.dtype, product)
    assert torch.equal(nn.functional.linear(input=packed, weight=layer.weight), packed.dense() @ layer.weight.t())


def test_words_pass_only_where_they_are_asked_for_and_lie_in_memory() -> None:
    x = torch.randn(40, 2, 3)
    packed = Packed(pack(x > 0), 40, x.dtype)
    assert misformed(packed, x, sent="bits") is None
    assert "values may be computed" in str(misformed(packed, x))
    assert "numbers and not as bits" in str(misformed((x > 0).float(), x, sent="bits"))
    assert "still held" in str(misformed(packed, x, held=packed.detach(), sent="bits"))
    assert "words of torch.int32 [1, 2, 3]" in str(misformed(Packed(packed.words[:1], 40, x.dtype), x, sent="bits"))
    assert "torch.float64" in str(misformed(Packed(packed.words, 40, torch.float64), x, sent="bits"))

    class Lazy(Tensor):
        pass

    packed.words = packed.words.as_subclass(Lazy)
    assert "words that are a Lazy" in str(misformed(packed, x, sent="bits"))
    as_bytes = (x > 0).to(torch.uint8)
    assert misformed(as_bytes, x, sent="uint8") is None and "torch.uint8" in str(misformed(as_bytes, x))
