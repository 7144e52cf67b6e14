"""Samples that cannot be relied on are said to be so, with the number and the remedy; strict runs try again."""

from dataclasses import replace
from typing import Any

import pytest

from spikebench.analysis import stability
from spikebench.cases.case import Case
from spikebench.host.clock import CpuClock, FakeClock
from spikebench.host.monitor import Around, Gpu, Monitor, Reading
from spikebench.metric import Plan, Running
from spikebench.metrics import latency
from spikebench.records.record import Measurement, Record
from spikebench.run.session import Session
from spikebench.run.settings import Settings

CASE = Case("lif@eager", T=4, B=1, N=4)


def record(samples: list[float], flags: tuple[str, ...] = (), **detail: Any) -> Record:
    found = Measurement("latency", "s", samples=samples, detail={"group": 1, "resolution": 1e-9} | detail)
    return Record("r", CASE.case_id, CASE.to_json(), measurements=[found], flags=list(flags))


STEADY = [1.0, 1.01, 0.99, 1.0] * 5


@pytest.mark.parametrize(
    ("samples", "detail", "kind", "said"),
    [
        (STEADY, {}, None, ""),
        ([1.0, 1.3, 1.0, 1.3] * 5, {}, "spread", "spreads over 26%: stop what else is running"),
        ([2.0] * 10 + [1.5] * 10, {}, "drift", "-25% against the first: still warming up"),
        ([1.0] * 10 + [1.2] * 10, {}, "drift", "+20% against the first: heat"),
        ([1.0, 1.0, 1.0], {}, "samples", "3 samples are too few to see a spread: take at least --samples 5"),
        ([2e-6] * 20, {"resolution": 5e-7}, "resolution", "a sample lasts 4 ticks of the timer"),
        ([2e-6] * 20, {"resolution": 5e-7, "group": 100}, None, ""),
        (STEADY, {"hertz": [3.4e9, 2.6e9]}, "frequency", "went from 3.40 to 2.60 GHz: fix it (cpupower"),
        (STEADY, {"hertz": [3.4e9, 3.35e9]}, None, ""),
        (STEADY, {"hertz": [None, None]}, None, ""),
    ],
)
def test_each_warning_has_its_number_and_its_remedy(
    samples: list[float], detail: dict[str, Any], kind: str | None, said: str
) -> None:
    found = {d.flag.value: d.text for d in stability.warnings_of(record(samples, **detail))}
    assert set(found) >= ({kind} if kind else set())
    if kind is None:
        assert found == {}
    else:
        assert said in found[kind]


def test_noise_alone_is_no_drift() -> None:
    import numpy as np

    generator = np.random.default_rng(1)
    drawn = [stability.warnings_of(record(generator.normal(1, 0.04, 20).tolist())) for _ in range(300)]
    assert sum(any(d.flag == "drift" for d in found) for found in drawn) <= 9


def test_latency_says_what_the_warnings_are_about() -> None:
    work: Any = type("Work", (), {"launch": staticmethod(lambda: None)})()
    running = Running(work, FakeClock([0.01]), Plan())
    latency.sample(running)
    assert running.detail["resolution"] == 1e-9
    assert len(running.detail["hertz"]) == 2
    assert 0 < CpuClock().resolution < 1e-4


def monitored(readings: list[Reading], own: float = 1.0, wall: float = 2.0) -> Around:
    left = list(readings)
    monitor = Monitor("cuda", lambda _: left.pop(0))
    for _ in readings[2:]:
        monitor.look()
    return monitor.end(own, wall)


IDLE = Gpu(0.3e9, 1.98e9, ("idle",), 0)
BUSY = Gpu(1.98e9, 1.98e9, (), 1)


@pytest.mark.parametrize(
    ("last", "during", "flags"),
    [
        (Reading(101.0, 5.0, IDLE), BUSY, []),
        (Reading(101.3, 5.0, IDLE), BUSY, []),
        (Reading(101.6, 5.0, IDLE), BUSY, ["contended"]),
        (Reading(101.0, 5.2, IDLE), BUSY, ["stolen"]),
        (Reading(101.0, 5.0, replace(IDLE, processes=1)), BUSY, ["shared_gpu"]),
        (Reading(101.0, 5.0, IDLE), replace(BUSY, reasons=("heat (hardware)",)), ["throttled"]),
        (Reading(101.0, 5.0, IDLE), replace(BUSY, clock=1.2e9), ["throttled"]),
        (Reading(101.0, 5.0, IDLE), IDLE, []),  # idle between two processes: a low clock is no throttling
        (Reading(101.0, 5.0), None, []),
    ],
)
def test_what_else_went_on_is_flagged(last: Reading, during: Gpu | None, flags: list[str]) -> None:
    around = monitored([Reading(100.0, 5.0, IDLE), Reading(100.5, 5.0, during), last])
    assert around.flags == flags
    facts = around.to_json()
    assert facts["other_cpu"] == pytest.approx((last.busy - 101.0) / 2)
    assert facts.get("throttle_reasons", []) == (
        ["heat (hardware)"] if during and during.reasons[:1] == ("heat (hardware)",) else []
    )


@pytest.mark.parametrize(("bad", "tries", "flags"), [(0, 1, []), (1, 2, []), (9, 3, ["contended", "unsteady"])])
def test_strict_measures_again_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, bad: int, tries: int, flags: list[str]
) -> None:
    made = iter([record(STEADY, ("contended",))] * bad + [record(STEADY)] * 9)
    session = Session(Settings(metrics=("latency",), strict=True))
    monkeypatch.setattr(session, "_measure", lambda *_: next(made))
    found = session.measure(CASE)
    assert (found.environment.get("tries"), found.flags) == (tries, flags)
    session.settings.strict = False
    assert "tries" not in session.measure(CASE).environment


def test_strict_does_not_repeat_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter([replace(record(STEADY, ("contended",)), status="timeout")] * 3)
    session = Session(Settings(metrics=("latency",), strict=True))
    monkeypatch.setattr(session, "_measure", lambda *_: next(made))
    assert session.measure(CASE).environment.get("tries") == 1
