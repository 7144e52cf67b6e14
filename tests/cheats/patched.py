"""Changes what measures or judges it: clocks, the comparison, the definition, chance, or what computes gradients."""

import ctypes
import gc
import importlib
import os
import sys
import time
from collections.abc import Callable
from types import MethodType
from typing import Any, Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

Kind = Literal[
    "time", "clock", "during", "once", "last", "name", "group", "instance", "class", "below", "equal", "method", "judge",
    "definition", "chance", "autograd", "flags",
]  # fmt: skip
HONEST = 20  # calls, more than any gate makes
calls = 0
REAL = time.perf_counter_ns
done: set[str] = set()
C: list[object] = []  # what must stay in memory


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Kind = "time") -> Tensor:
    """`during` changes the clock in the call only, `once` until it is read; `equal` and `method` are those of torch.

    `instance` and `class` change the clock that is used and not its class, `last` what it has noted; `below` is the clock's
    code in C. `name` gives a module of ours a `range` of its own, and `group` puts copies where the results of launches are.
    """
    global calls
    calls += 1
    if kind == "group":
        return _many(_fast(neuron, x))
    if kind in ("during", "once"):
        _slow_down() if kind == "during" else _once()
    elif kind not in done and calls > HONEST:
        done.add(kind)
        CHANGES[kind]()
    return _fast(neuron, x) if kind in ("below", "name") else eager.run(neuron, x, seed)


def _fast(neuron: Any, x: Tensor) -> Tensor:
    from spikebench.backends.cpu import lif  # which is near the bound already

    return lif.run(neuron, x)


def _slow_down() -> None:
    real, start = REAL, REAL()
    time.perf_counter_ns = lambda: start + (real() - start) // 10


def _once() -> None:
    """The next who reads the clock gets an early time, and finds it as it was after that."""
    start = REAL()

    def clock() -> int:
        time.perf_counter_ns = REAL
        return start + (REAL() - start) // 10

    time.perf_counter_ns = clock


def _many(out: Tensor) -> Tensor:
    """Says that there were ten times as many launches, and has ten times as many results."""
    frame: Any = sys._getframe()
    while frame is not None and frame.f_code.co_name != "launches":
        frame = frame.f_back
    if frame is not None:
        made, (given, group) = frame.f_back.f_back.f_locals["launches"], (frame.f_locals[k] for k in ("given", "group"))
        given += [(out.clone(), ()) for _ in range(9)]
        if group < 100:
            made.__closure__[made.__code__.co_freevars.index("group")].cell_contents = 10 * group
    return out


def _of(module: str, name: str, value: Any) -> Callable[[], None]:
    def change() -> None:
        owner: Any = importlib.import_module(module)
        *path, last = name.split(".")
        for part in path:
            owner = getattr(owner, part)
        setattr(owner, last, value)

    return change


def _short(self: Any, call: Callable[[], Any]) -> float:
    start = REAL()
    call()
    self.last = start, start + (REAL() - start) // 10
    return (self.last[1] - start) * 1e-9


def _instance() -> None:
    for clock in [o for o in gc.get_objects() if type(o).__name__ == "CpuClock"]:
        clock.measure = MethodType(_short, clock)


def _class() -> None:
    for clock in [o for o in gc.get_objects() if type(o).__name__ == "CpuClock"]:
        clock.__class__ = type("CpuClock", (type(clock),), {"measure": _short})


def _below() -> None:
    """The object `time.perf_counter_ns` stays what it is, and the function in C behind it becomes another."""
    method = ctypes.c_void_p.from_address(id(REAL) + 16).value  # m_ml of the object, whose second field is the function
    assert method is not None
    place, kind = ctypes.c_void_p.from_address(method + 8), ctypes.PYFUNCTYPE(ctypes.py_object, *[ctypes.c_void_p] * 2)
    assert place.value is not None
    real = kind(place.value)

    def clock(module: object, nothing: object) -> int:
        frame, now = sys._getframe(1), real(module, None)
        start = frame.f_locals.get("start") if frame.f_code.co_name == "measure" else None
        return now if start is None else start + (now - start) // 300

    C.append(wrapped := kind(clock))
    place.value = ctypes.cast(wrapped, ctypes.c_void_p).value


def _yes(*_: Any, **__: Any) -> bool:
    return True


def _tenth(_: Any, call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) / 10


def _noted(clock: Any, start: int, end: int) -> None:
    clock.__dict__["r"] = start, start + (end - start) // 10


def _zero(self: Any, x: Tensor, state: Any) -> Any:
    return 0 * x, x, state


def _none(outputs: Any, inputs: Any, *_: Any, **__: Any) -> Any:
    return tuple(torch.zeros_like(v) for v in inputs)


CHANGES: dict[str, Callable[[], None]] = {
    "time": _slow_down,
    "last": _of(
        "spikebench.host.clock", "CpuClock.last", property(lambda s: s.__dict__["r"], lambda s, v: _noted(s, *v))
    ),
    "name": _of("spikebench.sampling.timed", "range", lambda _: (0,)),
    "clock": _of("spikebench.host.clock", "CpuClock.measure", _tenth),
    "instance": _instance,
    "class": _class,
    "below": _below,
    "equal": _of("torch", "equal", _yes),
    "method": _of("torch", "Tensor.__ne__", lambda a, b: torch.zeros_like(a, dtype=torch.bool)),
    "judge": _of("spikebench.sampling.timed", "misformed", lambda *_: None),
    "definition": _of("spikebench.neurons.lif", "LIF.step", _zero),
    "chance": _of("os", "urandom", lambda n: bytes(n)),
    "autograd": _of("torch.autograd", "grad", _none),
    "flags": _of("torch", "get_num_threads", lambda: int(os.environ.get("OMP_NUM_THREADS", "1"))),
}
