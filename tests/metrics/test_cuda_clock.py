"""The two times of a GPU on a fake device: what the user waits for, and what the device takes with a full queue."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from fake_cuda import FakeCuda, FakeTorch

from spikebench.cases.case import Case
from spikebench.host import clock
from spikebench.host.clock import CpuClock, CudaClock, NotAhead
from spikebench.metric import Plan, Running, beside, group_of, measure
from spikebench.metrics import copy, device_time, latency

CASE = Case("lif@triton", T=4, B=2, N=5, device="cuda")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    made = FakeCuda()
    monkeypatch.setattr(clock.time, "perf_counter_ns", made.perf_counter_ns)
    return made


def running(cuda: FakeCuda, launch: Callable[[], Any], case: Case = CASE) -> Running:
    work: Any = type("Work", (), {"case": case, "launch": staticmethod(launch), "x": torch.zeros(4, 2, 5)})()
    work.module = torch.nn.Module()
    return Running(work, CudaClock(FakeTorch(cuda)), Plan(warmup_least=0.01, warmup_seconds=1.0))


@pytest.mark.parametrize("device", [5e-5, 5e-3])
def test_short_and_long_launches_are_flushed_alike(cuda: FakeCuda, device: float) -> None:
    """Each launch has a cold cache of its own without changed lines, and no write-back in its time."""
    run = running(cuda, lambda: cuda.kernel(1e-5, device))
    samples = latency.sample(run)
    samples += device_time.sample(run)
    assert len(samples) == 40 and run.detail["group"] == 1
    assert set(cuda.launches) == {(True, True)}
    assert samples == pytest.approx([device] * 40, abs=1.5e-5)


def test_overwriting_the_cache_would_be_seen(cuda: FakeCuda) -> None:
    """The fake tells reading from overwriting, so that the test above can fail."""
    timer = CudaClock(FakeTorch(cuda))
    timer._add_up = lambda buffer, dim, out: buffer.zero_()
    assert timer.measure(lambda: cuda.kernel(0.0, 1e-4)) > 1.15e-4
    assert cuda.launches == [(True, False)]


def test_the_user_waits_for_the_host_and_the_device_takes_less(cuda: FakeCuda) -> None:
    def launch() -> None:
        for _ in range(4):
            cuda.kernel(1e-4, 1e-5)

    run = running(cuda, launch)
    assert latency.sample(run) == pytest.approx([4e-4 + 1e-5 + 2e-5] * 20, rel=0.02)
    assert run.detail["host"] == pytest.approx([4e-4] * 20, rel=0.02)
    # from the second kernel on the cache has changed lines of the launch's own
    assert device_time.sample(run) == pytest.approx([4e-5 + 3 * 2e-5] * 20, rel=0.02)
    assert run.host_bound


def test_a_launch_that_keeps_the_device_busy_is_not_bound_by_the_host(cuda: FakeCuda) -> None:
    run = running(cuda, lambda: cuda.kernel(1e-5, 1e-3))
    latency.sample(run)
    device_time.sample(run)
    assert not run.host_bound

    def blocked() -> None:
        for _ in range(2000):
            cuda.kernel(1e-6, 2e-5)  # the host waits for room in the queue, the device is what is slow

    run = running(cuda, blocked)
    run.medians |= {"latency": 1.0, "host": 0.95, "device": 0.99}
    assert not run.host_bound
    run.medians |= {"device": 0.1}
    assert run.host_bound


def test_a_sleep_that_the_host_outlasts_is_lengthened(cuda: FakeCuda) -> None:
    run = running(cuda, lambda: cuda.kernel(1e-4, 1e-5))
    timer: Any = run.clock
    timer.measure(run.workload.launch)
    cuda.sleeps.clear()
    assert timer.on_device(lambda: cuda.kernel(6e-4, 1e-5)) == pytest.approx(1e-5, rel=0.2)
    assert cuda.sleeps[1::2] == pytest.approx([2e-4 * 1.02, 1.2e-3], rel=0.03), "twice what the host took"
    assert cuda.sleeps[0] == cuda.sleeps[2], "each try begins with the clock that the device has by then"


@pytest.mark.parametrize("host", [1e-6, 1e-4])
def test_a_loop_of_more_kernels_than_the_queue_holds_has_no_time_of_the_device(cuda: FakeCuda, host: float) -> None:
    def launch() -> None:
        for _ in range(4000):
            cuda.kernel(host, 1e-6)

    run = running(cuda, launch)
    latency.sample(run)
    before = cuda.now
    found = measure("device_time", run)
    assert (found.status, found.samples) == ("unavailable", [])
    assert "more kernels than its queue holds" in str(found.reason)
    assert cuda.now - before < 3.0, "trying takes no longer than the sleeps and the launches"


def test_a_launch_that_waits_for_the_device_has_none_either(cuda: FakeCuda) -> None:
    def launch() -> None:
        cuda.kernel(1e-5, 1e-4)
        cuda.synchronize()

    with pytest.raises(NotAhead, match="waits for the device"):
        running(cuda, launch).clock.on_device(launch)


def test_shares_of_a_bound_take_the_time_of_the_device(cuda: FakeCuda) -> None:
    run = running(cuda, lambda: cuda.kernel(5e-4, 4e-5))
    pairs = beside(run, lambda: cuda.kernel(3e-4, 1e-5), 1)
    assert [c for c, _ in pairs] == pytest.approx([1e-5] * 20, rel=0.2)
    assert [t for _, t in pairs] == pytest.approx([4e-5] * 20, rel=0.2)
    assert copy.sample(run) == pytest.approx([0.0] * 20, abs=2e-6), "what the fake copies takes the device no time"


def test_the_clock_of_the_multiprocessors_is_told_by_their_own_cycles(cuda: FakeCuda) -> None:
    run = running(cuda, lambda: cuda.kernel(1e-5, 1e-4))
    latency.sample(run)
    assert run.detail["sm_hertz"] == pytest.approx([1.7e9] * 2, rel=0.01)
    assert run.detail["l2"] == "cold"


def test_only_a_cpu_times_short_calls_together(cuda: FakeCuda) -> None:
    assert group_of(1e-5, CpuClock()) == 20
    assert group_of(1e-5, CudaClock(FakeTorch(cuda))) == 1


def test_the_replay_of_a_graph_stands_beside_the_whole(cuda: FakeCuda) -> None:
    """A launch copies in and out; its graphs alone are the second figure."""

    class Graph:
        forward_graph: Any = type("G", (), {"replay": staticmethod(lambda: cuda.kernel(1e-5, 1e-4))})
        backward_graph: Any = type("G", (), {"replay": staticmethod(lambda: cuda.kernel(1e-5, 2e-4))})

    run = running(cuda, lambda: cuda.kernel(1e-5, 5e-4), Case("lif@cudagraph", T=4, B=2, N=5, device="cuda"))
    neuron: Any = run.workload.module
    neuron._graphs = {"shape": Graph()}
    assert device_time.sample(run) == pytest.approx([5e-4] * 20, rel=0.05)
    assert run.detail["graph_replay"] == pytest.approx([3e-4 + 2e-5] * 20, rel=0.05)
