"""What measures and judges, as it was before a subject was loaded: its callables and constants are compared with that later."""

import builtins
import gc
import hashlib
import importlib
import inspect
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import CodeType, FunctionType, ModuleType

import torch

OWN = "spikebench."
APART = ("spikebench.backends.",)  # backends are subjects: what they change of their own is their own
PYTHON = (builtins, time, os, gc, sys, json, hashlib, statistics, inspect, importlib)
TORCH = ("torch.autograd", "torch.autograd.grad_mode", "torch.autograd.function", "torch.cuda", "torch.testing")
FUNCTIONS = (
    *("equal", "allclose", "isclose", "randn", "randint", "randperm", "arange", "cat", "stack", "where", "sum", "max"),
    *("add", "empty", "empty_like", "zeros_like", "full_like", "no_grad", "enable_grad", "is_grad_enabled"),
    *("Generator", "get_num_threads", "set_num_threads", "save", "load", "tensor", "nan_to_num", "ne", "eq"),
)
CLOCKS = ("perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "clock_gettime")
TENSORS = (torch.Tensor, torch.UntypedStorage, *torch.UntypedStorage.__bases__)
SIGNALS = sorted(signal.valid_signals())
TOOLS = range(6)  # that sys.monitoring of Python 3.12 may have
HOOKS: dict[str, Callable[[], object]] = {
    "sys.setprofile": sys.getprofile,
    "sys.settrace": sys.gettrace,
    "sys.monitoring": lambda: _monitored(),
    "a signal's handler": lambda: tuple(map(signal.getsignal, SIGNALS)),
    "torch's function modes": lambda: torch._C._len_torch_function_stack(),
    "torch's dispatch modes": lambda: torch._C._len_torch_dispatch_stack(),
}
Owner = ModuleType | type
Held = tuple[object, CodeType | None, object]


class Snapshot:
    """Every callable of torch.autograd, time, os and others, the methods of tensors and of their storage, and all of our own modules.

    Of a function its code and its defaults are compared, too; of a module of ours also what is written in capitals, and
    whether it has new names, which would stand before those of Python.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[Owner, str], Held] = {}
        self._modules: set[str] = set()
        self._names: list[tuple[Owner, frozenset[str]]] = []
        self._own: list[tuple[Mapping[str, object], str, object]] = []
        for module in PYTHON:
            self._keep(module, callables(module))
        for name in TORCH:
            self._keep(importlib.import_module(name), callables(importlib.import_module(name)))
        self._keep(torch, ((n, getattr(torch, n)) for n in FUNCTIONS))
        for kind in TENSORS:
            self._keep(kind, ((n, inspect.getattr_static(kind, n)) for n in dir(kind)))
        self.extend()
        self._tensors = [(kind, dict(vars(kind))) for kind in TENSORS]
        self._hooks = {name: ask() for name, ask in HOOKS.items()}
        self._clocks = [(name, getattr(time, name)) for name in CLOCKS if hasattr(time, name)]

    def extend(self) -> None:
        """Take in the modules of ours that have been loaded since."""
        for name, module in list(sys.modules.items()):
            if not name.startswith(OWN) or name.startswith(APART) or name in self._modules:
                continue
            self._modules.add(name)
            self._keep_own(module, {n: v for n, v in vars(module).items() if _fixed(n, v)})
            for kind in [v for v in vars(module).values() if inspect.isclass(v) and v.__module__ == name]:
                self._keep_own(kind, {n: v for n, v in vars(kind).items() if _acts(v) or isinstance(v, _PLAIN)})

    def _keep_own(self, owner: Owner, found: Mapping[str, object]) -> None:
        self._keep(owner, iter(found.items()))
        self._names.append((owner, frozenset(vars(owner))))
        self._own += [(vars(owner), n, v) for n, v in found.items()]

    def _keep(self, owner: Owner, found: Iterator[tuple[str, object]]) -> None:
        for name, value in found:
            self._held[owner, name] = _told(value)

    def changed(self) -> list[str]:
        """Names of what is no longer what it was, and of what is new."""
        found = [
            (owner, name)
            for (owner, name), held in self._held.items()
            if _told(inspect.getattr_static(owner, name, None)) != held
        ]
        for owner, known in self._names:
            new = {name: value for name, value in vars(owner).items() if name not in known}
            found += [(owner, name) for name, value in new.items() if _shadows(owner, name, value)]
        return [f"{getattr(owner, '__name__', owner)}.{name}" for owner, name in found]

    def changed_now(self) -> str | None:
        """The first that is not what it was: of the clocks, of what runs without being called (hooks, modes and handlers of
        signals), of a tensor's methods, and of our own functions. It is asked after each sample, and takes less than a
        millisecond. No code is read of a function: that would be an event for whoever audits the interpreter."""
        for name, held in self._clocks:
            if getattr(time, name, None) is not held:
                return f"time.{name}"
        for name, held in self._hooks.items():
            if HOOKS[name]() != held:
                return name
        for kind, held in self._tensors:
            if name := _replaced(kind, held):
                return f"{kind.__name__}.{name}"
        for names, name, value in self._own:
            if names.get(name) is not value:
                return f"{names.get('__name__') or names.get('__qualname__') or names.get('__module__')}.{name}"
        return None


@cache
def at_start() -> Snapshot:
    """What measures and judges, as it was when this process, or the one it was forked from, began."""
    return Snapshot()


def shadowed(*things: object) -> str | None:
    """A method that an object has of its own, in place of its class's; None if there is none."""
    for thing in things:
        for name in vars(thing):
            if callable(getattr(type(thing), name, None)):
                return f"{type(thing).__name__}.{name}"
    return None


def _replaced(kind: type, held: Mapping[str, object]) -> str | None:
    """A name of a class that is not what it was, or a new one that stands before that of a class above it."""
    names = vars(kind)
    changed = (name for name, value in held.items() if names.get(name) is not value)
    new = (name for name in names.keys() - held.keys() if any(name in vars(above) for above in kind.__mro__[1:]))
    return next(changed, None) or next(new, None)


def _monitored() -> list[str | None]:
    """The tools that watch what the interpreter does."""
    monitoring = getattr(sys, "monitoring", None)
    return [monitoring.get_tool(tool) for tool in TOOLS] if monitoring else []


_DESCRIPTORS = (property, staticmethod, classmethod)
_PLAIN = (bool, int, float, str, tuple, type(None))


def _acts(value: object) -> bool:
    """Whether a name of a class does something when it is used."""
    return callable(value) or isinstance(value, _DESCRIPTORS) or hasattr(type(value), "__get__")


def _shadows(owner: Owner, name: str, value: object) -> bool:
    """Whether a new name changes what happens: in a module any but that of a module loaded since, in a class what acts."""
    if isinstance(owner, ModuleType):
        return not name.startswith("__") and not isinstance(value, ModuleType)
    return _acts(value)


def callables(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Names and values of a module's own callables."""
    return ((n, v) for n, v in vars(module).items() if callable(v) and not n.startswith("__"))


def _fixed(name: str, value: object) -> bool:
    """Whether a name of one of our modules has to stay what it is."""
    if name.startswith("__"):
        return False
    return (
        callable(value)
        or isinstance(value, ModuleType)
        or (name.isupper() and isinstance(value, int | float | str | tuple))
    )


class _Same:
    """Equal to nothing but the same object."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def _told(value: object) -> Held:
    """What is compared of a value: itself, and of a function the code and the defaults."""
    inner = value.__func__ if isinstance(value, staticmethod | classmethod) else value
    inner = inner.fget if isinstance(inner, property) else inner
    code = inner.__code__ if isinstance(inner, FunctionType) else None
    defaults = inner.__defaults__ if isinstance(inner, FunctionType) else None
    return _Same(value), code, _Same(defaults)
