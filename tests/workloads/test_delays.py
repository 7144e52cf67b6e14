"""Delays of synapses against sums over steps and delays in NumPy, and mistakes that must be told."""

from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from spikebench.cases.case import Case, NetworkStep, expect
from spikebench.cases.named import parse_network
from spikebench.errors import Problem
from spikebench.networks import _delays
from spikebench.networks._delays import DelayedLinear
from spikebench.verify import network_gate
from spikebench.workloads.network import build, layer_rates
from tests.spoiled import spoiled

Array = NDArray[np.float64]
T, B, C, N = 9, 2, 3, 4


def by_hand(p: dict[str, Array], x: Array, longest: int, sigma: float) -> Array:
    """Each synapse by itself: what arrived d steps ago, by how near d is to the synapse's delay."""
    out = np.broadcast_to(p["bias"], (*x.shape[:2], N)).copy()
    for o in range(N):
        for i in range(C):
            delay = longest - 1 - longest // 2 - np.clip(p["position"][o, i], -(longest // 2), longest // 2)
            near = [np.exp(-(((d - delay) / (sigma + 0.27)) ** 2) / 2) for d in range(longest)]
            for t in range(len(x)):
                for d in range(min(longest, t + 1)):
                    out[t, :, o] += p["weight"][o, i] * near[d] / (sum(near) + 1e-7) * x[t - d, :, i]
    return out


def off(module: ModuleType, longest: int, sigma: float = 0.4) -> float:
    """How far the currents are from that, and the gradient along one direction from a central difference."""
    torch.manual_seed(longest)
    layer = module.DelayedLinear(C, N, longest, sigma).double()
    x = torch.randn(T, B, C, dtype=torch.float64)
    values = {k: v.detach().numpy() for k, v in layer.state_dict().items()}
    out = layer(x)
    wrong = float(np.abs(out.detach().numpy() - by_hand(values, x.numpy(), longest, sigma)).max())
    random = np.random.default_rng(1)
    weights = random.normal(size=out.shape)
    out.backward(torch.from_numpy(weights))
    along = {k: random.normal(size=v.shape) for k, v in values.items()}
    ends = [by_hand({k: v + h * along[k] for k, v in values.items()}, x.numpy(), longest, sigma) for h in (1e-6, -1e-6)]
    want = float(((ends[0] - ends[1]) * weights).sum() / 2e-6)
    found = sum(
        float((p.grad * torch.from_numpy(along[k])).sum()) for k, p in layer.named_parameters() if p.grad is not None
    )
    return max(wrong, abs(found - want))


@pytest.mark.parametrize("longest", [1, 4, 5, 12])
def test_currents_are_what_the_equation_says(longest: int) -> None:
    assert off(_delays, longest) < 1e-7


def test_a_delay_is_a_number_of_steps() -> None:
    layer = DelayedLinear(1, 1, 5, 0.23)
    with torch.no_grad():
        layer.position.fill_(-1.0)  # a delay of 3
        layer.weight.fill_(2.0)
        layer.bias.zero_()
    assert float(layer.kernel().detach().sum()) == pytest.approx(2.0, rel=1e-5)
    x = torch.zeros(8, 1, 1)
    x[2] = 1.0
    assert int(layer(x)[:, 0, 0].argmax()) == 5, "what arrived at step 2 acts three steps later"


MUTANTS = [
    ("(self.longest - 1, 0)", "(self.longest // 2, self.longest - 1 - self.longest // 2)"),  # not causal
    ("self.longest - 1, 0))", "self.longest - 1, 0)).flip(1)"),
    ("self.sigma + 0.27", "self.sigma + 0.23"),
    ("self.position.clamp(-most, most) + most", "self.position.clamp(-most, most)"),
    ("(self.position.clamp(-most, most) + most)", "(most - self.position.clamp(-most, most))"),
    ("self.position.clamp(-most, most)", "self.position.detach().clamp(-most, most)"),
    ("self.position.clamp(-most, most)", "self.position.round().clamp(-most, most)"),
    ("/ (g.sum(-1, keepdim=True) + 1e-7)", "/ (g.sum(-1, keepdim=True).detach() + 1e-7)"),
    ("-0.5 *", "-1.0 *"),
]


@pytest.mark.parametrize(("right", "wrong"), MUTANTS)
def test_what_is_wrong_is_told(monkeypatch: pytest.MonkeyPatch, right: str, wrong: str) -> None:
    assert off(spoiled(monkeypatch, right, wrong, "spikebench.networks._delays"), 5) > 1e-6


def case_of(subject: str, text: str) -> NetworkStep:
    return expect(Case(subject, workload="projection", network=text, T=160, B=3, N=8), NetworkStep)


def test_delays_are_an_option_of_the_projection() -> None:
    assert str(parse_network("projection[delays=0]")) == "projection", "ids of recorded cases stay"
    case = case_of("lif@indexed", "projection[layers=2,delays=7]")
    assert case.network == "projection[layers=2,delays=7]" and Case.from_json(case.to_json()) == case
    found = network_gate.compare(case)
    assert found.status == "passed", found.reason
    work = build(case)
    assert layer_rates(work) == pytest.approx([0.3, 0.3], rel=0.3)
    work.launch()
    assert all(p.grad is not None and p.grad.any() for p in work.parameters)
    assert len(work.parameters) == 6 and work.parameters[2].shape == (8, 8)
    with pytest.raises(Problem, match=r"delays=-1 of network 'projection' must lie in \[0"):
        parse_network("projection[delays=-1]")
    with pytest.raises(Problem, match="sigma=1"):
        build(case_of("lif@eager", "projection[sigma=1.0]"))
