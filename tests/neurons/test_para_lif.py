"""What ParaLIF learns, its two passes, and values per neuron: against products with matrices written out here."""

from typing import Any

import pytest
import torch
from torch import Tensor

from spikebench.backends.fft import para_lif as by_fft
from spikebench.backends.scan import para_lif as by_scan
from spikebench.cases.case import Case
from spikebench.neurons.para_lif import ParaLIF
from spikebench.verify.gate import gate

T, B, N = 40, 3, 4
RUNS: list[Any] = [lambda neuron, x: neuron(x), by_fft.run, by_scan.run]


def given(**options: Any) -> tuple[ParaLIF, Tensor, Tensor]:
    torch.manual_seed(2)
    neuron = ParaLIF(N, **options).double()
    with torch.no_grad():
        for p in neuron.parameters():
            p += 0.1 * torch.randn_like(p)
    x, g = torch.randn(2, T, B, N, dtype=torch.float64)
    return neuron, (3 * x).requires_grad_(), g


def dense(syn: Tensor, mem: Tensor, x: Tensor) -> Tensor:
    """Both filters of every neuron as one [T, T] matrix each."""
    lag = torch.arange(T, dtype=torch.float64)
    lag = lag[:, None] - lag
    filters = [torch.where(lag >= 0, d[:, None, None] ** lag.clamp_min(0), 0.0) for d in (syn, mem)]
    return torch.einsum("nij,njk,kbn->ibn", (1 - mem)[:, None, None] * filters[1], filters[0], x)


class Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        return (z > 0).double()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] # as torch has it
        (z,) = ctx.saved_tensors
        return grad / (1 + (torch.pi * z) ** 2)  # atan, slope 2


@pytest.mark.parametrize("run", RUNS, ids=["eager", "fft", "scan"])
@pytest.mark.parametrize("mode", ["t", "trd"])
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("heterogeneous", [False, True])
def test_everything_that_learns(run: Any, mode: Any, recurrent: bool, heterogeneous: bool) -> None:
    options = {"learn_tau": True, "learn_threshold": True, "surrogate": "atan", "slope": 2.0, "threshold": 0.3}
    options |= {"mem_decay": 0.6, "syn_decay": 0.4}
    neuron, x, g = given(mode=mode, recurrent=recurrent, heterogeneous=heterogeneous, **options)
    syn, mem = (torch.sigmoid(p).expand(N) for p in (neuron.syn_logit, neuron.mem_logit))
    level = torch.relu(torch.as_tensor(neuron.threshold))

    def fired(v: Tensor) -> Tensor:
        if mode == "trd":
            v = torch.relu(torch.tanh(v))
            v = v - torch.nn.functional.pad(v, (0, 0, 0, 0, 1, 0))[:-1]
        return Step.apply(v - level)  # pyright: ignore[reportReturnType] # untyped in torch

    v = dense(syn, mem, x)
    if recurrent:
        hidden = fired(torch.nn.functional.pad(v, (0, 0, 0, 0, 1, 0))[:-1])
        v = v + dense(syn, mem, x + hidden @ neuron.coupling.weight.t() + neuron.coupling.bias)
    want, s = fired(v), run(neuron, x)
    assert torch.equal(s, want) and 0.02 < float(s.detach().mean()) < 0.98
    learned = [x, *neuron.parameters()]
    assert len(learned) == 4 + 2 * recurrent
    for a, b in zip(*(torch.autograd.grad(y, learned, g) for y in (s, want)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10 * float(b.abs().max()))


def test_decays_start_where_they_are_given_and_the_threshold_stays_positive() -> None:
    neuron = ParaLIF(learn_tau=True, learn_threshold=True, mem_decay=0.9, syn_decay=0.0)
    syn, mem = neuron.decays()
    assert float(torch.as_tensor(mem).detach()) == pytest.approx(0.9, rel=1e-6) and syn == 0.0
    assert [k for k, _ in neuron.named_parameters()] == ["mem_logit", "threshold"]
    with torch.no_grad():
        torch.nn.init.constant_(neuron.get_parameter("threshold"), -3.0)
    assert float(torch.as_tensor(neuron.level()).detach()) == 0.0
    with pytest.raises(ValueError, match="between 0 and 1"):
        ParaLIF(learn_tau=True, mem_decay=1.0)


def test_values_per_neuron_need_not_learn() -> None:
    neuron, x, _ = given(heterogeneous=True, threshold=0.3)
    assert not list(neuron.parameters()) and set(neuron.per_neuron) == {"mem_decay", "syn_decay", "threshold"}
    neuron.mem_decay = torch.tensor([0.1, 0.5, 0.9, 0.95], dtype=torch.float64)
    neuron.syn_decay = torch.tensor([0.9, 0.5, 0.2, 0.95], dtype=torch.float64)
    v = dense(neuron.syn_decay, neuron.mem_decay, x)
    for run in RUNS:
        assert torch.equal(run(neuron, x), (v > 0.3).double())


@pytest.mark.parametrize("backend", ["fft", "scan"])
@pytest.mark.parametrize("options", ["learn_tau=true,learn_threshold=true,heterogeneous=true", "recurrent=true"])
def test_the_gate_passes_what_learns(backend: str, options: str) -> None:
    result = gate(Case(f"para_lif[{options},surrogate=atan,slope=2.0]@{backend}", T=60, B=4, N=16))
    assert result.status == "passed", result.reason
