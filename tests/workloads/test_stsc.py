"""The network of the PSU authors against their equations in NumPy, and its step."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from spikebench.cases.case import Case
from spikebench.cases.named import parse_network
from spikebench.network import StepNorm
from spikebench.networks._stsc import FilteredClassifier
from spikebench.neurons.psu import PSU
from spikebench.workloads.network import build

Array = NDArray[np.float64]
T, B, C, WIDTH = 9, 4, 6, 8


def made() -> FilteredClassifier:
    torch.manual_seed(3)
    net = FilteredClassifier(C, [WIDTH, WIDTH], 5, lambda n: PSU(threshold=0.3)).double()
    for module in net.modules():
        if isinstance(module, StepNorm):
            for name in ("running_mean", "running_var", "weight", "bias"):
                getattr(module, name).data.uniform_(0.2, 1.2)
    return net.eval()


def by_hand(net: FilteredClassifier, x: Array) -> Array:
    """The logits, lag by lag: each output of a convolution is a sum over steps about its own."""
    p = {k: v.detach().numpy() for k, v in net.state_dict().items()}
    filtered, received = np.zeros_like(x), np.zeros_like(x)
    for t in range(len(x)):
        for lag in range(-2, 3):
            if 0 <= t + lag < len(x):
                filtered[t] += p["gate.filter.weight"][:, 0, lag + 2] * x[t + lag]
                if abs(lag) < 2:
                    received[t] += x[t + lag] @ p["gate.receive.weight"][:, :, lag + 1].T
    received += p["gate.receive.bias"]
    gate = 1 / (1 + np.exp(-np.maximum(received, 0) @ p["gate.gate.weight"].T))
    u = filtered * (1 - gate)
    for k in range(2):
        u = u @ p[f"linears.{k}.weight"].T + p[f"linears.{k}.bias"]
        u = (u - p[f"norms.{k}.running_mean"]) / np.sqrt(p[f"norms.{k}.running_var"] + 1e-5)
        u = u * p[f"norms.{k}.weight"] + p[f"norms.{k}.bias"]
        lag = np.subtract.outer(np.arange(len(x)), np.arange(len(x)))
        z = np.einsum("ti,ibn->tbn", np.where(lag >= 0, 0.5 ** (lag + 1.0), 0), u)
        fall = np.einsum("ti,ibn->tbn", np.where(lag > 0, 0.5 ** lag.clip(0), 0), 1 / (1 + np.exp(-z)))
        u = (z - 0.3 * fall >= 0.3).astype(float)
    return (u @ p["readout.weight"].T + p["readout.bias"]).mean(0)


def test_the_network_is_what_its_equations_say() -> None:
    net, x = made(), torch.randn(T, B, C, dtype=torch.float64)
    np.testing.assert_allclose(net(x).detach().numpy(), by_hand(net, x.numpy()), rtol=1e-9)
    assert all(0.02 < rate < 0.98 for rate in net.spike_rates), "spikes that never change would test nothing"


def test_padding_behind_changes_nothing() -> None:
    net, x = made(), torch.randn(T, B, C, dtype=torch.float64)
    padded = torch.cat([x, torch.full((4, B, C), 7.0, dtype=torch.float64)])
    mask = (torch.arange(T + 4)[:, None] < T).expand(-1, B)
    torch.testing.assert_close(net(padded, mask), net(x))


def test_the_published_sizes_and_a_step() -> None:
    said = parse_network("psu_shd").published
    assert (said.T, said.B, said.loss, said.optimizer) == (15, 256, "mse", "adamw")
    assert said.sizes == {"channels": 700, "width": 1024, "layers": 2, "classes": 20}
    work = build(Case("psu@eager", T=15, B=3, workload="network", network="psu_shd[width=8,channels=6]"))
    dropped = [m for m in work.module.modules() if isinstance(m, nn.Dropout)]
    assert [m.p for m in dropped] == [0.4] and work.module.training
    torch.manual_seed(0)
    logits = work.launch()
    want = nn.functional.mse_loss(logits, nn.functional.one_hot(work.g, 20).float())
    torch.manual_seed(0)
    got = nn.functional.mse_loss(work.module(work.x), torch.eye(20)[work.g])
    assert float(got.detach()) == pytest.approx(float(want))
    for p, g in zip(work.parameters, torch.autograd.grad(got, work.parameters), strict=True):
        assert p.grad is not None
        torch.testing.assert_close(p.grad, g)
