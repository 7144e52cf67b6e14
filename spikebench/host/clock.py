"""Clocks. A clock times one call, and the device is synchronised before and after it. No other file reads the time."""

import os
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Protocol

SHORTEST_SLEEP, LONGEST_SLEEP, TRIES = 2e-4, 1.0, 5  # seconds by which the host is let ahead, and how often it is tried
CYCLES = 2_000_000  # of a sleep that tells the clock: about a millisecond


class NotAhead(RuntimeError):
    """The host cannot get ahead of the device in one call, so that the device's time alone cannot be told."""


class Clock(Protocol):
    """Times calls in seconds."""

    name: str
    resolution: float  # seconds
    grouped: bool  # whether short calls are timed several together; not where each has its own cold cache

    def measure(self, call: Callable[[], Any]) -> float:
        """Seconds that one call takes, until its work is done: what its user waits for."""
        ...

    def on_device(self, call: Callable[[], Any]) -> float:
        """Seconds that the device takes for one call; on a CPU the same. Raises NotAhead."""
        ...

    def now(self) -> float:
        """Seconds since an arbitrary start."""
        ...


class CpuClock:
    """time.perf_counter_ns around the call; CPU work is done when the call returns."""

    name = "perf_counter"
    grouped = True
    last: tuple[int, int] = (0, 0)  # what was read before and after the last call, in nanoseconds

    def __init__(self) -> None:
        reads = [time.perf_counter_ns() for _ in range(200)]
        self.resolution = 1e-9 * min((b - a for a, b in pairwise(reads) if b > a), default=1)

    def measure(self, call: Callable[[], Any]) -> float:
        read = time.perf_counter_ns  # what the call puts in its place is never asked
        start = read()
        call()
        end = read()
        self.last = start, end
        return (end - start) * 1e-9

    def on_device(self, call: Callable[[], Any]) -> float:
        return self.measure(call)

    def now(self) -> float:
        return time.perf_counter_ns() * 1e-9


