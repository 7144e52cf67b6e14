"""Records as a data set of their own: a Data Package (version 2) of files with checksums, sizes and a licence.

The records lie by machine as they were written. `samples.csv` has a row for every sample, with a type for each column.
The same records give the same bytes. `frictionless validate datapackage.json` and `sha256sum -c SHA256SUMS` check them.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from spikebench import __version__
from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.record import Record
from spikebench.report.cite import plain
from spikebench.report.export import safe_table

PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
KINDS = {"i": "integer", "u": "integer", "f": "number", "b": "boolean"}  # of numpy's types
README = """# Records of spikebench

{count} records of {machines}: what one fresh process gave for one case, with raw samples, the result of the gate, the machine and the commit.

- `records/`: one JSON object a line, a file for each machine. `schema/record.json` is their JSON Schema, and `spikebench show records` reads them.
- `samples.csv`: a row for every sample, values in SI units.
- `datapackage.json`: what each file is, by Data Package version 2.
- `SHA256SUMS`: `sha256sum -c SHA256SUMS` checks every file.

Times of two machines, commits or sets of versions are not to be compared. Licence: {licence}.
"""


@dataclass(frozen=True)
class Resource:
    """A file of the package, by the names that Data Package has for its facts."""

    name: str
    path: str
    format: str
    mediatype: str
    description: str
    bytes: int
    hash: str
    encoding: str = "utf-8"
    type: str | None = None
    schema: "dict[str, list[dict[str, str]]] | None" = None


def write(records: Sequence[Record], folder: Path, licence: str) -> int:
    """Write the package into a folder; how many records it holds. Problem for a licence that is no SPDX name."""
    if not re.fullmatch(r"[A-Za-z0-9.+-]+", licence):
        raise Problem(f"{licence[:80]!r} is no SPDX name of a licence; write Apache-2.0 or CC-BY-4.0")
    if not records:
        raise Problem("no records here: there is nothing to make a data set of")
    by_machine: dict[str, list[Record]] = defaultdict(list)
    for r in records:
        by_machine[str(r.environment.get("machine") or "unknown")].append(r)
    made = [
        _file(
            folder, f"records/{plain(m)}.jsonl", b"".join(map(store.line, rs)), "application/jsonl", f"Records of {m}."
        )
        for m, rs in sorted(by_machine.items())
    ]
    made.append(_samples(folder, records))
    schema = (files("spikebench.records") / "schemas" / "record.json").read_bytes()
    made.append(_file(folder, "schema/record.json", schema, "application/schema+json", "JSON Schema of a record."))
    told = README.format(count=f"{len(records):,}", machines=_counted(len(by_machine)), licence=licence)
    made.append(_file(folder, "README.md", told.encode(), "text/markdown", "What is here."))
    package = json.dumps(_package(records, made, licence), indent=1).encode() + b"\n"
    made.append(_file(folder, "datapackage.json", package, "application/json", ""))
    sums = "".join(f"{r.hash.removeprefix('sha256:')}  {r.path}\n" for r in made)
    (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")
    return len(records)


def _counted(machines: int) -> str:
    return f"{machines} machine{'s' * (machines != 1)}"


def _file(folder: Path, path: str, content: bytes, mediatype: str, about: str) -> Resource:
    where = folder / path
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_bytes(content)
    name, digest = plain(path.replace("/", "-")), hashlib.sha256(content).hexdigest()
    return Resource(name, path, where.suffix[1:], mediatype, about, len(content), f"sha256:{digest}")


def _samples(folder: Path, records: Sequence[Record]) -> Resource:
    table = safe_table(records)
    columns = [{"name": str(c), "type": KINDS.get(table[c].dtype.kind, "string")} for c in table]
    content = table.to_csv(index=False).encode()
    made = _file(folder, "samples.csv", content, "text/csv", "A row for every sample of every metric, in SI units.")
    return replace(made, type="table", schema={"fields": columns})


def _package(records: Sequence[Record], made: Sequence[Resource], licence: str) -> dict[str, object]:
    times = [t for r in records if isinstance(t := r.environment.get("time"), int | float)]
    created = {"created": datetime.fromtimestamp(max(times), UTC).isoformat(timespec="seconds")} if times else {}
    return {
        "$schema": PROFILE,
        "name": "spikebench-records",
        "title": "Records of spikebench",
        "description": "Time, memory, energy and spikes of spiking neurons, one record for each process, with raw samples.",
        "version": __version__,
        **created,
        "licenses": [{"name": licence, "path": f"https://spdx.org/licenses/{licence}.html"}],
        "keywords": ["benchmark", "spiking neural networks", "reproducibility"],
        "resources": [{k: v for k, v in asdict(r).items() if v is not None} for r in made],
    }
