"""A submission says who measured which subject, and what the records beside it show: the file `submission.toml` of a folder."""

import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from spikebench.errors import Problem
from spikebench.records import typed
from spikebench.records.files import regular

LARGEST_TOML = 2**20  # bytes
FILE, RECORDS, ENVIRONMENT = "submission.toml", "records.jsonl", "environment.json"


@dataclass(frozen=True)
class Stated:
    """One verdict as the submission states it: the ratio of times, baseline over subject, with its interval and its pairs."""

    case_id: str
    baseline_id: str
    verdict: Literal["faster", "same", "slower", "inconclusive"]
    ratio: float
    low: float
    high: float
    pairs: int
    metric: str = "latency"


@dataclass(frozen=True)
class Replication:
    """Records of the same cases that somebody else measured: who, and the file in the submission's folder."""

    who: str
    file: str


@dataclass(frozen=True)
class Submission:
    """A submission. `subject` is the subject of the records, `definition` the neuron of ours that it must equal.

    `commit` is that of spikebench when the records were made, and `files` has the SHA-256 of every file beside this one.
    `citation` is BibTeX, `licence` the SPDX name of the neuron's licence, `doi` that of a paper or an archive.
    """

    name: str
    rules: str
    who: str
    licence: str
    commit: str
    subject: str
    definition: str
    citation: str
    files: dict[str, str]
    verdicts: list[Stated]
    replications: list[Replication] = field(default_factory=list)
    doi: str | None = None

    @staticmethod
    def read(folder: Path) -> "Submission":
        """The submission of a folder. Problem if there is none; ValueError names the first field that is wrong."""
        path = regular(folder / FILE, LARGEST_TOML)
        try:
            found = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{FILE} is not TOML: {error}") from None
        except OSError as error:
            raise Problem(f"cannot read {path}: {error.strerror}") from error
        typed.check(found, Submission)
        if unknown := found.keys() - Submission.__dataclass_fields__.keys():
            raise ValueError(f"{FILE} has a field {sorted(unknown)[0]!r}, which rules {found['rules']} do not know")
        made = {**found, "verdicts": [Stated(**v) for v in found["verdicts"]]}
        made["replications"] = [Replication(**r) for r in found.get("replications", [])]
        return Submission(**made)

    def to_toml(self) -> str:
        """The text of `submission.toml`."""
        plain = {k: v for k, v in vars(self).items() if isinstance(v, str)}
        lines = [f"{k} = {_quoted(v)}" for k, v in plain.items()]
        lines += ["", "[files]", *(f"{_quoted(k)} = {_quoted(v)}" for k, v in sorted(self.files.items()))]
        for table, rows in (("verdicts", self.verdicts), ("replications", self.replications)):
            for row in rows:
                cells = [f"{k} = {_quoted(v) if isinstance(v, str) else repr(v)}" for k, v in asdict(row).items()]
                lines += ["", f"[[{table}]]", *cells]
        if not self.verdicts:
            lines.insert(0, "verdicts = []")
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A text as a basic string of TOML."""
    escaped = "".join(_escape(c) for c in text)
    return f'"{escaped}"'


def _escape(c: str) -> str:
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    return short.get(c) or (c if c.isprintable() else f"\\U{ord(c):08X}")
