"""A record is what one process gave for one case. It holds samples; statistics are computed from them and never stored beside them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, cast

from spikebench.records import typed
from spikebench.records.gate import GateResult
from spikebench.records.migrate import SCHEMA as SCHEMA
from spikebench.records.migrate import migrated
from spikebench.records.schema import CaseJson, DetailJson, EnvironmentJson, JsonValue

FEWEST = 5  # pairs that a verdict takes
RULES = "1.0"  # of docs/rules.md, under which a record is made

Status = Literal["ok", "skipped", "refused", "wrong", "impossible", "oom", "timeout", "failed", "lost"]
MeasurementStatus = Literal["ok", "unavailable", "failed"]


@dataclass(frozen=True)
class Measurement:
    """Samples of one metric in an SI unit; `detail` says how they were taken. `extra`: fields this version does not know."""

    metric: str
    unit: str
    status: MeasurementStatus = "ok"
    reason: str | None = None
    samples: list[float] = field(default_factory=list)
    detail: Annotated[dict[str, object], DetailJson] = field(default_factory=dict)
    extra: dict[str, JsonValue] = field(default_factory=dict)

    @property
    def told(self) -> DetailJson:
        """The detail, with the types of what is read of it; they were checked when the record was read."""
        return cast(DetailJson, self.detail)

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        return {**{k: v for k, v in vars(self).items() if k != "extra"}, **self.extra}

    def finite(self) -> "Measurement":
        """The same as JSON can hold it: what is not finite is left out of the samples, and null in the detail."""
        return replace(self, samples=[v for v in self.samples if math.isfinite(v)], detail=finite(self.detail))

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Measurement":
        """The measurement of a JSON object."""
        known = Measurement.__dataclass_fields__.keys() - {"extra"}
        extra = {k: v for k, v in data.items() if k not in known}
        return Measurement(**{k: v for k, v in data.items() if k in known}, extra=extra)


@dataclass(frozen=True)
class Record:
    """What one fresh process gave for one case: status and reason, measurements, the gate's result, environment and flags.

    `repeat` counts the processes of a case in a run. A record of a comparison has the comparison's plan in `pairs`, for
    example "5-20", because the number of interim analyses widens the interval. `rules` is the version of docs/rules.md under which it was made;
    the first records have none. `extra` holds fields that this version does not know, so that they are not lost.
    """

    run: str
    case_id: str
    case: CaseJson
    status: Status = "ok"
    reason: str | None = None
    measurements: list[Measurement] = field(default_factory=list)
    environment: EnvironmentJson = field(default_factory=EnvironmentJson)
    flags: list[str] = field(default_factory=list)
    gate: GateResult | None = None
    repeat: int = 0
    pairs: str | None = None
    rules: str | None = None
    schema: int = SCHEMA
    extra: dict[str, JsonValue] = field(default_factory=dict)

    def measurement(self, metric: str) -> Measurement | None:
        """The measurement of a metric, if there is one."""
        return next((m for m in self.measurements if m.metric == metric), None)

    def to_json(self) -> dict[str, object]:
        """A JSON object; unknown fields that were read are written again."""
        names = [k for k in self.__dataclass_fields__ if k not in ("schema", "measurements", "gate", "extra")]
        data = {"schema": self.schema} | {k: getattr(self, k) for k in names}
        data |= {"measurements": [m.to_json() for m in self.measurements], "gate": self.gate and self.gate.to_json()}
        data = {k: v for k, v in data.items() if k != "rules" or v is not None}
        return {**data, **self.extra}

    def finite(self) -> "Record":
        """The same as JSON can hold it: see `Measurement.finite`; in the gate's result, too, what is not finite is null."""
        gate = self.gate and GateResult.from_json(finite(self.gate.to_json()))
        return replace(self, measurements=[m.finite() for m in self.measurements], gate=gate)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Record":
        """The record of a JSON object of this schema or an earlier one, which is migrated.

        ValueError names a schema that is newer than this version, or the first field that is missing or of another type.
        """
        try:
            now = migrated(data)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"a field is of another type than it has in schema {data['schema']}: {error}") from None
        typed.check(now, Record)
        known = set(Record.__dataclass_fields__) - {"extra"}
        fields = {k: v for k, v in now.items() if k in known - {"measurements", "gate"}}
        gate = now.get("gate") and GateResult.from_json(now["gate"])
        measurements = [Measurement.from_json(m) for m in now.get("measurements", [])]
        extra = {k: v for k, v in now.items() if k not in known}
        return Record(**fields, measurements=measurements, gate=gate or None, extra=extra)


def finite(value: Any) -> Any:
    """The value with null for every number that is not finite, however deep: JSON has no other."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
