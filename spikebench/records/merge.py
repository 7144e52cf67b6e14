"""Joins the files of shards: every record once, and nothing is joined that was measured twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.origin import Origin, apart, origin
from spikebench.records.record import Record

Key = tuple[str, int, str, str | None, Origin]


@dataclass(frozen=True)
class Merged:
    """The records of several files in the order of their files, and lines that a person should read about them."""

    records: list[Record]
    notes: list[str]


def merged(files: Sequence[Path]) -> Merged:
    """The records of files, each once.

    The same line in two files is one record. Raises Problem where two files have samples of the same metric, case,
    repeat and origin: then the shards overlap, and a case would count twice. A torn line is left out and named. Origins
    are named where there are several, since nothing is compared across them.
    """
    notes, found = list[str](), dict[bytes, Record]()
    owner: dict[Key, Path] = {}
    copies = 0
    for path in files:
        for record in store.read(path, notes):
            line = store.line(record)
            copies += line in found
            if line in found:
                continue
            found[line] = record
            for key in _keys(record):
                if (other := owner.setdefault(key, path)) != path:
                    both = f"{other} and {path} have both measured {record.case['subject']} {_sizes(record)}"
                    raise Problem(f"{both}; leave one of the files out (`show` takes both as they are)")
    if copies:
        notes.append(f"{copies} records are in several files, and were taken once")
    records = list(found.values())
    if several := apart(map(origin, records)):
        notes.append(f"{several}: nothing is compared, averaged or joined by a line across them")
    return Merged(records, notes)


def _keys(record: Record) -> list[Key]:
    """What two files may not both have: a metric of a case by repeat and origin; of a comparison by run, too, since each run has its own blocks."""
    own = record.run if record.pairs else None
    there = [m.metric for m in record.measurements if m.samples] if record.status == "ok" else []
    return [(record.case_id, record.repeat, metric, own, origin(record)) for metric in there]


def _sizes(record: Record) -> str:
    c = record.case
    seed = f" seed={c['seed']}" if c["workload"] == "training" else ""
    return " ".join(f"{k}={c[k]}" for k in ("T", "B", "N") if c[k]) + f" {c['mode']}{seed}, repeat {record.repeat}"
