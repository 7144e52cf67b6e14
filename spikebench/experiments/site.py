"""`sb.site` writes static pages from records and submissions."""

from collections.abc import Sequence
from pathlib import Path

from spikebench.cases.arguments import asked
from spikebench.errors import Problem
from spikebench.experiments.submit import examine_submission
from spikebench.records import store
from spikebench.records.files import folder_to_write
from spikebench.records.record import Record
from spikebench.records.submission import FILE, RECORDS, Submission
from spikebench.report.site.pages import Submitted, write


@asked
def site(
    sources: Sequence[str | Path],
    folder: str | Path = "site",
    execute: bool = False,
    notes: list[str] | None = None,
) -> tuple[Path, int]:
    """Write static pages from folders of records and of submissions; the folder, and how many files are in it.

    A folder below `sources` that has a submission.toml is a submission: it is checked, and its records are on the boards if
    it keeps every rule. `execute` also executes the neurons of submissions, shut in. `notes` gets what was not read.
    """
    where, told = folder_to_write(Path(folder), "folder"), notes if notes is not None else []
    paths = store.expand(sources) if sources else []
    own = sorted({f.parent for s in sources for f in [*Path(s).rglob(FILE), *Path(s).glob(FILE)]})
    files = [p for p in paths if not any(f in p.parents for f in own)]
    records = [r for p in files for r in store.read(p, told)]
    submissions = [submitted(f, execute) for f in own]
    if not records and not submissions:
        raise Problem(f"no records in {', '.join(map(str, sources))}; name folders that hold some, as results")
    return where, write(records, submissions, where)


def submitted(folder: Path, execute: bool = False) -> Submitted:
    """A submission with what became of every rule; its records where they are read."""
    found = examine_submission(folder, execute)
    made: Submission | None = None
    records: list[Record] = []
    if all(r.passed is not False for r in found.results if r.rule in ("files", "schema")):
        made, records = Submission.read(folder), list(store.read(folder / RECORDS))
    return Submitted(found.name, made, found.results, found.grade, found.why, records)
