"""JSON Schema (2020-12) of what is declared as a dataclass or a TypedDict: what `typed.check` accepts, for other languages.

One thing differs: JSON Schema takes 2.0 for a whole number, which `typed.check` does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from spikebench.records import schema

Schema = dict[str, object]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
PLAIN: Mapping[Any, Schema] = {
    NoneType: {"type": "null"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    float: {"type": "number"},
    str: {"type": "string"},
}


def json_schema(kind: Any, title: str) -> Schema:
    """The schema of a kind and of every kind in it. Objects may have further fields, as files of later versions have."""
    there: dict[str, Schema] = {}
    whole = _schema(kind, there)
    return {"$schema": DIALECT, "title": title, **whole, "$defs": dict(sorted(there.items()))}


def _schema(kind: Any, there: dict[str, Schema]) -> Schema:
    """The schema of one kind; objects are put into `there` and referred to, since a kind may hold itself."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any or kind is object or kind == schema.JsonValue:
        return {}
    if origin is Annotated:
        if isinstance(inner[1], tuple):
            return {"type": "number", "minimum": inner[1][0], "maximum": inner[1][1]}
        return _schema(inner[1], there)
    if origin is NotRequired:
        return _schema(inner[0], there)
    if origin in (Union, UnionType):
        return {"anyOf": [_schema(k, there) for k in inner]}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (list, Sequence):
        return {"type": "array", "items": _schema(inner[0], there)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _schema(inner[1], there)}
    if is_dataclass(kind) or is_typeddict(kind):
        name = getattr(kind, "__name__", str(kind)).removesuffix("Json")
        if name not in there:
            there[name] = {}  # while it is made it may be asked for again
            there[name] = _object(kind, there)
        return {"$ref": f"#/$defs/{name}"}
    return dict(PLAIN[kind])


def _object(kind: Any, there: dict[str, Schema]) -> Schema:
    hints = get_type_hints(kind, localns=vars(schema), include_extras=True)
    if is_dataclass(kind):
        needed = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
        hints.pop("extra", None)  # holds the fields that are not declared
    else:
        needed = set(kind.__required_keys__)
    said = (kind.__doc__ or "").strip().partition("\n")[0]
    return {
        "type": "object",
        **({"description": said} if said else {}),
        "properties": {name: _schema(hint, there) for name, hint in hints.items()},
        "required": sorted(needed),
    }
