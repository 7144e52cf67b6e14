"""The origin of a record: its machine, GPU, commit with uncommitted changes, versions and threads. Nothing is compared across two."""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from spikebench.records.record import Record

Versions = tuple[tuple[str, str], ...]
NOUNS = {"machine": "machines", "gpu": "GPUs", "commit": "commits", "dirty": "states of uncommitted changes"}
NOUNS |= {"versions": "sets of versions", "threads": "thread counts"}


@dataclass(frozen=True)
class Origin:
    """What must be equal for two records to be compared, averaged or joined by a line.

    `gpu` is "name UUID driver", `commit` the hash of the checkout and `dirty` one of its uncommitted changes; empty where
    there is none. `str` is a short label, different for different origins but for collisions of four hex digits.
    """

    machine: str
    gpu: str = ""
    commit: str = ""
    dirty: str = ""
    versions: Versions = ()
    threads: str = ""

    def __str__(self) -> str:
        changes = f"+{self.dirty[:4]}" if self.dirty else ""
        rest = hashlib.sha256(json.dumps([self.gpu, self.versions, self.threads]).encode()).hexdigest()[:4]
        return f"{self.machine}@{self.commit[:7] or 'no-commit'}{changes}/{rest}"

    @property
    def told(self) -> str:
        """The whole origin in words."""
        commit = f"commit {self.commit[:12]}" if self.commit else "no commit"
        changes = f" with uncommitted changes {self.dirty}" if self.dirty else ""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions)
        threads = f"{self.threads} threads" if self.threads else ""
        return "; ".join(filter(None, [self.machine, self.gpu, commit + changes, threads, versions]))


def origin(record: Record) -> Origin:
    """The origin of a record. Of a session with several interpreters, whose versions differ on purpose, it is the session's."""
    e = record.environment
    if "origin" in e:  # of a record that was made from a frame, which has no more than the label
        return Origin(str(e["origin"]))
    own = e.get("session")
    session = own if isinstance(own, dict) else e
    versions = {"python": session.get("python"), **_flat(session.get("versions"))}
    for name, other in sorted((session.get("interpreters") or {}).items()):
        versions |= {
            f"{name}: {k}": v for k, v in {"python": other.get("python"), **_flat(other.get("versions"))}.items()
        }
    gpu = e.get("gpu")
    card = " ".join(str(v) for k in ("name", "uuid", "driver") if (v := gpu.get(k))) if isinstance(gpu, dict) else gpu
    found = tuple((k, str(v)) for k, v in versions.items() if v is not None)
    where = (str(e.get("machine")), _text(card), _text(e.get("commit")), _text(e.get("dirty")))
    return Origin(*where, found, _text(e.get("threads")))


def _flat(versions: Any) -> dict[str, str | None]:
    return dict(sorted(versions.items())) if isinstance(versions, dict) else {}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def by_origin(records: Iterable[Record]) -> dict[Origin, list[Record]]:
    """The records of each origin, that with the newest record first."""
    found: dict[Origin, list[Record]] = {}
    for record in records:
        found.setdefault(origin(record), []).append(record)
    return dict(sorted(found.items(), key=lambda item: -max(map(_time, item[1]))))


def _time(record: Record) -> float:
    time = record.environment.get("time")
    return float(time) if isinstance(time, int | float) and math.isfinite(time) else -math.inf


def apart(origins: Iterable[Origin]) -> str:
    """In what several origins differ: "3 machines, 2 commits"; empty for one."""
    each = list(dict.fromkeys(origins))
    counts = {f.name: len({getattr(o, f.name) for o in each}) for f in fields(Origin)}
    return ", ".join(f"{count} {NOUNS[name]}" for name, count in counts.items() if count > 1)
