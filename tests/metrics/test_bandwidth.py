"""The share of the copy bandwidth, and of a product's rate: what they are made of, where they are unavailable; a figure."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numba")

from spikebench import plots
from spikebench.cases.case import Case
from spikebench.cli._print import stdout
from spikebench.cli._records import records_table
from spikebench.metric import Plan, Running, measure
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.workloads.layer import build


class Steady:
    """A clock by which a copy takes 1 ms and everything else 10 ms."""

    name, resolution, grouped = "steady", 1e-9, True
    _time = 0.0

    def measure(self, call: Callable[[], Any]) -> float:
        call()
        taken = 1e-3 if "cop" in call.__name__ else 1e-2
        self._time += taken
        return taken

    def on_device(self, call: Callable[[], Any]) -> float:
        return self.measure(call)

    def now(self) -> float:
        return self._time


def of(subject: str, mode: Any = "train", metric: str = "bandwidth") -> Measurement:
    running = Running(build(Case(subject, T=16, B=2, N=8, mode=mode), 0.5), Steady(), Plan(samples=3))
    return measure(metric, running)


@pytest.mark.parametrize(("mode", "moved"), [("inference", 2), ("forward", 3), ("train", 6)])
def test_share_is_bytes_over_time_against_the_copy(mode: str, moved: int) -> None:
    found = of("lif@cpu", mode)
    size = 16 * 2 * 8 * 4
    assert found.unit == "1" and found.detail["bytes_moved"] == moved * size
    assert found.samples == pytest.approx([moved * size / 1e-2 / (2 * size / 1e-3)] * 3)
    assert found.detail["copy_bandwidth"] == pytest.approx([2 * size / 1e-3] * 3)


def test_what_declares_no_bytes_has_no_share() -> None:
    found = of("lif@eager")
    assert found.status == "unavailable" and "declares no bytes" in (found.reason or "")


@pytest.mark.parametrize(("mode", "count"), [("inference", 1), ("forward", 1), ("train", 3)])
def test_share_is_operations_over_time_against_a_product(mode: str, count: int) -> None:
    found = of("psn@cpu", mode, "product")
    whole = 2 * 16**2 * 16  # by the clock a product takes as long as a launch
    assert found.unit == "1" and found.detail["operations"] == count * whole
    assert found.samples == pytest.approx([count] * 3)
    assert found.detail["product_rate"] == pytest.approx([whole / 1e-2] * 3)


def test_what_declares_no_operations_has_no_share() -> None:
    found = of("lif@cpu", metric="product")
    assert found.status == "unavailable" and "declares no operations" in (found.reason or "")


def recorded(share: list[float] | None) -> list[Record]:
    records = []
    for steps in (128, 1024):
        case = Case("lif@cpu", T=steps)
        given = [Measurement("latency", "s", samples=[0.01]), Measurement("copy", "s", samples=[0.002])]
        given += [Measurement("bandwidth", "1", samples=share)] if share else []
        records.append(Record("r", case.case_id, case.to_json(), measurements=given))
    return records


def test_the_column_stands_where_a_record_has_it() -> None:
    with stdout().capture() as shown:
        records_table(recorded([0.25, 0.75, 0.5]))
    assert "fraction of bound" in shown.get() and "0.500" in shown.get()
    with stdout().capture() as shown:
        records_table(recorded(None))
    assert "fraction of bound" not in shown.get()


def test_roofline(tmp_path: Path) -> None:
    paths = plots.draw("roofline", store.frame(recorded([0.5, 0.6])), tmp_path)
    assert [p.name for p in paths] == ["roofline-train-B32-N512.png", "roofline-train-B32-N512.svg"]
    assert all(p.stat().st_size > 5000 for p in paths)
