"""`reproduce` measures what papers claim, and shows the verdicts."""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikebench import claim as claims
from spikebench.analysis import assessment
from spikebench.analysis.assessment import Assessment
from spikebench.cases.subject import shown
from spikebench.claim import Claim, PlannedComparison
from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._page import page
from spikebench.cli._print import notes, rows_as_json, say, stdout, table
from spikebench.cli._tables import stderr_progress
from spikebench.errors import Problem
from spikebench.records import store
from spikebench.report import claim_page

if TYPE_CHECKING:
    from spikebench.run.settings import Settings


@dataclass(frozen=True)
class Sampled(o.Recorded):
    """How the claims are sampled."""

    samples: Annotated[
        int,
        typer.Option(help="Samples per process (2 when one takes over 0.2 s: blocks are what counts)."),
        v.Whole(within=v.MANY),
    ] = 10
    budget: Annotated[
        float,
        typer.Option(help="After it only first questions are asked, in five blocks; not with --full."),
        v.Duration(),
    ] = 3600.0

    def settings(self, usual: "Settings") -> "Settings":
        return replace(super().settings(usual), samples=self.samples, budget=self.budget)


MEASURING = ("full", "data_root", "out", "resume", "samples", "budget", "timeout", "threads", "shared")
NEVER_WITH = {"from_": MEASURING, "full": ("budget",), "as_json": ("folder",)}


def command(
    *,
    claim: Annotated[
        list[str] | None, typer.Argument(help="Claims; all of them without. `list claims` shows them."), v.Text()
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="The published sizes, on a GPU.")] = False,
    from_: Annotated[
        list[str] | None, typer.Option("--from", help="Judge recorded results; measure nothing."), v.Text()
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 if a claim is smaller or contradicted.")] = False,
    sampled: Sampled,
    data_root: o.DataRoot = None,
    out: o.Out = None,
    resume: Annotated[bool, typer.Option(help="Leave out what the file already has.")] = False,
    folder: Annotated[Path, typer.Option("-o", "--folder", help="Folder for pages and figures."), v.OUT_FOLDER] = Path(
        "out/claims"
    ),
    as_json: o.Json = False,
) -> None:
    """Measure what papers claim: against the paper's opponent and the strongest, with an interval and a verdict."""
    from spikebench.experiments.reproduce import SETTINGS, reproduce

    names, files = _split(claim or [], from_)
    with stderr_progress() as progress:
        found = reproduce(
            *names,
            full=full,
            source=files,
            data_root=data_root,
            out=out,
            resume=resume,
            progress=progress,
            settings=sampled.settings(SETTINGS),
        )
    named = dict(claims.every())
    if as_json:
        rows_as_json(f.to_json() for f in found)
    else:
        for f in found if len(names) == 1 else ():
            page(claim_page.page(f, named[f.claim]))
            say()
        assessments_table(found, named)
        say()
        _write(found, named, folder)
    if strict and any(f.verdict in assessment.FAILED for f in found):
        raise typer.Exit(1)


def _split(given: list[str], files: list[str] | None) -> tuple[list[str], list[str] | None]:
    """The claims that are named; with --from, further files that a shell's * put among them."""
    more = [g for g in given if files is not None and (g.endswith(".jsonl") or Path(g).exists())]
    return [g for g in given if g not in more], None if files is None else files + more


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
    return "—" if head is None else re.sub(r"\[.*?\]", "", shown(head.baseline))


def _write(assessments: list[Assessment], named: dict[str, Claim], folder: Path) -> None:
    """A page per claim, and the figures that their records allow."""
    from spikebench.plots import draw

    folder.mkdir(parents=True, exist_ok=True)
    for name in dict.fromkeys(f.claim for f in assessments):
        pages = [claim_page.page(f, named[name]) for f in assessments if f.claim == name]
        (folder / f"{name}.md").write_text("\n---\n\n".join(pages), encoding="utf-8")
    for f in assessments:
        if any(r.factors for r in f.results):
            with suppress(Problem):
                for path in draw("waterfall", store.frame(f.records), folder / f.claim):
                    stdout().print(f"figure {path}")
    stdout().print(f"{len(dict.fromkeys(f.claim for f in assessments))} pages in {folder}")
