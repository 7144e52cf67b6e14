"""A device for tests: kernels take time on a queue of their own, a cache is cold or warm, and the host can get ahead."""

from typing import Any

WRITE_BACK = 20e-6  # seconds that changed lines in the cache cost whoever throws them out


class FakeCuda:
    """What CudaClock asks of torch.cuda. `now` is the host's time in seconds, `free` when the device has done all it has."""

    hertz = 1.7e9

    def __init__(self, queue: int = 1024) -> None:
        self.now, self.free, self.queue = 0.0, 0.0, queue
        self.ends: list[float] = []
        self.cold, self.changed = False, False
        self.launches: list[tuple[bool, bool]] = []  # of each first kernel after a flush: cache cold, and clean
        self.sleeps: list[float] = []

    def perf_counter_ns(self) -> int:
        return round(self.now * 1e9)

    def run(self, host: float, device: float) -> None:
        """Ask for a kernel: the host is busy, blocks while the queue is full, and the device works when its turn comes."""
        self.now += host
        if len(self.ends) >= self.queue:
            self.now = max(self.now, self.ends[-self.queue])
        self.ends = self.ends[-self.queue :]
        self.free = max(self.now, self.free) + device
        self.ends.append(self.free)

    def kernel(self, host: float, device: float) -> None:
        """A kernel of the subject: it writes, so that the cache is warm and has changed lines afterwards."""
        self.launches.append((self.cold, not self.changed))
        self.run(host, device + (WRITE_BACK if self.changed else 0.0))
        self.cold, self.changed = False, True

    def Event(self, enable_timing: bool) -> "Event":
        assert enable_timing
        return Event(self)

    def synchronize(self) -> None:
        self.now = max(self.now + 2e-6, self.free)

    def _sleep(self, cycles: int) -> None:
        self.sleeps.append(cycles / self.hertz)
        self.run(1e-6, cycles / self.hertz)


class Event:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda, self.at = cuda, 0.0

    def record(self) -> None:
        self._cuda.run(1e-6, 0.0)
        self.at = max(self._cuda.now, self._cuda.free)

    def query(self) -> bool:
        return self._cuda.now >= self.at

    def elapsed_time(self, end: "Event") -> float:
        return (end.at - self.at) * 1e3


class Buffer:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda

    def zero_(self) -> None:
        """Overwriting makes the cache cold, and leaves it full of changed lines."""
        self._cuda.run(1e-6, 80e-6)
        self._cuda.cold, self._cuda.changed = True, True


class FakeTorch:
    """What CudaClock asks of torch."""

    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda

    def zeros(self, *_: Any, **__: Any) -> Buffer:
        return Buffer(self.cuda)

    empty = zeros

    def sum(self, buffer: Buffer, dim: int, out: Buffer) -> None:
        """Reading makes the cache cold and writes changed lines back in its own time."""
        self.cuda.run(1e-6, 85e-6 + (WRITE_BACK if self.cuda.changed else 0.0))
        self.cuda.cold, self.cuda.changed = True, False
