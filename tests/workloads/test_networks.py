"""Workloads network and projection: how a case names one, what its step does, and that it goes the whole road."""

from pathlib import Path
from typing import cast

import pytest
import torch
from torch import nn

from spikebench import registry
from spikebench.cases.case import Case, NetworkStep, expect
from spikebench.cases.named import ALONE, parse_network
from spikebench.errors import Problem
from spikebench.network import Classifier, Layers, OutputLayer, load
from spikebench.neurons.lif import LIF
from spikebench.run.protocol import Outcome
from spikebench.run.runner import run
from spikebench.run.session import Session
from spikebench.run.settings import Settings
from spikebench.workloads.layer import build as build_layer
from spikebench.workloads.network import build, layer_rates

SMALL = {"T": 40, "B": 3}


def network(subject: str = "lif@eager", name: str = "shd[width=16]", **fields: object) -> Case:
    workload = next((w for w in ALONE if name.startswith(w)), "network")
    return Case(subject, network=name, workload=workload, **(SMALL | fields))  # pyright: ignore[reportArgumentType]  # checked at run time


def test_ids_of_cases_that_were_recorded_stay() -> None:
    assert Case("lif@eager", T=128, B=4, N=128).case_id == "3439281b080b"
    trained = Case("lif@eager", 0, 0, 0, workload="training", task="japanese_vowels", seed=0)
    assert trained.case_id == "5f16a0d6b4ac"


def test_a_case_names_its_network_and_has_its_width() -> None:
    case = expect(network(name="shd[layers=3, width=16]"), NetworkStep)
    assert (case.network, case.N) == ("shd[width=16]", 16), "what is as published is left out"
    assert network(name="shd").N == 128 and network(name="onm", N=24).N == 24
    assert expect(Case("lif@eager", workload="projection", N=24), NetworkStep).network == "projection"
    assert Case.from_json(case.to_json()) == case
    assert case.gated == Case("lif@eager", T=40, B=3, N=16)
    assert case.case_id != case.gated.case_id


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"workload": "network"}, "which network[?] there are events, hsd, image"),
        ({"workload": "network", "network": "shdd"}, "no network 'shdd'; .* did you mean shd[?]"),
        ({"workload": "network", "network": "shd[depth=2]"}, "no option 'depth' for network 'shd'; there are width"),
        ({"workload": "network", "network": "onm[width=2]"}, "no option 'width' for network 'onm'; there are layers"),
        ({"workload": "network", "network": "shd[width=0]"}, "width=0 is not a size"),
        ({"workload": "network", "network": "projection"}, "projection is one of its own"),
        ({"workload": "network", "network": "shd", "mode": "stream"}, "a network does not stream"),
        ({"network": "shd"}, "a layer has no network"),
    ],
)
def test_what_is_no_network_gets_one_line(fields: dict[str, str], complaint: str) -> None:
    with pytest.raises(Problem, match=complaint) as problem:
        Case("lif@eager", **fields)  # pyright: ignore[reportArgumentType]  # as above
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize("name", registry.names("networks"))
def test_every_named_network_says_where_it_is_from_and_steps(name: str) -> None:
    said = parse_network(name).published
    assert said.title and said.source and said.T >= 1 and said.B >= 1
    published = Case(said.neuron)  # parses
    smaller = {k: v for k, v in {"width": 12, "layers": 2, "blocks": 1, "side": 4}.items() if k in said.sizes}
    text = f"{name}[{','.join(f'{k}={v}' for k, v in smaller.items())}]"
    work = build(network(published.subject, text, N=12, T=24))
    out = work.launch()
    assert out.isfinite().all() and work.x.shape[: 1 if name == "events" else 2] == (
        (3,) if name == "events" else (24, 3)
    )
    assert out.shape == ((3, said.sizes["classes"]) if "classes" in said.sizes else (24, 3, 12))
    assert len(layer_rates(work)) == len(list(work.module.neurons)) in (2, 3, 4)  # pyright: ignore[reportArgumentType]  # a list of modules
    assert all(p.grad is not None for p in work.parameters)


@pytest.mark.parametrize("backend", ["indexed", "eager", "cpu"])
def test_the_output_layer_of_the_spsn_authors_is_a_neuron_more_with_the_same_logits(backend: str) -> None:
    closed, theirs = (
        build(network(f"lif@{backend}", name, dtype="float64")) for name in ("shd[width=16]", "shd_spsn[width=16]")
    )
    form = {"indexed": "indexed", "eager": "loop", "cpu": "closed"}[backend]
    assert isinstance(theirs.module, OutputLayer) and theirs.module.form == form
    assert torch.allclose(closed.launch(), theirs.launch(), rtol=1e-12, atol=1e-13)
    fourier = build(network("spsn@fft", "shd_spsn[width=16]", dtype="float64"))
    assert isinstance(fourier.module, OutputLayer) and fourier.module.form == "fft"
    assert torch.allclose(
        build(network("spsn@fft", dtype="float64")).launch(), fourier.launch(), rtol=1e-10, atol=1e-12
    )


