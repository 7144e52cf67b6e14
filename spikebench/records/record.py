"""A record is what one process gave for one case. It holds samples; statistics are computed from them and never stored beside them."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SCHEMA = 1
FEWEST = 5  # pairs that a verdict takes

Status = Literal["ok", "skipped", "refused", "wrong", "oom", "timeout", "failed", "lost"]
MeasurementStatus = Literal["ok", "unavailable", "failed"]


@dataclass(frozen=True)
class Measurement:
    """Samples of one metric in an SI unit; `detail` says how they were taken."""

    metric: str
    unit: str
    status: MeasurementStatus = "ok"
    reason: str | None = None
    samples: list[float] = field(default_factory=list)
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """What one fresh process gave for one case: status and reason, measurements, the gate's result, environment and flags.

    `repeat` counts the processes of a case in a run. A record of a comparison has the comparison's plan in `pairs`, for
    example "5-20", because the number of interim analyses widens the interval. `extra` holds fields that this version
    does not know, so that they are not lost.
    """

    run: str
    case_id: str
    case: dict[str, Any]
    status: Status = "ok"
    reason: str | None = None
    measurements: list[Measurement] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    gate: dict[str, Any] | None = None
    repeat: int = 0
    pairs: str | None = None
    schema: int = SCHEMA
    extra: dict[str, Any] = field(default_factory=dict)

    def measurement(self, metric: str) -> Measurement | None:
        """The measurement of a metric, if there is one."""
        return next((m for m in self.measurements if m.metric == metric), None)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; unknown fields that were read are written again."""
        data = asdict(self)
        return {"schema": data.pop("schema"), **{k: v for k, v in data.items() if k != "extra"}, **self.extra}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Record":
        """The record of a JSON object; ValueError names a schema that is newer than this version, or what is missing."""
        schema = data.get("schema")
        if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
            raise ValueError(f"schema {schema!r} is not one of a record")
        if schema > SCHEMA:
            raise ValueError(
                f"schema {schema} is newer than {SCHEMA}, the newest this version reads; update spikebench"
            )
        if missing := [k for k in ("run", "case_id", "case") if k not in data]:
            raise ValueError(f"no field {', '.join(missing)}")
        known = set(Record.__dataclass_fields__) - {"extra", "measurements"}
        fields = {k: v for k, v in data.items() if k in known}
        measurements = [_measurement(m) for m in data.get("measurements", [])]
        extra = {k: v for k, v in data.items() if k not in known | {"measurements"}}
        return Record(**fields, measurements=measurements, extra=extra)


def _measurement(data: dict[str, Any]) -> Measurement:
    known = Measurement.__dataclass_fields__
    return Measurement(**{k: v for k, v in data.items() if k in known})
