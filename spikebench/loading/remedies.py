"""Remedies that are tried on somebody's module as it stands: what PyTorch does is replaced while the module is called.

Each gives the same spikes where it is right to apply it, so that its gain can be measured before anybody changes code. The gate
compares the spikes. `analysis/causes.py` says which cause has which remedy.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

FACTORIES = ("zeros", "ones", "full", "tensor", "zeros_like", "ones_like", "full_like")
READERS = ("item", "__bool__", "__float__", "__int__")


class Remedied(nn.Module):
    """A module, called while a remedy is in place."""

    def __init__(self, module: nn.Module, remedy: str) -> None:
        super().__init__()
        self.module, self._remedy = module, REMEDIES[remedy]()

    def forward(self, x: Tensor) -> Tensor:
        with self._remedy():
            return self.module(x)


@contextmanager
def replaced(owner: Any, **attributes: Any) -> Iterator[None]:
    """Attributes of a class or module, replaced for a while."""
    missing = object()
    before = {k: vars(owner).get(k, missing) for k in attributes}
    for name, value in attributes.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is missing:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


Remedy = Callable[[], AbstractContextManager[object]]


def unbind() -> Remedy:
    """x[t] and x[:, t] with a whole number t take one of the tensors that x.unbind gives, which is called once."""

    @contextmanager
    def remedy() -> Iterator[None]:
        usual, steps = Tensor.__getitem__, dict[tuple[int, int, int], tuple[Tensor, tuple[Tensor, ...]]]()

        def taken(x: Tensor, key: Any) -> Any:
            axis = 1 if type(key) is tuple and len(key) == 2 and key[0] == slice(None) else 0
            t = key[1] if axis else key
            if type(t) is not int or not x.requires_grad or not torch.is_grad_enabled() or x.dim() < 3:
                return usual(x, key)
            name = (id(x), axis, x._version)
            if name not in steps:
                steps[name] = (x, x.unbind(axis))  # x is kept, so that its id stays its own
            return steps[name][1][t]

        with replaced(Tensor, __getitem__=taken):
            yield

    return remedy


def float32() -> Remedy:
    """What asks for float64 gets float32."""

    @contextmanager
    def remedy() -> Iterator[None]:
        with replaced(torch, float64=torch.float32, double=torch.float32), replaced(Tensor, double=Tensor.float):
            yield

    return remedy


def no_clone() -> Remedy:
    """Tensor.clone gives the tensor itself."""

    @contextmanager
    def remedy() -> Iterator[None]:
        with replaced(Tensor, clone=lambda x, **_: x), replaced(torch, clone=lambda x, **_: x):
            yield

    return remedy


def reuse() -> Remedy:
    """A constant tensor is made once in a call, and given again where the same is asked for."""

    @contextmanager
    def remedy() -> Iterator[None]:
        made: dict[Any, Tensor] = {}

        def once(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
            def constant(*given: Any, **named: Any) -> Tensor:
                key = (make, *map(_same, given), *((k, _same(v)) for k, v in named.items()))
                if key not in made:
                    made[key] = make(*given, **named)
                return made[key]

            return constant

        with replaced(torch, **{name: once(getattr(torch, name)) for name in FACTORIES}):
            yield

    return remedy


def _same(value: Any) -> Any:
    """What a constant depends on: of a tensor that it is to be like, its shape and type."""
    if isinstance(value, Tensor):
        return value.shape, value.dtype, value.device, value.requires_grad
    return tuple(map(_same, value)) if isinstance(value, list | tuple) else value


def no_wait() -> Remedy:
    """Numbers that Python reads are those of the first call, in its order, so that nobody waits for them.

    It is right where the input is the same in each call. A call that reads more numbers than the first one fails.
    """
    first: dict[str, list[Any]] = {}

    @contextmanager
    def remedy() -> Iterator[None]:
        known = {name: iter(values) for name, values in first.items()}

        def reader(name: str) -> Callable[[Tensor], Any]:
            usual = getattr(Tensor, name)
            if name in known:
                values = known[name]
                return lambda _: next(values)
            told = first.setdefault(name, [])

            def read(x: Tensor) -> Any:
                told.append(usual(x))
                return told[-1]

            return read

        with replaced(Tensor, **{name: reader(name) for name in READERS}):
            yield

    return remedy


REMEDIES: dict[str, Callable[[], Remedy]] = {
    "unbind": unbind,
    "float32": float32,
    "no-clone": no_clone,
    "reuse": reuse,
    "no-wait": no_wait,
}


@contextmanager
def imported(remedy: str | None) -> Iterator[None]:
    """While the subject's file is executed: constants that it makes then are float32, too, where that is tried."""
    with ExitStack() as stack:
        if remedy == "float32":
            stack.enter_context(float32()())
        yield
