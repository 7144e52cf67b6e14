"""Energy counters: those of NVML and RAPL, and power readings where a GPU has no counter. Energy is never estimated from a model."""

import statistics
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from spikebench.host import clock, environment

POWERCAP = Path("/sys/class/powercap")
MOST_WATTS = 2000.0  # no package draws more: how long a counter takes at least to wrap around


class NoCounter(RuntimeError):
    """Nothing here counts energy; `remedy` says what would help."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


class Counter(Protocol):
    """Counts energy. `method` is "counter" or "polling"; `scope` says whose energy it is, `sampling` what it looks at."""

    name: str
    method: str
    scope: str
    sampling: str
    longest: float  # seconds between two readings

    def joules(self) -> float:
        """Joules since an arbitrary start."""
        ...


def find(device: str) -> Counter:
    """The best counter for a device; raises NoCounter."""
    return _nvml() if device == "cuda" else Rapl(POWERCAP)


# Yang, Adamek, Armour, "Part-time Power Measurements: nvidia-smi's Lack of Attention", arXiv 2312.02741 (abstract read)
PART_TIME = "NVML averages power over part of the time only, a quarter of it on an A100 and an H100 (arXiv 2312.02741)"


class Nvml:
    """NVML's total-energy counter of one GPU, in mJ since the driver was loaded (Volta and later)."""

    name, method, scope, longest = "NVML total energy", "counter", "the whole GPU board", float("inf")
    sampling = PART_TIME

    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read
        self.joules()

    def joules(self) -> float:
        return self._read() * 1e-3


class Polling:
    """Power readings every 0.1 s, integrated by the trapezoidal rule: what is left where a GPU has no counter."""

    name, method, scope, longest = "NVML power, polled", "polling", "the whole GPU board", float("inf")
    sampling = f"power is read every 0.1 s; {PART_TIME}"

    def __init__(self, watts: Callable[[], float], now: Callable[[], float], every: float = 0.1) -> None:
        self._watts, self._now = watts, now
        self._joules, self._last = 0.0, (now(), watts())
        self._lock, self._stop = threading.Lock(), threading.Event()
        if every:
            threading.Thread(target=self._poll, args=(every,), daemon=True).start()

    def _poll(self, every: float) -> None:
        while not self._stop.wait(every):
            self.joules()

    def joules(self) -> float:
        with self._lock:
            time, watts = self._now(), self._watts()
            self._joules += (time - self._last[0]) * (watts + self._last[1]) / 2
            self._last = (time, watts)
            return self._joules


class Rapl:
    """RAPL of the CPU packages, and of the memory where it is counted apart; each counter wraps around."""

    name, method, scope = "RAPL", "counter", "whole CPU packages with all that runs on them"
    sampling = "counted by the processor all the time"

    def __init__(self, root: Path) -> None:
        named = {zone: _read_text(zone / "name") for zone in sorted(root.glob("intel-rapl*:*"))}
        self._zones = [z for z, name in named.items() if name.startswith("package") or name == "dram"]
        if not self._zones:
            raise NoCounter(
                "no RAPL counter in /sys/class/powercap", "run on bare metal with the module intel_rapl_msr"
            )
        self._ranges = [int(_read_text(z / "max_energy_range_uj") or 0) for z in self._zones]
        self.longest = min(self._ranges) * 1e-6 / MOST_WATTS
        self._last, self._total = self._microjoules(), 0

    def joules(self) -> float:
        found = self._microjoules()
        steps = zip(found, self._last, self._ranges, strict=True)
        self._total += sum((now - before) % top if top else now - before for now, before, top in steps)
        self._last = found
        return self._total * 1e-6

    def _microjoules(self) -> list[int]:
        try:
            return [int((z / "energy_uj").read_text(encoding="utf-8")) for z in self._zones]
        except PermissionError as error:
            remedy = f"let a group read it: sudo chmod a+r {self._zones[0]}/energy_uj (and the others)"
            raise NoCounter("RAPL counters may be read by root only", remedy) from error


def update_period(counter: Counter, now: Callable[[], float], changes: int = 10, limit: float = 2.0) -> float | None:
    """The median time between two changes of a counter, in seconds, by reading it all the time; None if it stands still."""
    edges: list[float] = []
    start, last = now(), counter.joules()
    while len(edges) <= changes and now() - start < limit:
        value = counter.joules()
        if value != last:
            edges.append(now())
            last = value
    return statistics.median(b - a for a, b in pairwise(edges)) if len(edges) > 1 else None


@dataclass(frozen=True)
class Found:
    """What `doctor` says of a device's counter: whether there is one, why not and what to do, its update period in seconds."""

    available: bool
    reason: str | None = None
    remedy: str | None = None
    counter: str | None = None
    update_period: float | None = None


def examine(device: str) -> Found:
    """The counter of a device; it is read until it has changed a few times."""
    try:
        counter = find(device)
    except NoCounter as error:
        return Found(False, error.reason, error.remedy)
    period = update_period(counter, clock.monotonic)
    return Found(True, counter=counter.name, update_period=period)


def _nvml() -> Counter:
    import pynvml as nv

    handle = environment.gpu_handle()
    if handle is None:
        raise NoCounter("no NVIDIA GPU that NVML sees", "run on a machine with an NVIDIA GPU of Volta or later")
    try:
        return Nvml(lambda: nv.nvmlDeviceGetTotalEnergyConsumption(handle))
    except nv.NVMLError:
        pass  # older than Volta, or a virtual GPU
    try:
        return Polling(lambda: nv.nvmlDeviceGetPowerUsage(handle) * 1e-3, clock.monotonic)
    except nv.NVMLError as error:
        raise NoCounter(f"this GPU tells neither energy nor power ({error})", "take a GPU of Volta or later") from error


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""
