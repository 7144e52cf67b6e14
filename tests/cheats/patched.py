"""Changes what measures or judges it: clocks, the comparison, the definition, chance, or what computes gradients."""

import importlib
import os
import time
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

Kind = Literal["time", "clock", "during", "equal", "method", "judge", "definition", "chance", "autograd", "flags"]
HONEST = 20  # calls, more than any gate makes
calls = 0
REAL = time.perf_counter_ns
done: set[str] = set()


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Kind = "time") -> Tensor:
    """`during` changes the clock in the call only; `equal` and `method` are those of torch."""
    global calls
    calls += 1
    if kind == "during":
        _slow_down()
    elif kind not in done and calls > HONEST:
        done.add(kind)
        CHANGES[kind]()
    return eager.run(neuron, x, seed)


def _slow_down() -> None:
    real, start = REAL, REAL()
    time.perf_counter_ns = lambda: start + (real() - start) // 10


def _of(module: str, name: str, value: Any) -> Callable[[], None]:
    def change() -> None:
        owner: Any = importlib.import_module(module)
        *path, last = name.split(".")
        for part in path:
            owner = getattr(owner, part)
        setattr(owner, last, value)

    return change


def _yes(*_: Any, **__: Any) -> bool:
    return True


def _tenth(_: Any, call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) / 10


def _zero(self: Any, x: Tensor, state: Any) -> Any:
    return 0 * x, x, state


def _none(outputs: Any, inputs: Any, *_: Any, **__: Any) -> Any:
    return tuple(torch.zeros_like(v) for v in inputs)


CHANGES: dict[str, Callable[[], None]] = {
    "time": _slow_down,
    "clock": _of("spikebench.host.clock", "CpuClock.measure", _tenth),
    "equal": _of("torch", "equal", _yes),
    "method": _of("torch", "Tensor.__ne__", lambda a, b: torch.zeros_like(a, dtype=torch.bool)),
    "judge": _of("spikebench.sampling.timed", "misformed", lambda *_: None),
    "definition": _of("spikebench.neurons.lif", "LIF.step", _zero),
    "chance": _of("os", "urandom", lambda n: bytes(n)),
    "autograd": _of("torch.autograd", "grad", _none),
    "flags": _of("torch", "get_num_threads", lambda: int(os.environ.get("OMP_NUM_THREADS", "1"))),
}
