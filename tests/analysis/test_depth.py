"""What depth costs: the metric gradient_norms, its table, its figures and its sweeps."""

from typing import Any, cast

import pytest
import torch
from torch import nn

from spikebench.analysis.depth import blocks_of, depth_rows
from spikebench.cases import sweeps
from spikebench.cases.case import Case
from spikebench.host.clock import CpuClock
from spikebench.metric import Plan, Running, measure
from spikebench.networks._residual import ResidualNetwork
from spikebench.plots import figures
from spikebench.plots._chart import Chart
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.workloads import network

SIZES: dict[str, Any] = {"T": 6, "B": 3, "workload": "network"}


@pytest.mark.parametrize(
    "name", ["stack[width=5,blocks=2,residual=ms]", "resnet[width=2,blocks=2,side=4,stages=2]", "shd[width=6]"]
)
def test_norms_are_those_of_the_gradients_at_every_layer(name: str) -> None:
    work = network.build(Case("lif@eager", network=name, **SIZES))
    found = measure("gradient_norms", Running(work, CpuClock(), Plan()))
    currents: list[torch.Tensor] = []
    if isinstance(work.module, ResidualNetwork):
        layers = [work.module.stem]
        for block in work.module.blocks:
            layers += [block.get_submodule("first"), block.get_submodule("second")]
    else:
        layers = [*cast(nn.ModuleList, work.module.linears)]

    def keep(_: nn.Module, given: object, out: torch.Tensor) -> None:
        currents.append(out)

    for layer in layers:
        layer.register_forward_hook(keep)
    loss = nn.functional.cross_entropy(work.module(work.x), work.g)
    want = torch.autograd.grad(loss, currents, retain_graph=True)
    assert found.samples == pytest.approx([float(g.norm()) for g in want], rel=1e-5)
    weights = {n: p for n, p in work.module.named_parameters() if p.ndim > 1}
    norms = [float(g.norm()) for g in torch.autograd.grad(loss, [*weights.values()])]
    assert found.detail["weights"] == pytest.approx(dict(zip(weights, norms, strict=True)), rel=1e-5)
    assert all(len(layer._forward_hooks) == 1 for layer in layers), "hooks that stay would be timed"


@pytest.mark.parametrize(("subject", "more"), [("lif@eager", {"mode": "inference"}), ("lif@eager+bptt", {})])
def test_norms_are_unavailable_where_nothing_goes_back(subject: str, more: dict[str, Any]) -> None:
    work = network.build(Case(subject, network="shd[width=6]", **SIZES, **more))
    assert measure("gradient_norms", Running(work, CpuClock(), Plan())).status == "unavailable"


def recorded(blocks: int, repeat: int = 0, subject: str = "lif@cpu", residual: str = "sew") -> Record:
    """A step of 1 ms and 2 ms a layer, 1 MiB a layer, whose gradient halves from a layer to the one before it."""
    case = Case(subject, network=f"stack[residual={residual},blocks={blocks}]", **SIZES)
    layers = 2 * blocks
    found = [
        Measurement("latency", "s", samples=[1e-3 + 2e-3 * layers] * 3),
        Measurement("peak_memory", "B", samples=[2.0**20 * layers]),
        Measurement("gradient_norms", "1", samples=[0.5 ** (layers - k) for k in range(layers + 1)]),
    ]
    environment: Any = {"machine": "m", "time": 1.79e9}
    return Record("r", case.case_id, case.to_json(), measurements=found, environment=environment, repeat=repeat)


RECORDS = [recorded(b, k, residual=r) for r in ("sew", "ms") for b in (1, 2, 4) for k in range(2)]


def test_a_row_has_what_a_layer_adds_and_what_it_does_to_the_gradient() -> None:
    one, other = depth_rows([*RECORDS, Record("r", "x", Case("lif@cpu", network="shd", **SIZES).to_json())])
    assert (one.network, other.network) == ("stack[residual=sew]", "stack[residual=ms]")
    assert (one.shallowest, one.deepest, one.n) == (2, 8, 6)
    assert one.time is not None and one.time.slope == pytest.approx(2e-3)
    assert one.memory is not None and one.memory.slope == pytest.approx(2**20)
    assert one.gradient is not None and one.gradient.slope == pytest.approx(0.5)
    assert one.over == pytest.approx(0.5**8)
    assert one.cells["depth"] == "2…8" and str(one.cells["time a layer"]).startswith("2.00 ms [")
    assert str(one.cells["gradient a layer"]).startswith("0.500x [")


def test_one_depth_has_gradients_and_no_slope() -> None:
    [row] = depth_rows([recorded(2)])
    assert row.time is None and row.gradient is not None and row.cells["time a layer"] == "—"
    assert depth_rows([Record("r", "x", recorded(2).case)]) == []


def test_figures_have_a_panel_for_each_residual() -> None:
    drawn = {d.name.split("-")[1]: d.what for d in figures("depth", store.frame(RECORDS))}
    assert set(drawn) == {"time", "memory", "gradient"}
    for name, chart in drawn.items():
        assert isinstance(chart, Chart) and [p.title for p in chart.panels] == [
            f"stack[residual={r}]" for r in ("sew", "ms")
        ], name
        [line] = chart.panels[0].series
        if name == "time":
            assert [(p.x, pytest.approx(p.y)) for p in line.points] == [(2, 5e-3), (4, 9e-3), (8, 17e-3)]
        if name == "gradient":
            assert [p.x for p in line.points] == [*range(1, 10)] and line.points[-1].y == 1
            assert line.points[0].y == pytest.approx(0.5**8)
    assert list(figures("depth", store.frame([Record("r", "x", Case("lif@cpu").to_json())]))) == []


@pytest.mark.parametrize("name", ["depth", "depth_of_images"])
def test_the_sweeps_have_all_depths_and_their_metrics(name: str) -> None:
    cases = sweeps.sweep(name)
    assert sweeps.metrics(name) == ("latency", "peak_memory", "gradient_norms")
    depths = [blocks_of(c.to_json()["network"]) for c in cases]
    assert len({d and d[0] for d in depths}) == 3 and {d and d[1] for d in depths} == {2, 4, 8, 16, 32}
    assert {c.subject for c in cases} == {"lif@cpu", "psn@cpu", "spsn@cpu"} and len(cases) == 45
