"""The figure of one number of elements: what stands in it, and the sweep that it is drawn from."""

from typing import Any

import pytest

from spikebench.cases import sweeps
from spikebench.cases.case import Case
from spikebench.plots import figures
from spikebench.plots._chart import Chart
from spikebench.records import store
from spikebench.records.record import Measurement, Record


def recorded(n: int, seconds: float, subject: str = "lif@cpu", repeat: int = 0, T: int = 0) -> Record:
    case = Case(subject, T=T or 2**16 // (4 * n), B=4, N=n)
    found = [Measurement("latency", "s", samples=[seconds] * 3), Measurement("copy", "s", samples=[1e-3] * 3)]
    environment: Any = {"machine": "m", "time": 1.79e9}
    return Record("r", case.case_id, case.to_json(), measurements=found, environment=environment, repeat=repeat)


RECORDS = [
    recorded(16, 8e-3),
    recorded(64, 4e-3),
    recorded(256, 2e-3),
    recorded(256, 2e-3, repeat=1),
    recorded(1024, 2.4e-3),
]


def chart(records: list[Record]) -> Chart:
    [drawing] = figures("elements", store.frame(records))
    assert isinstance(drawing.what, Chart) and drawing.name == "elements-train-65536-cpu"
    return drawing.what


def test_times_are_over_a_copy_and_stand_at_the_number_of_series() -> None:
    [line] = chart(RECORDS).series()
    assert [(p.x, pytest.approx(p.y), p.n) for p in line.points] == [
        (64, 8, 1),
        (256, 4, 1),
        (1024, 2, 2),
        (4096, 2.4, 1),
    ]
    assert line.note == "from M = 1,024"


def test_another_number_of_elements_is_no_part_of_it() -> None:
    assert [len(s.points) for s in chart([*RECORDS, recorded(16, 1.0, T=7)]).series()] == [4]
    assert list(figures("elements", store.frame([recorded(16, 1.0)]))) == []


def test_the_sweep_has_one_number_of_elements_and_every_fused_kernel() -> None:
    cases = sweeps.sweep("elements")
    assert {c.T * c.B * c.N for c in cases} == {sweeps.ELEMENTS} and {c.mode for c in cases} == {"train"}
    assert {c.parsed.backend for c in cases} == {"cpu"}
    assert {c.subject for c in cases} >= {"lif@cpu", "spsn@cpu", "psu@cpu"}
    assert len({c.N for c in cases if c.subject == "lif@cpu"}) == 4
