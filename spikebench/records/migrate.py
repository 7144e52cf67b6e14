"""Reads records of earlier schemas as records of the present one. Files are not rewritten.

1 → 2   the gate's result has every field that a gate can have, null where it had none, and so have its probes;
        a measurement's detail says `interleaved` where it said `turns`; `pairs` is there, null for a single record
"""

from collections.abc import Callable, Mapping
from typing import Any

from spikebench.records.schema import JsonValue

SCHEMA = 2
GATE = {"status": None, "reason": None, "bias": None, "spikes": None, "probes": [], "layer": None, "network": None}
PROBE = {"gradient_error": None, "parameter_error": None, "entry_error": None}


def migrated(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON object of a record in the present schema. ValueError names one that is newer, or no schema at all."""
    schema = data.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ValueError(f"schema {schema!r} is not one of a record")
    if schema > SCHEMA:
        raise ValueError(f"schema {schema} is newer than {SCHEMA}, the newest this version reads; update spikebench")
    made = dict(data)
    for older in range(schema, SCHEMA):
        made = {**STEPS[older](made), "schema": older + 1}
    return made


def _from_1(data: Mapping[str, Any]) -> dict[str, JsonValue]:
    gate = data.get("gate")
    whole = gate and GATE | gate | {"probes": [PROBE | p for p in gate.get("probes") or []]}
    measured = [m | {"detail": _interleaved(m.get("detail") or {})} for m in data.get("measurements", [])]
    return {"pairs": None, **data, "gate": whole or None, "measurements": measured}


def _interleaved(detail: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {"interleaved" if k == "turns" else k: v for k, v in detail.items()}


STEPS: Mapping[int, Callable[[Mapping[str, Any]], dict[str, JsonValue]]] = {1: _from_1}
