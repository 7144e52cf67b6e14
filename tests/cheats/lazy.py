"""Gives a tensor that computes its values when they are read, or one that is filled after the clock has stopped.

A thread fills it, or what runs without being called: a mode of torch, a hook of the interpreter or of who audits it, the
handler of a signal.
"""

import _thread
import gc
import signal
import sys
from collections.abc import Callable
from threading import Thread
from typing import Any, Literal

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree

from spikebench.backends import eager
from spikebench.neuron import Neuron

Kind = Literal["subclass", "thread", "half-thread", "raw", "holds", "mode", "method", "hook", "audit", "signal"]
pending: list[Callable[[], None]] = []
installed: set[str] = set()


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Kind = "subclass") -> Tensor:
    """All but `subclass` are honest until the garbage collector is off; `half-thread` computes half of the series at once.

    `raw` is a thread that Python's list of threads does not have, and `holds` one that lets no other run until it is done.
    """
    if kind == "subclass":
        lazy = torch.zeros_like(x).as_subclass(Later)
        lazy.work = lambda: eager.run(neuron, x, seed)
        return lazy
    if gc.isenabled():
        return eager.run(neuron, x, seed)
    some = x.shape[1] // 2 if kind == "half-thread" else 0
    out = torch.zeros_like(x.detach())
    if some:
        out[:, :some] = eager.run(neuron, x[:, :some].detach(), seed)

    def rest() -> None:
        with torch.no_grad():
            out[:, some:] = eager.run(neuron, x[:, some:].detach().clone(), seed)

    if kind in ("thread", "half-thread"):
        Thread(target=rest).start()
    elif kind == "raw":
        _thread.start_new_thread(rest, ())
    elif kind == "holds":
        sys.setswitchinterval(10)
        _thread.start_new_thread(_alone, (neuron, x.detach().numpy().copy(), out.numpy()))
    else:
        pending.append(rest)
        _install(kind)
    return out + (x - x.detach()) if x.requires_grad and torch.is_grad_enabled() else out


def _compute(*_: object) -> None:
    while pending:
        pending.pop()()


def _install(kind: Kind) -> None:
    if kind == "signal":
        signal.signal(signal.SIGALRM, _compute)
        signal.setitimer(signal.ITIMER_REAL, 5e-5)
    elif kind == "method":
        Tensor.numel = _numel  # pyright: ignore[reportAttributeAccessIssue]  # which it inherits
    elif kind not in installed:
        installed.add(kind)
        Reading().__enter__() if kind == "mode" else sys.setprofile(_hook) if kind == "hook" else sys.addaudithook(
            _compute
        )


def _numel(tensor: Tensor) -> int:
    """Who asks first how many values a tensor has computes them, and finds the method as it was."""
    del Tensor.numel
    _compute()
    return tensor.numel()


def _alone(neuron: Any, x: Any, out: Any) -> None:
    """The spikes of a soft reset, in operations of numpy that are too small to let another thread run."""
    decay, threshold = x.dtype.type(neuron.decay), x.dtype.type(neuron.threshold)
    for b in range(x.shape[1]):
        v = 0 * x[0, b]
        for t in range(len(x)):
            v = decay * v + x[t, b]
            out[t, b] = v >= threshold
            v = v - threshold * out[t, b]


def _hook(frame: Any, event: str, _: object) -> None:
    if event == "call" and frame.f_code.co_name == "_keep":
        _compute()


class Reading(TorchFunctionMode):
    """Computes what is pending when somebody reads a tensor."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.clone, Tensor.reshape):
            _compute()
        return func(*args, **(kwargs or {}))


class Later(Tensor):
    """A tensor that is computed when an operation wants it."""

    work: Any

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        def value(v: Any) -> Any:
            return v.work() if isinstance(v, Later) else v

        return func(*_pytree.tree_map(value, args), **_pytree.tree_map(value, kwargs or {}))
