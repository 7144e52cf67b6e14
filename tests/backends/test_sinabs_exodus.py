"""The LIF layer of sinabs-exodus as a backend: its CUDA kernels are played by PyTorch, so that all around them runs here."""

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from spikebench.cases.case import Case
from spikebench.cases.subject import parse_subject
from spikebench.loading.subject import definition
from spikebench.neurons.exodus import Exodus

if find_spec("sinabs") is None or find_spec("sinabs.exodus") is None:
    pytest.skip("sinabs-exodus is not installed here", allow_module_level=True)

OPTIONS = [
    "",
    "decay=0.5",
    "threshold=0.7",
    "subtract=0.5",
    "max_spikes=2",
    "max_spikes=1",
    "norm_input=true",
    "v_min=-0.5",
]
OPTIONS += ["width=0.25", "surrogate=atan"]


def forward(
    spikes: Tensor, v: Tensor, x: Tensor, v0: Tensor, alpha: Tensor, subtract: Tensor, threshold: Tensor, low: Tensor,
    cut: bool, most: int,
) -> None:  # fmt: skip
    """What their kernel writes: membranes before the reset and spikes, [N, T]."""
    after = v0
    for t in range(x.shape[1]):
        u = alpha * after + x[:, t]
        u = torch.maximum(u, low) if cut else u
        count = torch.where(u >= threshold, (u / threshold).floor(), 0.0)
        spikes[:, t] = count.clamp(max=most) if most > 0 else count
        v[:, t], after = u, u - subtract * spikes[:, t]


def backward(slopes: Tensor, grad: Tensor, kept: Tensor, alpha: Tensor, reset: Tensor) -> Tensor:
    """Their recurrence in reverse; `reset` is alpha·subtract."""
    found, carry = torch.empty_like(grad), torch.zeros_like(alpha)
    for t in range(grad.shape[1] - 1, -1, -1):
        found[:, t] = carry = kept[:, t] * (grad[:, t] + (alpha - reset * slopes[:, t]) * carry)
    return found


def made(options: str) -> Exodus:
    return cast(Exodus, definition(parse_subject(f"exodus[{options}]" if options else "exodus"), 5, 30))


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Any:
    kernels = cast(Any, ModuleType("exodus_cuda"))
    kernels.lifForward, kernels.lifBackward = forward, backward
    monkeypatch.setitem(sys.modules, "exodus_cuda", kernels)
    return importlib.import_module("spikebench.backends.sinabs_exodus.exodus")


@pytest.mark.parametrize("options", OPTIONS)
def test_it_computes_our_neuron(adapter: Any, options: str) -> None:
    torch.manual_seed(3)
    neuron = made(options)
    x = ((torch.randn(30, 3, 5) * 0.8 + 0.3) * (8 if neuron.norm_input else 1)).requires_grad_()
    g = torch.randn_like(x)
    ours, theirs = cast(Tensor, neuron(x)), adapter.run(neuron, x)
    assert torch.equal(ours, theirs) and ours.sum() > 20
    expected, found = (torch.autograd.grad(s, x, g)[0] for s in (ours, theirs))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_a_second_call_starts_from_rest(adapter: Any) -> None:
    neuron, x = made(""), torch.full((30, 2, 5), 0.4)
    assert torch.equal(adapter.run(neuron, x), adapter.run(neuron, x))


def test_it_is_refused_where_it_cannot_run(adapter: Any) -> None:
    assert "CUDA kernels alone" in str(adapter.refuses(Case("exodus@sinabs_exodus")))
    assert "dtype=float64" in str(adapter.refuses(Case("exodus@sinabs_exodus", device="cuda", dtype="float64")))
    assert adapter.refuses(Case("exodus@sinabs_exodus", device="cuda")) is None
