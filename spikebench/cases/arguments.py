"""What somebody gave in Python, checked against the types that a function or a dataclass declares, before any work begins."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache, wraps
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from spikebench import units
from spikebench.errors import Problem

P = ParamSpec("P")
R = TypeVar("R")
SAID: Mapping[Any, str] = {
    NoneType: "None",
    bool: "True or False",
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    Path: "a path",
}


def asked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which raises Problem for an argument that it does not have, or that is not of the declared type.

    What it takes as `**given` it checks itself.
    """
    name, signature = getattr(function, "__name__", "it"), inspect.signature(function)

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            bound = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise Problem(f"{name}: {error}") from None
        for key, value in bound.items():
            p = signature.parameters[key]
            for each in value if p.kind is p.VAR_POSITIONAL else () if p.kind is p.VAR_KEYWORD else (value,):
                if why := expected(each, p.annotation):
                    raise Problem(f"{name}: {key}={shortened(each)} is not {why}")
        return function(*args, **kwargs)

    return called


def check_fields(instance: Any) -> None:
    """Problem names the first field of a dataclass whose value is not of its declared type."""
    for name, hint in _hints(type(instance)).items():
        if why := expected(getattr(instance, name), hint):
            raise Problem(f"{name}={shortened(getattr(instance, name))} is not {why}")


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    said = get_type_hints(kind, include_extras=True)
    return {f.name: said[f.name] for f in fields(kind) if f.init}


def expected(value: object, kind: Any) -> str | None:
    """What a value should have been, in words; None if it is of a type."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return expected(value, inner[0]) or _outside(value, inner)
    if origin in (Union, UnionType):
        found = [expected(value, k) for k in inner]
        return None if None in found else " or ".join(dict.fromkeys(cast(list[str], found)))
    if origin is Literal:
        return None if isinstance(value, str) and value in inner else f"one of {', '.join(map(str, inner))}"
    if origin in (list, tuple, Sequence):
        return _several(value, inner[0], (list,) if origin is list else (list, tuple, range))
    if origin is Iterable:
        return None if isinstance(value, Iterable) and not isinstance(value, str | Mapping) else "a list"
    if origin in (dict, Mapping):
        return _mapping(value, *inner)
    if origin is not None and issubclass(origin, Callable):
        return None if callable(value) else "a function"
    return _plain(value, kind)


def _plain(value: object, kind: Any) -> str | None:
    if not isinstance(kind, type) or kind in (Any, object, inspect.Parameter.empty):
        return None  # what cannot be told here
    if getattr(kind, "_is_protocol", False):
        has = [name for name in {*vars(kind), *inspect.get_annotations(kind)} if not name.startswith("_")]
        return None if all(hasattr(value, name) for name in has) else f"a {kind.__name__.lower()}"
    if kind is float:
        fits = isinstance(value, Real) and not isinstance(value, bool) and units.finite(value)
    elif kind is int:
        fits = isinstance(value, Integral) and not isinstance(value, bool)
    else:
        fits = isinstance(value, kind)
    return None if fits else SAID.get(kind, f"a {kind.__name__}")


def _mapping(value: object, key: Any, inside: Any) -> str | None:
    if not isinstance(value, Mapping):
        return "a dictionary"
    fits = all(expected(k, key) is None and expected(v, inside) is None for k, v in value.items())
    return None if fits else "a dictionary of the right kinds"


def _outside(value: Any, said: Sequence[Any]) -> str | None:
    """The interval that stands beside a type, if a number is not in it."""
    within = next((a for a in said[1:] if isinstance(a, str)), None)
    return None if within is None or value in units.Interval.of(within) else f"{SAID[said[0]]} in {within}"


def _several(value: Any, kind: Any, holds: tuple[type[Any], ...]) -> str | None:
    if not isinstance(value, holds):
        return "a list"
    return next((f"a list, each of them {why}" for each in value if (why := expected(each, kind))), None)


def shortened(value: object) -> str:
    """A value as a line can hold it."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:60]}…"
