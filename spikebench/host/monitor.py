"""Watches the machine while a case is measured, for what may disturb it: other load, stolen time, the GPU's other processes, clocks and throttling."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import psutil

from spikebench.host import environment
from spikebench.records.flags import Flag


@dataclass(frozen=True)
class Gpu:
    """A GPU at one moment: clock and top clock in Hz, why it is held down, how many processes are on it, °C."""

    clock: float
    top: float
    reasons: tuple[str, ...]
    processes: int
    celsius: float | None = None

    def without(self, idle: int) -> "Gpu":
        """The same, with so many processes less: ours, which wait."""
        return replace(self, processes=max(0, self.processes - idle))


@dataclass(frozen=True)
class Reading:
    """CPU seconds since boot that processes used, and that the host took from this machine; the GPU, if asked for."""

    busy: float
    stolen: float
    gpu: Gpu | None = None


@dataclass(frozen=True)
class Range:
    """A quantity before and after, and its lowest and highest while the GPU worked; None where nobody read it."""

    before: float | None
    after: float | None
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True)
class GpuDuring:
    """A GPU while a case was measured. Clocks are in Hz, temperatures in °C."""

    other_gpu_processes: int
    throttle_reasons: list[str]
    lowest_clock_share: float | None
    sm_clock: Range
    top_sm_clock: float
    gpu_celsius: Range

    @classmethod
    def of(cls, seen: list[Gpu]) -> "GpuDuring":
        """What readings show. Before and after, no process of ours is on the GPU; an idle GPU lowers its clock by itself."""
        working = [g for g in seen[1:-1] if "idle" not in g.reasons]
        return cls(
            max(seen[0].processes, seen[-1].processes),
            sorted({r for g in working for r in g.reasons}),
            min((g.clock / g.top for g in working), default=None),
            _over([g.clock for g in seen], [g.clock for g in working]),
            seen[0].top,
            _over([g.celsius for g in seen], [g.celsius for g in working]),
        )


@dataclass(frozen=True)
class Around:
    """What else went on: shares of a core that other processes used and that the host took, and the GPU if there is one."""

    other_cpu: float
    stolen_cpu: float
    gpu: GpuDuring | None = None

    @property
    def flags(self) -> list[Flag]:
        """What is doubtful about times that were taken meanwhile."""
        found = [Flag.CONTENDED] * (self.other_cpu > Flag.CONTENDED.threshold)
        found += [Flag.STOLEN] * (self.stolen_cpu > Flag.STOLEN.threshold)
        if self.gpu:
            slowest = self.gpu.lowest_clock_share
            slow = slowest is not None and slowest < Flag.THROTTLED.threshold
            found += [Flag.SHARED_GPU] * (self.gpu.other_gpu_processes > 0)
            found += [Flag.THROTTLED] * bool(self.gpu.throttle_reasons or slow)
        return found

    def to_json(self) -> dict[str, object]:
        """As it stands in a record's environment."""
        gpu: dict[str, object] = asdict(self.gpu) if self.gpu else {}
        return {"other_cpu": self.other_cpu, "stolen_cpu": self.stolen_cpu, **gpu}


class Monitor:
    """Readings from before a measurement to after it; in between, `look` while a GPU works."""

    def __init__(self, device: str, read: "Callable[[str], Reading] | None" = None) -> None:
        self._device, self._read = device, read or reading
        self._readings = [self._read(device)]

    def look(self, _: str = "") -> None:
        """Take one more reading; fits `watch`."""
        self._readings.append(self._read(self._device))

    def end(self, own_cpu: float, wall: float) -> Around:
        """What else went on, after the last process has gone.

        `own_cpu` is the CPU time of our own processes, `wall` how long they took, in seconds.
        """
        self.look()
        first, last = self._readings[0], self._readings[-1]
        share = 1 / wall if wall else 0.0
        others, stolen = (last.busy - first.busy - own_cpu) * share, (last.stolen - first.stolen) * share
        seen = [r.gpu for r in self._readings if r.gpu]
        return Around(others, stolen, GpuDuring.of(seen) if seen else None)


def _over(seen: Sequence[float | None], working: Sequence[float | None]) -> Range:
    busy = [v for v in working if v is not None]
    return Range(seen[0], seen[-1], min(busy, default=None), max(busy, default=None))


def reading(device: str) -> Reading:
    """The machine now; `device` says whether the GPU is asked too."""
    times = psutil.cpu_times()
    busy = times.user + times.system + getattr(times, "nice", 0.0)
    return Reading(busy, getattr(times, "steal", 0.0), _gpu() if device == "cuda" else None)


def _gpu() -> Gpu | None:
    import pynvml as nv

    handle = environment.gpu_handle()
    if handle is None:
        return None
    names = {
        nv.nvmlClocksEventReasonGpuIdle: "idle",
        nv.nvmlClocksThrottleReasonSwPowerCap: "power cap",
        nv.nvmlClocksThrottleReasonHwSlowdown: "hardware slowdown",
        nv.nvmlClocksThrottleReasonHwThermalSlowdown: "heat (hardware)",
        nv.nvmlClocksThrottleReasonSwThermalSlowdown: "heat (software)",
        nv.nvmlClocksThrottleReasonHwPowerBrakeSlowdown: "power brake",
    }
    try:
        bits = nv.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
        clock = nv.nvmlDeviceGetClockInfo(handle, nv.NVML_CLOCK_SM) * 1e6
        top = nv.nvmlDeviceGetMaxClockInfo(handle, nv.NVML_CLOCK_SM) * 1e6
        processes = len(nv.nvmlDeviceGetComputeRunningProcesses(handle))
        celsius = float(nv.nvmlDeviceGetTemperature(handle, nv.NVML_TEMPERATURE_GPU))
    except nv.NVMLError:
        return None
    return Gpu(clock, top, tuple(name for bit, name in names.items() if bits & bit), processes, celsius)