def test_a_step_learns_nothing_but_does_the_work() -> None:
    work = build(network())
    before = [p.detach().clone() for p in work.parameters]
    outs = [work.launch() for _ in range(3)]
    assert all(a.equal(b) for a, b in zip(before, work.parameters, strict=True))
    assert outs[0].equal(outs[2]), "every launch must do the same work"
    want = torch.autograd.grad(nn.functional.cross_entropy(work.module(work.x), work.g), work.parameters)
    for p, g in zip(work.parameters, want, strict=True):
        assert p.grad is not None
        torch.testing.assert_close(p.grad, g)


def test_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    monkeypatch.setattr(torch.optim.Adamax, "step", lambda self: steps.append(1))
    build(network()).launch()
    assert steps == [1]
    assert build(network(mode="forward")).launch().requires_grad
    assert not build(network(mode="inference")).launch().requires_grad
    assert steps == [1]
    with pytest.raises(ValueError, match="a network is no Layer"):
        build_layer(network())


@pytest.mark.parametrize(
    ("subject", "rate"),  # spsn fires with ½ until its memory has filled
    [("lif@eager", 0.05), ("lif@eager", 0.3), ("spsn@eager", 0.3), ("tests/workloads/test_networks.py:Own", 0.05)],
)
def test_layers_fire_at_the_cases_rate(subject: str, rate: float) -> None:
    work = build(network(subject, rate=rate, T=200, B=4))
    assert layer_rates(work) == pytest.approx([rate] * 3, rel=0.25)


class Own(nn.Module):
    """Somebody's module, without a definition."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return LIF()(x)


def test_backends_get_the_same_network() -> None:
    one, two = (build(network(s)) for s in ("lif@eager", "lif@indexed"))
    assert all(a.equal(b) for a, b in zip(one.parameters, two.parameters, strict=True)) and one.x.equal(two.x)
    torch.testing.assert_close(one.launch(), two.launch())


def test_the_largest_over_time_is_a_readout() -> None:
    torch.manual_seed(0)
    net = Classifier(4, [6], 3, lambda n: LIF(), batch_norm=False, readout="max")
    x = 3 * torch.randn(9, 2, 4)
    mask = torch.arange(9)[:, None] < torch.tensor([9, 5])
    scores = net.readout(net.neurons[0](net.linears[0](x)))
    torch.testing.assert_close(net(x), scores.amax(0))
    torch.testing.assert_close(net(x, mask)[1], scores[:5, 1].amax(0))


def test_inputs_have_the_statistics_that_they_claim() -> None:
    generator = torch.Generator().manual_seed(0)
    shd = load("shd").data(100, 8, 70, generator)
    assert float(shd.mean()) == pytest.approx(0.016, rel=0.1) and shd.shape == (100, 8, 70)
    ink = load("psmnist").data(784, 64, 1, generator)
    assert float(ink.mean()) == pytest.approx(0, abs=0.03) and 0.85 < float(ink.std()) < 1
    assert load("listops").data(50, 4, 15, generator).sum(-1).eq(1).all()


@pytest.mark.long
def test_a_network_goes_the_whole_road(tmp_path: Path) -> None:
    settings = Settings(metrics=("latency", "spike_rate", "agreement"), samples=2, timeout=60)
    case = network("lif@eager", "projection[layers=2]", N=8)
    (record,) = run([case], settings, tmp_path / "a.jsonl")
    assert record.status == "ok" and {*record.flags} <= {
        "bimodal",
        "contended",
        "stolen",
    }  # of the machine, not of the case
    assert record.gate is not None and record.gate.status == "passed"
    assert record.gate.layer == case.gated.case_id, "the record says what was gated in the network's place"
    rate, agreement = record.measurement("spike_rate"), record.measurement("agreement")
    assert rate is not None and len(cast(list[float], rate.detail["layers"])) == 2
    assert agreement is not None and agreement.status == "unavailable"


def test_a_neuron_with_a_red_gate_gets_no_number_in_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Case] = []
    case = network("lif@eager", "onm", N=8)
    with Session(Settings(samples=2)) as session:
        monkeypatch.setattr(session, "gate", lambda case: asked.append(case) or Outcome("wrong", "off by one step"))
        record = session.measure(case)
    assert (record.status, record.reason, record.measurements) == ("wrong", "gate: off by one step", [])
    assert set(asked) == {case.gated}


def test_layers_are_linear_and_neuron_in_turns() -> None:
    torch.manual_seed(0)
    layers = Layers(3, [4, 5], lambda n: LIF())
    x = 2 * torch.randn(7, 2, 3)
    want = LIF()(layers.linears[1](LIF()(layers.linears[0](x))))
    assert layers(x).equal(want) and layers(x).shape == (7, 2, 5)
