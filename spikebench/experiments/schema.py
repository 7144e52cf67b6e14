"""`sb.schema`: JSON Schema of a case, a record and a submission, generated from what the package declares."""

from typing import Literal, get_args

from spikebench.cases.arguments import asked
from spikebench.cases.point import AUTOCASTS, DEVICES, DTYPES, SIZES, Allocator, Mode, Workload
from spikebench.errors import Problem
from spikebench.records.json_schema import Schema, json_schema
from spikebench.records.migrate import SCHEMA
from spikebench.records.record import Record
from spikebench.records.schema import CaseJson
from spikebench.records.submission import Submission

KINDS = {"case": CaseJson, "record": Record, "submission": Submission}
Kind = Literal["case", "record", "submission"]
CHOICES: dict[str, tuple[str | None, ...]] = {  # fields of a case that are one of some words
    "mode": get_args(Mode),
    "workload": get_args(Workload),
    "dtype": DTYPES,
    "device": DEVICES,
    "allocator": get_args(Allocator),
    "autocast": AUTOCASTS,
}


@asked
def schema(kind: str = "record") -> Schema:
    """The JSON Schema (2020-12) of a case, a record or a submission. Fields that it does not name are allowed.

    It describes every record that this version reads, from schema 1 on. `submission.toml` is TOML of that structure.
    """
    if kind not in KINDS:
        raise Problem(f"no schema of {kind!r}; there are {', '.join(KINDS)}")
    made = json_schema(KINDS[kind], f"spikebench {kind}")
    defined = made["$defs"]
    assert isinstance(defined, dict)
    if case := defined.get("Case"):
        fields = case["properties"]
        fields |= {name: {"enum": list(words)} for name, words in CHOICES.items()}
        fields |= {axis: {"type": "integer", "minimum": 0, "exclusiveMaximum": SIZES} for axis in "TBN"}
    if record := defined.get("Record"):
        record["properties"]["schema"] = {"type": "integer", "minimum": 1, "maximum": SCHEMA}
        record["required"] = sorted({*record["required"], "schema"})
    return made
