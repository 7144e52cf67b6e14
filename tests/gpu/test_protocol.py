"""What a GPU makes easy to fake is caught: clocks that do not wait, work on another stream, old spikes."""

from pathlib import Path

import pytest
import torch

from spikebench import backends
from spikebench.cases.case import Case
from spikebench.host.clock import CudaClock
from spikebench.metric import Plan, Running, measure
from spikebench.sampling.measured import _check_output
from spikebench.verify import gate
from spikebench.verify.gate import GateResult
from spikebench.workloads.layer import build

HERE = Path(__file__).parent
CYCLES = 20_000_000  # of waiting: 10 ms and more at any clock a GPU has


@pytest.fixture
def cheats(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of backends, with the cheats in it."""
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(HERE / "cheats"), str(HERE.parent / "cheats")])


def gated(subject: str) -> GateResult:
    return gate.gate(Case(subject, T=64, B=4, N=32, device="cuda"))


def test_the_clock_waits_until_the_work_is_done() -> None:
    clock = CudaClock(torch)
    assert clock.measure(lambda: torch.cuda._sleep(CYCLES)) > 5e-3
    assert clock.measure(lambda: None) < 5e-3


@pytest.mark.parametrize("backend", ["other_stream[wait=true]", "stale[kind=storage]", "stale[kind=previous]"])
def test_cheat_is_caught(backend: str, cheats: None) -> None:
    result = gated(f"lif@{backend}")
    assert result.status == "failed" and result.reason


@pytest.mark.parametrize("backend", ["right", "triton", "cudagraph", "eager"])
def test_the_door_is_open(backend: str, cheats: None) -> None:
    result = gated(f"lif@{backend}")
    assert result.status == "passed", result.reason


@pytest.mark.parametrize(("backend", "caught"), [("other_stream[wait=false]", True), ("triton", False)])
def test_work_on_another_stream_is_no_gain_in_time(backend: str, caught: bool, cheats: None) -> None:
    """Spikes may be right in the end, and the events still too early."""
    work = build(Case(f"lif@{backend}", T=64, B=4, N=32, mode="inference", device="cuda"), 0.1)
    running = Running(work, CudaClock(torch), Plan(samples=5))
    measure("latency", running)
    said = _check_output(running, None)
    assert ("another stream" in said) if caught and said else said is None and not caught
