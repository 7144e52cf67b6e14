"""Whether the neuron is the bottleneck: the metric, its table, its figure, and the claims that rest on it."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch

from spikebench import claim
from spikebench.analysis.assessment import assess
from spikebench.analysis.bottleneck import share_rows
from spikebench.cases import sweeps
from spikebench.cases.case import Case
from spikebench.claim import Statement
from spikebench.metric import Plan, Running, measure
from spikebench.plots import figures
from spikebench.plots._chart import Chart
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.workloads import layer, network
from spikebench.workloads.layer import Workload

SIZES: dict[str, Any] = {"T": 40, "B": 3, "N": 8}


def behind(subject: str = "lif@eager", name: str = "projection", **more: Any) -> Case:
    workload = "projection" if name.startswith("projection") else "network"
    return Case(subject, network=name, workload=workload, **(SIZES | more))


class Counting:
    """A clock by which every launch takes 1 s for each neuron's layer that it ran, and 1 s more."""

    name, resolution, grouped = "counting", 1e-9, False
    _time = 0.0

    def __init__(self, work: Workload) -> None:
        self.ran = 0
        for neuron in cast(Any, work.module).neurons:
            neuron.register_forward_hook(self._count)

    def _count(self, *_: object) -> None:
        self.ran += 1

    def measure(self, call: Callable[[], object]) -> float:
        before = self.ran
        call()
        self._time += 1 + self.ran - before
        return 1.0 + self.ran - before

    def now(self) -> float:
        return self._time


@pytest.mark.parametrize(
    ("name", "layers"), [("projection", 1), ("projection[layers=3]", 3), ("shd[layers=2,width=8]", 2)]
)
def test_share_is_what_is_gone_when_the_neurons_are(name: str, layers: int) -> None:
    work = network.build(behind(name=name))
    running = Running(work, cast(Any, Counting(work)), Plan(fewest=4, warmup_least=0, warmup_seconds=3))
    found = measure("neuron_share", running)
    assert found.unit == "1" and found.samples == pytest.approx([layers / (1 + layers)] * 4)
    assert found.detail["without"] == [1.0] * 4 and found.detail["whole"] == [1.0 + layers] * 4
    assert found.detail["over_linear"] == pytest.approx(layers)
    written = json.loads(json.dumps(Record("r", "c", work.case.to_json(), measurements=[found]).to_json()))
    assert Record.from_json(written).measurements == [found]


def test_a_neuron_alone_has_no_share() -> None:
    work = layer.build(Case("lif@eager", T=40, B=3, N=8), 0.5)
    found = measure("neuron_share", Running(work, cast(Any, None), Plan()))
    assert found.status == "unavailable" and "take workload projection" in str(found.reason)


@pytest.mark.parametrize("mode", ["inference", "forward", "train"])
def test_without_neurons_the_linear_alone_is_computed(mode: str) -> None:
    work = network.build(behind(mode=mode))
    before = [p.detach().clone() for p in work.module.parameters()]
    launches = network.without_neurons(work)
    linear = cast(Any, work.module).linears[0]
    out, gradients = launches.whole()
    assert out.equal(torch.nn.functional.linear(work.x, linear.weight, linear.bias))
    if mode == "train":
        want = torch.autograd.grad(linear(work.x), list(linear.parameters()), work.g)
        assert all(torch.equal(cast(torch.Tensor, a), b) for a, b in zip(gradients[1:], want, strict=True))
    launches.launch()
    assert all(map(torch.equal, before, work.module.parameters())), "it has weights of its own"
    assert all(p.grad is None for p in work.module.parameters())


def test_a_readout_follows_the_backend_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    work = network.build(behind("lif@indexed", "shd_spsn[width=8]"))
    monkeypatch.setattr(network, "_launches", lambda _, module, *__: module)
    without = cast(Any, network.without_neurons(work))
    assert without.form == cast(Any, work.module).form == "indexed"
    assert all(type(neuron) is torch.nn.Identity for neuron in without.neurons)


def recorded(shares: dict[int, list[float]], subject: str = "lif@eager") -> list[Record]:
    """Records of one case per width, one process for every share."""
    records: list[Record] = []
    for n, each in shares.items():
        case = Case(subject, T=100, B=16, N=n, workload="projection")
        for repeat, share in enumerate(each):
            found = [Measurement("latency", "s", samples=[1e-3]), Measurement("neuron_share", "1", samples=[share] * 3)]
            environment: Any = {"machine": "m", "time": 1.79e9}
            records.append(
                Record("r", case.case_id, case.to_json(), repeat=repeat, measurements=found, environment=environment)
            )
    return records


RECORDS = recorded({64: [0.9, 0.92, 0.94], 1024: [0.3, 0.6, 0.55], 4096: [0.1, 0.12, 0.11]})


def test_table_says_whether_it_is_the_bottleneck() -> None:
    rows = share_rows(RECORDS)
    assert [r.bottleneck for r in rows] == ["yes", "undecided", "no"]
    assert rows[0].cells["neurons' share"] == "92% [87%, 97%], n=3"
    assert rows[0].cells["at most"] == "12.5x" and "origin" not in rows[0].cells
    assert share_rows([r for r in RECORDS if r.case["T"] == 7]) == []


def test_figure_has_a_panel_for_each_mode_and_length() -> None:
    [drawing] = figures("bottleneck", store.frame(RECORDS + recorded({64: [0.4]}, "lif@cpu")))
    assert isinstance(drawing.what, Chart) and drawing.name == "bottleneck-projection-B16-cpu"
    [panel] = drawing.what.panels
    assert panel.title == "train, T = 100" and panel.rule == (0.5, "half of the time")
    lines = {s.subject: [(p.x, pytest.approx(p.y)) for p in s.points] for s in panel.series}
    assert lines["lif@eager"] == [(64, 0.92), (1024, 0.29 / 0.6), (4096, 0.11)] and lines["lif@cpu"] == [(64, 0.4)]


def test_sweep_is_read_by_it() -> None:
    cases = sweeps.sweep("bottleneck")
    assert {c.workload for c in cases} == {"projection"} and {c.mode for c in cases} == {"train", "forward"}
    assert {(c.T, c.N) for c in cases} >= {(100, 64), (100, 4096), (1000, 1024)}
    assert "neuron_share" in sweeps.metrics("bottleneck")


@pytest.mark.parametrize(("worst", "verdict"), [(1.05, "reproduced"), (1.07, "inconclusive")])
def test_the_claim_holds_where_it_does_at_every_size(worst: float, verdict: str) -> None:
    asked = claim.load("spyx_bottleneck")
    [statement] = asked.scaled
    assert isinstance(statement, Statement)
    ratios = [0.4] * (len(statement.measured) - 1) + [worst]
    records = [
        Record(
            "r",
            c.case_id,
            c.to_json(),
            measurements=[Measurement("neuron_share", "1", samples=[r / (1 + r)], detail={"over_linear": r})],
        )
        for c, r in zip(statement.measured, ratios, strict=True)
    ]
    assert assess("spyx_bottleneck", asked, records).verdict == verdict
