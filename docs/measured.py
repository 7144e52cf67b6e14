"""The page of what was measured where, made when the site is built: machines, dates and commits of the committed records."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from spikebench.records import store
from spikebench.records.record import Record

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

RESULTS = Path(__file__).parents[1] / "results"


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the page."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "measured.md", content="\n".join(page(RESULTS))))
    return files


def page(results: Path) -> Iterator[str]:
    """A section for each machine, a row for each of its files of records."""
    yield "# What was measured where\n\nThe committed records by machine, as `spikebench show results/MACHINE` prints them. `ok` passed their gates and gave what was"
    yield "asked of them; the others say why not. A commit with `+` had changes that were not committed. What was measured over the commits"
    yield "[has a page of its own](history.md).\n"
    for folder in sorted(p for p in results.iterdir() if p.is_dir() and any(p.glob("*.jsonl"))):
        yield from machine(folder)


def machine(folder: Path) -> Iterator[str]:
    """The section of a machine."""
    found = {path.stem: store.load(path) for path in sorted(folder.glob("*.jsonl"))}
    everything = [r for records in found.values() for r in records]
    yield f"## {folder.name}\n"
    yield f"{_listed(_processor(r) for r in everything)}. {_listed(_card(r) for r in everything)}.\n"
    yield "| records | number | ok | measured on | at commits | PyTorch |\n| --- | ---: | ---: | --- | --- | --- |"
    for name, records in found.items():
        ok = sum(r.status == "ok" for r in records)
        versions = _listed(r.environment["versions"].get("torch", "?") for r in records)
        yield f"| {name} | {len(records)} | {ok} | {_days(records)} | {_listed(map(_commit, records))} | {versions} |"
    yield ""


def _processor(record: Record) -> str:
    where = record.environment
    return f"{where['cpu']}, {where['cores']} cores, {where['memory_bytes'] / 2**30:.0f} GiB"


def _card(record: Record) -> str:
    card = record.environment.get("gpu")
    return f"{card['name']}, driver {card['driver']}" if card else "No GPU"


def _commit(record: Record) -> str:
    where = record.environment
    return f"`{(where.get('commit') or 'unknown')[:7]}{'+' if where.get('dirty') else ''}`"


def _days(records: list[Record]) -> str:
    days = sorted({f"{datetime.fromtimestamp(r.environment['time'], UTC):%Y-%m-%d}" for r in records})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _listed(values: Iterable[str]) -> str:
    """Each value once, in their order."""
    return ", ".join(dict.fromkeys(values))
