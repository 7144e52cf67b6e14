"""Options in square brackets, `[decay=0.9,reset=soft]`: read, written, and checked against what an item declares."""

import math
from collections.abc import Mapping

from spikebench import registry, units
from spikebench.declarations import Option
from spikebench.errors import Problem

Value = bool | int | float | str | None
Options = dict[str, Value]
WHOLE = 2**63  # a whole number is nearer to 0


def parse_options(text: str | None) -> Options:
    """Options from "[a=1,b=x]", "a=1,b=x" or None."""
    options: Options = {}
    for part in filter(None, (p.strip() for p in (text or "").strip("[]").split(","))):
        key, equals, value = part.partition("=")
        if not equals:
            raise Problem(f"cannot read option {part!r}; write option=value")
        name, read = registry.canonical(key), read_value(value.strip())
        if name in options:
            raise Problem(f"option {name!r} is given twice: {shown(options[name])} and {shown(read)}; leave one out")
        if not _computable(read):
            raise Problem(f"{name}={value.strip()[:40]} is not a number to compute with; give a finite one")
        options[name] = read
    return options


def _computable(value: Value) -> bool:
    """Whether a value, if it is a number, is finite and fits into 64 bits."""
    return math.isfinite(value) if isinstance(value, float) else not isinstance(value, int) or abs(value) < WHOLE


def written(options: Mapping[str, Value]) -> str:
    """Options as "[a=1,b=x]", "" if there are none; `parse_options` reads it."""
    return "[" + ",".join(f"{k}={shown(v)}" for k, v in options.items()) + "]" if options else ""


def read_value(text: str) -> Value:
    """A number, true, false, none, or text."""
    lowered = text.lower()
    if lowered in ("true", "false", "none"):
        return {"true": True, "false": False, "none": None}[lowered]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def checked(owner: str, given: Mapping[str, Value], known: Mapping[str, Option]) -> Options:
    """What was given in the order and types that the owner declares, without what equals a default; else Problem."""
    kept: Options = {}
    for key, value in given.items():
        if key not in known:
            raise Problem(f"no option {key!r} for {owner}; there are {', '.join(known) or 'none'}")
        option = known[key]
        if option.choices and value not in option.choices:
            choices = [shown(c) for c in option.choices]
            dashed = {c.replace("_", "-"): real for c, real in zip(choices, option.choices, strict=True)}
            if shown(value).replace("_", "-") not in dashed:
                raise Problem(f"{key}={shown(value)} is not an option of {owner}; there are {', '.join(choices)}")
            value = dashed[shown(value).replace("_", "-")]
        value = _typed(owner, key, value, option)
        if value != option.default or type(value) is not type(option.default):
            kept[key] = value
    return {k: kept[k] for k in known if k in kept}


def _typed(owner: str, key: str, value: Value, option: Option) -> Value:
    wants = option.type_name.split("|")[0].strip() or type(option.default).__name__
    if value is None and ("None" in option.type_name or option.default is None):
        return None
    if wants == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    kinds: dict[str, type] = {"float": float, "int": int, "bool": bool, "str": str}
    if wants in kinds and type(value) is not kinds[wants]:
        raise Problem(f"{key}={shown(value)} of {owner} must be {option.type_name}; the default is {option.default}")
    if option.within and isinstance(value, int | float) and value not in units.Interval.of(option.within):
        raise Problem(f"{key}={shown(value)} of {owner} must lie in {option.within}; the default is {option.default}")
    return value


def number(value: Value) -> float:
    """The value of an option that is declared as a number."""
    if not isinstance(value, int | float):
        raise Problem(f"{shown(value)} is not a number")
    return float(value)


def shown(value: Value) -> str:
    """A value as it is written in brackets."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)
