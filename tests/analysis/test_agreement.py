"""How close approximate neurons come to the LIF: what the metric counts, its table and its figures."""

from typing import Any

import pytest
import torch

from spikebench.analysis.agreement import agreement_rows, decay_of
from spikebench.cases.case import Case
from spikebench.host.clock import CpuClock
from spikebench.metric import Plan, Running, measure
from spikebench.metrics.agreement import differing, drift
from spikebench.plots import figures
from spikebench.plots._chart import Chart
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.workloads.layer import build


def train(*steps: int) -> torch.Tensor:
    return torch.tensor(steps, dtype=torch.float32)[:, None, None]


@pytest.mark.parametrize(
    ("mine", "lif", "share", "more"),
    [
        ((0, 1, 0, 1), (0, 1, 0, 1), 0.0, 0.0),
        ((0, 1, 0, 1), (1, 0, 1, 0), 1.0, 0.0),
        ((0, 1, 1, 1), (0, 1, 0, 0), 2 / 3, 2.0),
        ((0, 0, 0, 0), (0, 1, 0, 0), 1.0, -1.0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0.0, None),
        ((0, 2, 0, 0), (0, 1, 0, 0), 1.0, 1.0),
    ],
)
def test_silence_hides_no_difference(
    mine: tuple[int, ...], lif: tuple[int, ...], share: float, more: float | None
) -> None:
    spikes, reference = train(*mine), train(*lif)
    assert differing(spikes, reference) == pytest.approx(share)
    assert drift(spikes, reference) == (more if more is None else pytest.approx(more))


def of(subject: str) -> dict[str, Any]:
    """What the metric says of a subject beside its samples."""
    case = Case(subject, T=64, B=2, N=16, mode="inference", rate=0.2)
    return dict(measure("agreement", Running(build(case), CpuClock(), Plan(samples=1))).detail)


def test_newton_with_enough_iterations_is_the_lif_with_hard_reset() -> None:
    detail = of("newton_lif")
    assert detail["differ"][1] == 0.0 and detail["drift"][1] == 0.0 and detail["drift_late"][1] == 0.0
    assert 0 < detail["differ"][0] < 1 and detail["drift"][0] < -0.05, "a soft reset keeps what a hard one drops"


def test_a_neuron_that_never_resets_fires_more_and_more() -> None:
    detail = of("psu[decay=0.9]")
    assert all(0 < d <= 1 for d in detail["differ"])
    assert all(isinstance(d, float) for d in (*detail["drift"], *detail["drift_late"]))
    rates = [detail["rate"] / detail[f"rate_{reset}"] - 1 for reset in ("soft", "hard")]
    assert detail["drift"] == pytest.approx(rates)


def recorded(subject: str, rate: float, differ: float, drift: float | None, repeat: int = 0) -> Record:
    case = Case(subject, T=64, B=2, N=16, mode="inference", rate=rate)
    detail = {"differ": [differ, differ / 2], "drift": [drift, 0.5], "drift_late": [drift, 0.25], "kappa": [0.5, 0.6]}
    found = [Measurement("agreement", "1", samples=[0.9, 0.8], detail=detail)]
    environment: Any = {"machine": "m", "time": 1.79e9}
    return Record("r", case.case_id, case.to_json(), measurements=found, environment=environment, repeat=repeat)


RECORDS = [
    recorded("psu[decay=0.9]@eager", 0.1, 0.4, None),
    recorded("psu[decay=0.5]@eager", 0.1, 0.2, -0.1),
    recorded("psu[decay=0.5]@eager", 0.1, 0.4, -0.3, repeat=1),
    recorded("newton_lif@eager", 0.3, 0.0, 0.0),
]


def test_table_is_a_map_over_decay_and_rate() -> None:
    rows = [row.cells for row in agreement_rows(RECORDS)]
    assert [(r["subject"], r["decay"], r["rate"], r["n"]) for r in rows] == [
        ("newton_lif@eager", "0.9", "0.3", 1),
        ("psu@eager", "0.5", "0.1", 2),
        ("psu[decay=0.9]@eager", "0.9", "0.1", 1),
    ]
    middle = rows[1]
    assert middle["differ (soft)"] == "30.0%" and middle["differ (hard)"] == "15.0%"
    assert middle["drift (soft)"] == "-20.0%" and middle["late drift (hard)"] == "+25.0%"
    assert rows[2]["drift (soft)"] == "—", "the LIF did not fire"
    often = agreement_rows([recorded("psu@eager", 0.1, 1.0, 1247.09)])[0].cells
    assert often["drift (soft)"] == "1,248x"


def test_records_without_it_have_no_row() -> None:
    old = recorded("psu[decay=0.9]@eager", 0.1, 0.4, 0.0)
    del old.measurements[0].detail["differ"]
    assert agreement_rows([old]) == []


def test_figures_show_what_differs_and_how_the_rate_drifts() -> None:
    drawn = {d.name: d.what for d in figures("agreement", store.frame(RECORDS, details=True))}
    assert set(drawn) == {"agreement-kappa", "agreement-differ", "agreement-drift"}
    differ = drawn["agreement-differ"]
    assert isinstance(differ, Chart)
    panel = next(p for p in differ.panels if p.title == "soft reset, rate 0.1")
    [line] = panel.series
    assert [(p.x, pytest.approx(p.y)) for p in line.points] == [(0.5, 0.3), (0.9, 0.4)]
    drifting = drawn["agreement-drift"]
    assert isinstance(drifting, Chart)
    panel = next(p for p in drifting.panels if p.title == "soft reset, rate 0.1")
    [points] = [s.points for s in panel.series]
    assert [(p.x, pytest.approx(p.y)) for p in points] == [(0.5, 0.8)], (
        "where the LIF is silent there is no rate to compare"
    )
    assert drifting.y.scale == "log" and panel.rule == (1.0, "the LIF's rate")


def test_decay_is_the_neurons_own_where_none_is_given() -> None:
    assert [decay_of(s) for s in ("psu@eager", "spsn[mem_decay=0.95]@eager", "psn@eager")] == [0.5, 0.95, None]
