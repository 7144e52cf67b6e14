"""Clocks: the only file that reads time. A clock times one call, synchronised at both ends."""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Protocol


class Clock(Protocol):
    """Times calls in seconds."""

    name: str
    resolution: float  # seconds

    def measure(self, call: Callable[[], Any]) -> float:
        """Seconds that one call takes, until its work is done."""
        ...

    def now(self) -> float:
        """Seconds since an arbitrary start."""
        ...


class CpuClock:
    """time.perf_counter_ns around the call; CPU work is done when the call returns."""

    name = "perf_counter"

    def __init__(self) -> None:
        reads = [time.perf_counter_ns() for _ in range(200)]
        self.resolution = 1e-9 * min((b - a for a, b in pairwise(reads) if b > a), default=1)

    def measure(self, call: Callable[[], Any]) -> float:
        start = time.perf_counter_ns()
        call()
        return (time.perf_counter_ns() - start) * 1e-9

    def now(self) -> float:
        return time.perf_counter_ns() * 1e-9


class CudaClock:
    """CUDA events around the call, the device synchronised at both ends, and the L2 cache overwritten before each call.

    `torch` comes in as an argument; `flush_bytes` is how much is overwritten (0: warm cache). `beyond` has for each call
    the seconds by which its work outlasted its events: events do not see work on another stream.
    """

    name = "cuda_events"
    resolution = 5e-7  # as CUDA's documentation of cudaEventElapsedTime has it

    def __init__(self, torch: Any, flush_bytes: int = 256 * 2**20) -> None:
        self._cuda = torch.cuda
        self._flush = torch.empty(flush_bytes, dtype=torch.int8, device="cuda") if flush_bytes else None
        self.beyond: list[float] = []

    def measure(self, call: Callable[[], Any]) -> float:
        if self._flush is not None:
            self._flush.zero_()
        start, end = (self._cuda.Event(enable_timing=True) for _ in range(2))
        self._cuda.synchronize()
        begun = time.perf_counter_ns()
        start.record()
        call()
        end.record()
        self._cuda.synchronize()
        whole, seen = (time.perf_counter_ns() - begun) * 1e-9, start.elapsed_time(end) * 1e-3
        self.beyond.append(whole - seen)
        return seen

    def now(self) -> float:
        return time.perf_counter_ns() * 1e-9


class FakeClock:
    """A clock for tests: every call takes the next of the given durations, and advances the time by it."""

    name = "fake"
    resolution = 1e-9

    def __init__(self, durations: list[float]) -> None:
        self._durations, self._time = list(durations), 0.0

    def measure(self, call: Callable[[], Any]) -> float:
        call()
        taken = self._durations.pop(0) if len(self._durations) > 1 else self._durations[0]
        self._time += taken
        return taken

    def now(self) -> float:
        return self._time


def wall() -> float:
    """Seconds since the epoch, for naming runs."""
    return time.time()


def monotonic() -> float:
    """Seconds that never go back, for budgets and timeouts."""
    return time.monotonic()
