"""The command that tests published claims: it measures what they ask for, and shows the verdicts."""

import json
import math
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikebench import claim as claims
from spikebench import registry
from spikebench.analysis import assessment
from spikebench.analysis.assessment import Assessment
from spikebench.claim import Claim, PlannedComparison
from spikebench.cli import options as o
from spikebench.cli import tables
from spikebench.cli.tables import notes, say, stderr_progress, stdout, table
from spikebench.errors import Problem
from spikebench.host import clock, environment
from spikebench.records import store
from spikebench.records.record import FEWEST, Record
from spikebench.report.claim_page import page

if TYPE_CHECKING:
    from spikebench.run.session import Session, Settings

Named = list[tuple[str, Claim]]


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(reproduce)


def reproduce(
    claim: Annotated[
        list[str] | None, typer.Argument(help="Claims; all of them without. `list claims` shows them.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="The published sizes, on a GPU.")] = False,
    from_: Annotated[list[str] | None, typer.Option("--from", help="Judge recorded results; measure nothing.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 if a claim is smaller or contradicted.")] = False,
    samples: Annotated[
        int, typer.Option(help="Samples per process (2 when one takes over 0.2 s: blocks are what counts).")
    ] = 10,
    budget: Annotated[
        str, typer.Option(help="After it only first questions are asked, in five blocks; not with --full.")
    ] = "60m",
    timeout: o.Timeout = "300s",
    threads: o.Threads = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder that holds the data of tasks.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON Lines file to append the records to.")] = None,
    resume: Annotated[bool, typer.Option(help="Leave out what the file already has.")] = False,
    folder: Annotated[Path, typer.Option("-o", "--folder", help="Folder for pages and figures.")] = Path("out/claims"),
    as_json: o.Json = False,
) -> None:
    """Measure what papers claim: against the paper's opponent and the strongest, with an interval and a verdict."""
    named, files = _split(claim or [], from_)
    if files is not None:
        records = store.load(files)
    else:
        settings = o.settings(["latency"], samples, timeout, budget, None, threads, "fork", fewest=2)
        where = out or Path("results") / environment.machine() / "claims.jsonl"
        records = _measured(named, full, settings, where, resume, data_root)
    found = [a for name, c in named for a in assessment.assessments(name, c, records)]
    if as_json:
        stdout().print_json(json.dumps([f.to_json() for f in found]))
    else:
        for f in found if len(named) == 1 else ():
            tables.page(page(f, named[0][1]))
            say()
        assessments_table(found, dict(named))
        say()
        _write(found, dict(named), folder)
    if strict and any(f.verdict in assessment.FAILED for f in found):
        raise typer.Exit(1)


def _split(given: list[str], files: list[str] | None) -> tuple[Named, list[str] | None]:
    """The claims that are named, or all; with --from, further files that a shell's * put among them."""
    more = [g for g in given if files is not None and (g.endswith(".jsonl") or Path(g).exists())]
    ids = [registry.find("claims", g) for g in given if g not in more]
    chosen = [(name, c) for name, c in claims.every() if not ids or name in ids]
    return chosen, None if files is None else files + more


def _measured(
    named: Named, full: bool, settings: "Settings", where: Path, resume: bool, data_root: Path | None
) -> list[Record]:
    """Measure what the claims ask for, claim by claim; records are appended as they come, and returned with the resumed."""
    from spikebench.experiments.campaign import Campaign, plan
    from spikebench.run.session import Session

    with Session(settings) as session:
        records = _recorded(where, session) if resume else []
        campaign = Campaign(session, where, records, data_root)
        jobs = [(c, *job) for _, c in named for job in plan(c.questions(full))]
        alone = len(named) == 1
        with stderr_progress(len(jobs)) as progress:
            campaign.gates([(q, b, s) for _, q, _, b, s in jobs], lambda w, case: progress(w, case, 0, len(jobs)))
            begun = start = clock.monotonic()
            current = None
            for k, (c, question, index, block, subjects) in enumerate(jobs):
                if c is not current:
                    current, start = c, clock.monotonic()
                now = clock.monotonic()
                over = now - begun >= (settings.budget or math.inf), now - start >= c.budget
                if full or begins(index, block, alone, *over):
                    campaign.block(question, block, subjects, lambda w, case, k=k: progress(w, case, k, len(jobs)))
    return records


def begins(index: int, block: int, alone: bool, over: bool, claim_over: bool) -> bool:
    """Whether a block is begun: of the question at `index` of a claim that was asked for `alone`, or among others.

    `over` and `claim_over`: the time of the run and that of the claim are spent.
    """
    if block < FEWEST and (index == 0 or alone):
        return True
    return not over and not claim_over


def _recorded(where: Path, session: "Session") -> list[Record]:
    """What the file has from this machine, these versions and this commit."""
    mine = environment.fingerprint(session.environment)
    found: list[Record] = []
    with suppress(Problem):
        found += (r for r in store.read(where) if environment.fingerprint(r.environment) == mine)
    return found


def assessments_table(assessments: list[Assessment], named: dict[str, Claim]) -> None:
    """One row per claim and origin: opponent, setting, pairs, the figure, that of the strong baseline, the verdict; then the reasons."""
    rows: list[tuple[str, ...]] = []
    several = len({f.origin for f in assessments}) > 1
    for f in assessments:
        name = f.claim + (f" on {f.origin}" if several and f.origin else "")
        strong = f"{f.strong.shown} ({f.head.planned.strong_name})" if f.strong and f.head else "—"
        pairs = str(f.n) if f.n else "—"
        rows.append((name, opponent(f, named[f.claim]), f.setting or "—", pairs, f.claimed, f.shown, strong, f.verdict))
    table(COLUMNS, rows)
    notes(f"{f.claim}: {f.reason}" for f in assessments if f.reason)


COLUMNS = ("claim", "opponent", "setting", "pairs", "claimed", "measured", "beside", "verdict")


def opponent(f: Assessment, c: Claim) -> str:
    """What the claim's subject stands against, without the options."""
    questions = (*c.full, *c.scaled)
    head = f.head.planned if f.head else next((q for q in questions if isinstance(q, PlannedComparison)), None)
    return "—" if head is None else re.sub(r"\[.*?\]", "", head.baseline)


def _write(assessments: list[Assessment], named: dict[str, Claim], folder: Path) -> None:
    """A page per claim, and the figures that their records allow."""
    from spikebench.plots import draw

    folder.mkdir(parents=True, exist_ok=True)
    for name in dict.fromkeys(f.claim for f in assessments):
        pages = [page(f, named[name]) for f in assessments if f.claim == name]
        (folder / f"{name}.md").write_text("\n---\n\n".join(pages))
    for f in assessments:
        if any(r.factors for r in f.results):
            with suppress(Problem):
                for path in draw("waterfall", store.frame(f.records), folder / f.claim):
                    stdout().print(f"figure {path}")
    stdout().print(f"{len(dict.fromkeys(f.claim for f in assessments))} pages in {folder}")
