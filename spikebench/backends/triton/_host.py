"""How long the host takes for a step of a fused neuron: everything but the device's work, with a driver that does nothing.

`python -m spikebench.backends.triton host` prints it; it needs no GPU. On one the backward pass runs in a thread of
autograd's, which adds the time to wake it.
"""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import count
from types import SimpleNamespace
from typing import Any

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from spikebench.backends.triton import _launch
from spikebench.host.clock import CpuClock

SIZE = (4, 1, 64)  # T, B, N: small, so that no memory is waited for
PROPERTIES = {"max_shared_mem": 232_448, "multiprocessor_count": 132, "max_num_regs": 65_536, "warpSize": 32}


class Driver:
    """What triton asks of a driver. Its only device has the number that torch gives a tensor on the CPU."""

    def __init__(self, capability: int = 90) -> None:
        self.launches: list[tuple[Any, ...]] = []
        self._capability, self._numbers = capability, count()
        self.utils = SimpleNamespace(load_binary=self._loaded, get_device_properties=lambda _: PROPERTIES)

    def _loaded(self, name: str, *_: object) -> tuple[Any, ...]:
        """Module, function, registers, spills, most threads; every binary's function has a name of its own."""
        return object(), f"{name} {next(self._numbers)}", 32, 0, 1024

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self._capability, 32)

    def get_current_device(self) -> int:
        return -1

    def get_current_stream(self, _: int) -> int:
        return 0

    def launcher_cls(self, _source: Any, _metadata: Any) -> Callable[..., None]:
        """Triton's launcher of a binary: it keeps what it is called with, and launches nothing."""
        return lambda *given: self.launches.append(given)


@contextmanager
def without_gpu() -> Iterator[Driver]:
    """Launches inside go to a driver that does nothing, on tensors on the CPU; kernels are compiled as for an H100."""
    before, stand_in = driver._active, Driver()
    driver.set_active(stand_in)
    _launch.PLACES.add("cpu")
    try:
        yield stand_in
    finally:
        driver._active = before
        _launch.PLACES.discard("cpu")


def step(neuron: str) -> Callable[[], object]:
    """A training step of a fused neuron without its device: forward, and the gradient of its input."""
    run = import_module(f"spikebench.backends.triton.{neuron}").run
    there = vars(import_module(f"spikebench.neurons.{neuron}"))
    made = next(v for k, v in there.items() if k.lower() == neuron.replace("_", ""))()
    x, g = torch.zeros(SIZE, requires_grad=True), torch.ones(SIZE)
    return lambda: torch.autograd.grad(run(made, x), x, g)


def seconds(neuron: str, samples: int = 200, each: int = 20) -> list[float]:
    """Host time of a training step, each sample the mean of `each` steps."""
    clock = CpuClock()
    with without_gpu() as stand_in:
        once = step(neuron)
        once()

        def several() -> None:
            for _ in range(each):
                once()
            stand_in.launches.clear()

        return [clock.measure(several) / each for _ in range(samples)]


def text(neurons: tuple[str, ...] = ("lif", "spsn")) -> str:
    """A line for each neuron: median, quartiles and least of the host's time, in microseconds."""
    lines = []
    for neuron in neurons:
        found = seconds(neuron)
        low, middle, high = (1e6 * q for q in statistics.quantiles(found, n=4))
        lines.append(f"{neuron}: {middle:.1f} us (quartiles {low:.1f} and {high:.1f}, least {1e6 * min(found):.1f})\n")
    return "".join(lines)
