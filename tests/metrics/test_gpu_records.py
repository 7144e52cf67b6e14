"""What a record of a GPU holds: both times, the host's flag, energy of several processes, clocks and heat."""

from typing import Any

import pytest

from spikebench.cases.case import Case
from spikebench.host.monitor import Gpu, Monitor, Reading
from spikebench.records.flags import told
from spikebench.records.gate import GateResult
from spikebench.records.record import Measurement
from spikebench.run import session
from spikebench.run.pooled import pooled
from spikebench.run.protocol import Job, MeasureJob, Outcome, Result
from spikebench.run.session import Session
from spikebench.run.settings import Settings

CUDA = Case("lif@triton", T=8, B=2, N=4, device="cuda")
CPU = Case("lif@eager", T=8, B=2, N=4)


class Asked(Session):
    """A session whose processes answer at once: every metric has one sample more than the last process gave."""

    def __init__(self, settings: Settings, fail: int = 99) -> None:
        super().__init__(settings)
        self.asked: list[list[str]] = []
        self.fail = fail

    def ask(self, case: Case, job: Job, watch: Any = None) -> Outcome:
        if not isinstance(job, MeasureJob):
            return Outcome("ok", result=Result(gate=GateResult("passed", spikes=20.0, bias=0.0)))
        self.asked.append(job.metrics)
        number, found = float(len(self.asked)), list[Measurement]()
        for m in job.metrics:
            if len(self.asked) > self.fail:
                found.append(Measurement(m, "J", "unavailable", "the counter stood still"))
            else:
                found.append(Measurement(m, "J", samples=[number], detail={"counter": "NVML", "idle_watts": number}))
        return Outcome("ok", result=Result(measurements=found, flags=["host_bound"]))


@pytest.fixture(autouse=True)
def no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "Monitor", lambda *_: Monitor("cpu", lambda _: Reading(0.0, 0.0)))


def test_on_a_gpu_the_latency_never_comes_alone() -> None:
    session = Asked(Settings(metrics=("latency", "spike_rate")))
    found = session.measure(CUDA)
    assert session.asked == [["latency", "device_time", "spike_rate"]]
    assert found.measurement("device_time") and found.measurement("latency")
    assert "host_bound" in found.flags and told("host_bound")
    session = Asked(Settings(metrics=("latency", "spike_rate")))
    session.measure(CPU)
    assert session.asked == [["latency", "spike_rate"]]


def test_energy_is_sampled_by_three_processes_and_says_what_each_found() -> None:
    session = Asked(Settings(metrics=("latency", "energy")))
    energy = session.measure(CUDA).measurement("energy")
    assert session.asked == [["latency", "device_time"], ["energy"], ["energy"], ["energy"]]
    assert energy and energy.samples == [2.0, 3.0, 4.0]
    assert energy.detail == {"counter": "NVML", "idle_watts": [2.0, 3.0, 4.0], "processes": 3}


def test_where_there_is_no_counter_one_process_is_enough() -> None:
    session = Asked(Settings(metrics=("energy",)), fail=0)
    energy = session.measure(CUDA).measurement("energy")
    assert session.asked == [["energy"]]
    assert energy and energy.status == "unavailable"


def test_a_process_that_fails_makes_the_whole_unavailable_and_loses_nothing() -> None:
    session = Asked(Settings(metrics=("energy",)), fail=1)
    energy = session.measure(CUDA).measurement("energy")
    assert energy and (energy.status, energy.samples) == ("unavailable", [])
    assert energy.detail["samples"] == [1.0]


def test_details_of_processes_stand_side_by_side() -> None:
    one = Measurement("energy", "J", samples=[1.0], detail={"windows": [5.0], "cpu": {"joules": [2.0]}, "counter": "a"})
    two = Measurement("energy", "J", samples=[2.0], detail={"windows": [6.0], "cpu": {"joules": [3.0]}, "counter": "b"})
    (found,) = pooled([one, two])
    assert found.detail["windows"] == [5.0, 6.0] and found.detail["cpu"] == {"joules": [2.0, 3.0]}
    assert found.detail["counter"] == ["a", "b"]
    assert pooled([one]) == [one]


def test_clock_and_heat_of_a_gpu_are_on_the_record() -> None:
    cool, hot = Gpu(0.3e9, 1.98e9, ("idle",), 0, 35.0), Gpu(1.7e9, 1.98e9, (), 1, 61.0)
    seen = [Reading(0.0, 0.0, g) for g in (cool, hot, Gpu(1.9e9, 1.98e9, (), 1, 64.0), cool)]
    monitor = Monitor("cuda", lambda _: seen.pop(0))
    monitor.look()
    monitor.look()
    facts = monitor.end(0.0, 1.0).to_json()
    assert facts["sm_clock"] == {"before": 0.3e9, "after": 0.3e9, "lowest": 1.7e9, "highest": 1.9e9}
    assert facts["top_sm_clock"] == 1.98e9
    assert facts["gpu_celsius"] == {"before": 35.0, "after": 35.0, "lowest": 61.0, "highest": 64.0}