class CudaClock:
    """CUDA events around one call. Before each, however short, the L2 cache is made cold and the device has finished.

    The cache is made cold by a sum over `flush_bytes` (0: it stays warm). Reading throws out what is there, and lines
    that the call before has changed are written back at once. Overwriting a buffer would leave a cache full of changed
    lines, whose write-back falls into the time of the next call.

    `torch` comes in as an argument. For each call of `measure`, `host` has the seconds until it came back, without
    waiting for the device, and `beyond` those by which its work outlasted its events: they do not see another stream.
    """

    name = "cuda_events"
    resolution = 5e-7  # as CUDA's documentation of cudaEventElapsedTime has it
    grouped = False

    def __init__(self, torch: Any, flush_bytes: int = 256 * 2**20) -> None:
        self._cuda = torch.cuda
        self._flush = torch.zeros(flush_bytes // 4, device="cuda") if flush_bytes else None
        self._sum = torch.zeros((), device="cuda")
        self._add_up = torch.sum
        self._hertz: float | None = None
        self.beyond: list[float] = []
        self.host: list[float] = []

    def measure(self, call: Callable[[], Any]) -> float:
        start, end = self._prepare()
        begun = time.perf_counter_ns()
        start.record()
        call()
        end.record()
        self.host.append((time.perf_counter_ns() - begun) * 1e-9)
        self._cuda.synchronize()
        whole, seen = (time.perf_counter_ns() - begun) * 1e-9, start.elapsed_time(end) * 1e-3
        self.beyond.append(whole - seen)
        return seen

    def on_device(self, call: Callable[[], Any]) -> float:
        """The same events, on a queue that a sleeping kernel holds up until the host has asked for all of the call.

        The sleep is as long as twice the host's last call. While the first event is over before the host has done, it is
        tried again, up to TRIES times, with twice the longer of the sleep and of what the host took, by the clock that the
        device has by then. What waits for the device inside, and what asks for more kernels than the queue holds (about a
        thousand), never gets ahead.
        """
        sleep = max(SHORTEST_SLEEP, 2 * (self.host[-1] if self.host else 0.0))
        for _ in range(TRIES):
            if sleep > LONGEST_SLEEP:
                break
            start, end = self._prepare()
            self._cuda._sleep(int(sleep * (self._hertz or self.hertz())))
            begun = time.perf_counter_ns()
            start.record()
            call()
            end.record()
            host, ahead = (time.perf_counter_ns() - begun) * 1e-9, not start.query()
            self._cuda.synchronize()
            if ahead:
                return start.elapsed_time(end) * 1e-3
            sleep, self._hertz = 2 * max(sleep, min(host, LONGEST_SLEEP / 4)), None
        raise NotAhead(
            f"the host was not ahead of the device behind a sleep of up to {min(sleep, LONGEST_SLEEP):.2g} s: the launch"
            " waits for the device, or asks for more kernels than its queue holds (about 1000)"
        )

    def hertz(self) -> float:
        """The clock of the multiprocessors now: cycles that a sleeping kernel counts, over the time of its events."""
        start, end = (self._cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        self._cuda._sleep(CYCLES)
        end.record()
        self._cuda.synchronize()
        found = CYCLES / (start.elapsed_time(end) * 1e-3)
        self._hertz = found
        return found

    def _prepare(self) -> tuple[Any, Any]:
        """Two events, when the cache is cold and the queue is empty."""
        if self._flush is not None:
            self._add_up(self._flush, dim=0, out=self._sum)
        self._cuda.synchronize()
        start, end = (self._cuda.Event(enable_timing=True) for _ in range(2))
        return start, end

    def now(self) -> float:
        return time.perf_counter_ns() * 1e-9


class FakeClock:
    """A clock for tests: every call takes the next of the given durations, and advances the time by it."""

    name = "fake"
    resolution = 1e-9
    grouped = True

    def __init__(self, durations: list[float]) -> None:
        self._durations, self._time = list(durations), 0.0

    def measure(self, call: Callable[[], Any]) -> float:
        call()
        taken = self._durations.pop(0) if len(self._durations) > 1 else self._durations[0]
        self._time += taken
        return taken

    def on_device(self, call: Callable[[], Any]) -> float:
        return self.measure(call)

    def now(self) -> float:
        return self._time


def wall() -> float:
    """Seconds since the epoch, for naming runs."""
    return time.time()


def monotonic() -> float:
    """Seconds that never go back, for budgets and timeouts."""
    return time.monotonic()


def of_thread(name: str) -> tuple[float, float]:
    """Seconds that a thread has used the CPU so far, and that it has waited for it; 0 where /proc says nothing of that name."""
    try:
        with open(f"/proc/{name}/schedstat", encoding="utf-8") as file:
            used, waited, _ = map(int, file.read().split())
    except (OSError, ValueError):
        return 0.0, 0.0
    return used * 1e-9, waited * 1e-9


def of_process(pid: int) -> tuple[float, float]:
    """Seconds that the threads of a process have used the CPU so far, and that they have waited for it; 0 where nothing says so."""
    try:
        threads = [of_thread(f"{pid}/task/{thread}") for thread in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return 0.0, 0.0
    return sum(used for used, _ in threads), sum(waited for _, waited in threads)


def worked(pid: int) -> float:
    """CPU seconds of a process so far, with those of its threads that have ended; 0 where there is no such process."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # the number that clock_getcpuclockid gives
    except OSError:
        return 0.0


def held_up(pid: int) -> float:
    """Seconds that the first thread of a process and the calling one have waited for a core, less what its other threads worked.

    Whatever else runs on the machine makes this grow, but not what the process has left to its other threads.
    """
    used, waited = of_thread(f"{pid}/task/{pid}")
    return waited + of_thread("thread-self")[1] - (worked(pid) - used)
