"""Records on disk. A result file has one JSON object a line and is only appended to; `table` reads it with one row per sample."""

import fcntl
import glob
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from spikebench.errors import Problem
from spikebench.records.files import regular
from spikebench.records.origin import origin
from spikebench.records.record import Measurement, Record
from spikebench.records.schema import CaseJson, EnvironmentJson, JsonValue

if TYPE_CHECKING:
    import pandas as pd

LONGEST_LINE = 64 * 2**20


def append(path: Path, record: Record) -> None:
    """Append one record: a single write under a lock, checked and synced. A torn last line is closed first.

    Raises Problem when the file cannot be written; nothing that was there is touched.
    """
    append_line(path, line(record))


def line(record: Record) -> bytes:
    """A record as a line of a file."""
    return (json.dumps(record.to_json(), separators=(",", ":"), allow_nan=False) + "\n").encode()


def append_line(path: Path, text: bytes) -> int:
    """Append a line as `append` does; where it begins in the file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            end = file.seek(0, os.SEEK_END)
            torn = bool(end and (file.seek(end - 1) or True) and file.read(1) != b"\n")
            whole = b"\n" * torn + text
            if os.write(file.fileno(), whole) != len(whole):
                os.ftruncate(file.fileno(), end)
                raise Problem(f"{path}: the disk took only a part of a record; free some space and use --resume")
            os.fsync(file.fileno())
            return end + torn
    except OSError as error:
        raise Problem(f"cannot write {path}: {error.strerror}; name another file with --out") from error


def read(path: Path, warnings: list[str] | None = None) -> Iterator[Record]:
    """The records of a file, in order. A line that is no record is skipped, and `warnings` gets its number and why."""
    notes = warnings if warnings is not None else []
    regular(path)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(_lines(file), 1):
                if line.strip():
                    try:
                        yield _record(line)
                    except (ValueError, TypeError, AttributeError, RecursionError) as error:
                        notes.append(f"{path}:{number}: skipped: {_why(error)}")
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror}") from error


def _lines(file: Any) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            line = b"{too long}"
        yield line


def _record(line: bytes) -> Record:
    data = json.loads(line)
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    return Record.from_json(data)


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return "a torn or foreign line"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def expand(patterns: Iterable[str | Path]) -> list[Path]:
    """Files that paths and glob patterns name; Problem if one names nothing."""
    found: list[Path] = []
    for pattern in patterns:
        matches = [Path(p) for p in sorted(glob.glob(str(pattern), recursive=True))]
        if not matches:
            raise Problem(f"no results at {pattern}; measure with `spikebench run --out {pattern}`")
        for match in matches:
            found += sorted(match.rglob("*.jsonl")) if match.is_dir() else [match]
    return list(dict.fromkeys(found))


def load(patterns: Iterable[str | Path] | str | Path, warnings: list[str] | None = None) -> list[Record]:
    """All records of the files that paths and patterns name; `warnings` gets what is named twice, and read once."""
    wanted = [patterns] if isinstance(patterns, str | Path) else list(patterns)
    if warnings is not None:
        warnings += [f"{name} is named twice, and read once" for name, n in Counter(map(str, wanted)).items() if n > 1]
    return [record for path in expand(wanted) for record in read(path, warnings)]


COLUMNS = "run case_id repeat subject neuron backend workload mode T B N dtype device rate seed network task".split()
ORIGIN = ("origin", "gpu", "commit", "dirty", "versions", "threads")
RESULT = "machine status reason flags gate metric unit metric_status sample value time record pairs interleaved aa_floor".split()


def frame(records: Iterable[Record], details: bool = False) -> "pd.DataFrame":
    """Tidy pandas frame: one row per sample, and one row with value NaN for a record or metric without samples.

    Columns: those of the case, machine, status, reason, flags, gate, metric, unit, metric_status, sample, value (SI),
    time (of measuring, in s since 1970), record (its number), pairs (the plan of the live comparison), interleaved (whether
    the samples were interleaved with those of other processes), aa_floor, and the origin: a label, and gpu, commit, dirty, versions and
    threads as text. Never average over two origins. With `details` also detail, the dictionary that says how samples were
    taken.
    """
    import pandas as pd

    rows = [row for number, record in enumerate(records) for row in _rows(record, number)]
    return pd.DataFrame(rows, columns=pd.Index([*COLUMNS, *RESULT, *ORIGIN, *(["detail"] if details else [])]))


def records(frame: Any) -> list[Record]:
    """The records that a frame is made of, with what it knows: cases, samples, and the environment as far as their origin."""
    found: list[Record] = []
    for _, rows in frame.groupby("record", sort=False):
        head = rows.iloc[0].to_dict()
        measured = [_measured(str(metric), part) for metric, part in rows.groupby("metric", sort=False)]
        about = cast(EnvironmentJson, {k: _known(head[k]) for k in ("machine", "time", "aa_floor", "origin")})
        plan, reason = _known(head["pairs"]), _known(head["reason"])
        case = cast(CaseJson, {k: _known(head[k]) for k in COLUMNS[3:]})
        names = (str(head["run"]), str(head["case_id"]), case, head["status"], reason, measured, about)
        found.append(Record(*names, str(head["flags"] or "").split(), None, int(head["repeat"]), plan))
    return found


def _measured(metric: str, rows: Any) -> Measurement:
    samples = [float(v) for v in rows["value"] if v == v]
    detail: dict[str, object] = {"interleaved": bool(rows["interleaved"].iloc[0])}
    return Measurement(metric, str(rows["unit"].iloc[0]), rows["metric_status"].iloc[0], None, samples, detail)


def _known(value: Any) -> Any:
    """None for what a column lacks; a number as Python's own."""
    if value is None or value != value:
        return None
    return value.item() if hasattr(value, "item") else value


def table(patterns: Iterable[str | Path] | str | Path, details: bool = False) -> "pd.DataFrame":
    """Tidy pandas frame of the records in files, folders or glob patterns; see `frame`."""
    return frame(load(patterns), details)


def _rows(record: Record, number: int) -> Iterator[dict[str, JsonValue]]:
    e, where = record.environment, origin(record)
    head: dict[str, JsonValue] = {k: record.case.get(k) for k in COLUMNS}
    head |= {"run": record.run, "case_id": record.case_id, "repeat": record.repeat, "record": number}
    head |= {"time": e.get("time"), "pairs": record.pairs, "aa_floor": e.get("aa_floor"), "interleaved": False}
    head |= {"machine": e.get("machine"), "status": record.status, "reason": record.reason}
    head |= {"flags": " ".join(record.flags), "gate": record.gate.status if record.gate else None}
    head |= {k: getattr(where, k) for k in ("gpu", "commit", "dirty", "threads")}
    head |= {"origin": str(where), "versions": ", ".join(map(" ".join, where.versions))}
    empty = {"metric": None, "unit": None, "metric_status": None, "sample": 0, "value": float("nan")}
    if not record.measurements:
        yield head | empty
    for m in record.measurements:
        about = {"metric": m.metric, "unit": m.unit, "metric_status": m.status, "detail": m.detail}
        about["interleaved"] = bool(m.detail.get("interleaved"))
        for index, value in enumerate(m.samples or [float("nan")]):
            yield head | about | {"sample": index, "value": value, "reason": m.reason or record.reason}
