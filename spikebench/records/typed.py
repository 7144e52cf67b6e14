"""Whether JSON that was read has the types that a dataclass or a TypedDict declares, so that a wrong field is said where it is read."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from spikebench.records import schema

Wrong: TypeAlias = tuple[str, str] | None  # where, and what was expected
Test: TypeAlias = Callable[[Any], Wrong]
LARGEST = 2**63  # whole numbers are below, as other readers of JSON need it too


def check(value: object, kind: Any) -> None:
    """ValueError names the first field whose value is not of its declared type. Fields that are not declared may have any."""
    if wrong := _test(kind)(value):
        where, expected = wrong
        raise ValueError(f"{where.lstrip('.') or 'the record'} is not {expected}")


@cache
def _test(kind: Any) -> Test:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any or kind == schema.JsonValue:
        return lambda value: None
    if origin is Annotated:
        return _between(*inner[1]) if isinstance(inner[1], tuple) else _test(inner[1])
    if origin is NotRequired:
        return _test(inner[0])
    if origin in (Union, UnionType):
        return _one_of([_test(k) for k in inner])
    if origin is Literal:
        return lambda value: None if value in inner and type(value) is str else ("", f"one of {', '.join(inner)}")
    if origin in (list, Sequence):
        return _list(_test(inner[0]))
    if origin in (dict, Mapping):
        return _mapping(_test(inner[1]))
    if is_dataclass(kind) or is_typeddict(kind):
        return _object(kind)
    return PLAIN[kind]


def _plain(expected: str, holds: Callable[[Any], bool]) -> Test:
    return lambda value: None if holds(value) else ("", expected)


def _text(value: Any) -> bool:
    if type(value) is not str:
        return False
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


def _whole(value: Any) -> bool:
    return type(value) is int and -LARGEST <= value < LARGEST


PLAIN: Mapping[Any, Test] = {
    NoneType: _plain("null", lambda v: v is None),
    bool: _plain("true or false", lambda v: type(v) is bool),
    int: _plain("a whole number", _whole),
    float: _plain("a finite number", lambda v: _whole(v) or (type(v) is float and math.isfinite(v))),
    str: _plain("a text", _text),
}


def _between(low: float, high: float) -> Test:
    return _plain(f"a number from {low:g} to {high:g}", lambda v: PLAIN[float](v) is None and low <= v <= high)


def _one_of(tests: list[Test]) -> Test:
    def test(value: Any) -> Wrong:
        found = [wrong for each in tests if (wrong := each(value))]
        if len(found) < len(tests):
            return None
        deepest = max(found, key=lambda wrong: len(wrong[0]))
        return deepest if deepest[0] else ("", " or ".join(expected for _, expected in found))

    return test


def _list(inside: Test) -> Test:
    def test(value: Any) -> Wrong:
        if type(value) is not list:
            return "", "a list"
        return next(((f"[{k}]{w[0]}", w[1]) for k, each in enumerate(value) if (w := inside(each))), None)

    return test


def _mapping(inside: Test) -> Test:
    def test(value: Any) -> Wrong:
        if type(value) is not dict:
            return "", "an object"
        if not all(map(_text, value)):
            return "", "an object whose names are texts"
        return next(((f".{k}{w[0]}", w[1]) for k, each in value.items() if (w := inside(each))), None)

    return test


def _object(kind: Any) -> Test:
    hints = get_type_hints(kind, localns=vars(schema), include_extras=True)
    if is_dataclass(kind):
        needed = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
        hints.pop("extra", None)
    else:
        needed = set(kind.__required_keys__)
    tests: dict[str, Test] = {}

    def test(value: Any) -> Wrong:
        if type(value) is not dict:
            return "", "an object"
        if not tests:  # made late, since a kind may hold others of itself
            tests.update((name, _test(hint)) for name, hint in hints.items())
        for name, inside in tests.items():
            if name not in value:
                if name in needed:
                    return f".{name}", "there"
            elif wrong := inside(value[name]):
                return f".{name}{wrong[0]}", wrong[1]
        return None if all(map(_text, value)) else ("", "an object whose names are texts")

    return test
