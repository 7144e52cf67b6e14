"""Watches the machine while a case is measured, for what may disturb it: other load, stolen time, the GPU's other processes, clocks and throttling."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import psutil

from spikebench.host import environment

BUSY, STOLEN, SLOW = 0.2, 0.02, 0.8  # shares: of one core taken by others, of one core stolen, of the GPU's top clock


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


class Monitor:
    """Readings from before a measurement to after it; in between, `look` while a GPU works."""

    def __init__(self, device: str, read: "Callable[[str], Reading] | None" = None) -> None:
        self._device, self._read = device, read or reading
        self._readings = [self._read(device)]

    def look(self, _: str = "") -> None:
        """Take one more reading; fits `watch`."""
        self._readings.append(self._read(self._device))

    def end(self, own_cpu: float, wall: float) -> tuple[dict[str, Any], list[str]]:
        """Facts for the environment, and the flags that follow from them, after the last process has gone.

        `own_cpu` is the CPU time of our own processes, `wall` how long they took, in seconds.
        """
        self.look()
        first, last = self._readings[0], self._readings[-1]
        share = 1 / wall if wall else 0.0
        others, stolen = (last.busy - first.busy - own_cpu) * share, (last.stolen - first.stolen) * share
        flags = ["contended"] * (others > BUSY) + ["stolen"] * (stolen > STOLEN)
        facts: dict[str, Any] = {"other_cpu": others, "stolen_cpu": stolen}
        seen = [r.gpu for r in self._readings if r.gpu]
        if seen:
            # before and after, no process of ours is on the GPU; an idle GPU lowers its clock by itself
            strangers = max(seen[0].processes, seen[-1].processes)
            working = [g for g in seen[1:-1] if "idle" not in g.reasons]
            reasons = sorted({r for g in working for r in g.reasons})
            slowest = min((g.clock / g.top for g in working), default=None)
            facts |= {"other_gpu_processes": strangers, "throttle_reasons": reasons, "lowest_clock_share": slowest}
            facts |= {"sm_clock": _over(seen, working, "clock"), "top_sm_clock": seen[0].top}
            facts |= {"gpu_celsius": _over(seen, working, "celsius")}
            flags += ["shared_gpu"] * (strangers > 0)
            flags += ["throttled"] * bool(reasons or (slowest is not None and slowest < SLOW))
        return facts, flags


def _over(seen: list[Gpu], working: list[Gpu], what: str) -> dict[str, float | None]:
    """A quantity before and after, and its lowest and highest while the GPU worked; None where nobody looked."""
    busy = [v for g in working if (v := getattr(g, what)) is not None]
    ends = {"before": getattr(seen[0], what), "after": getattr(seen[-1], what)}
    return ends | {"lowest": min(busy, default=None), "highest": max(busy, default=None)}


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
