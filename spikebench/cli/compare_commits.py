"""`compare-commits` compares a module at two commits of a git repository, live, in pairs."""

from pathlib import Path
from typing import Annotated

import typer

from spikebench import units
from spikebench.analysis.comparison import Comparison
from spikebench.cases.subject import shown
from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._tables import compared, exit_if_slower, stderr_progress, warn
from spikebench.errors import Problem


def command(
    *,
    base: Annotated[str, typer.Argument(help="The commit, branch or tag to compare with.")],
    head: Annotated[str, typer.Argument(help="The commit to judge.")] = "HEAD",
    subject: Annotated[str, typer.Option(help="A file of the repository: src/neurons.py:Leaky."), v.Text()],
    pairs: o.Pairs = "5-20",
    sizes: o.Sizes,
    tensors: o.Tensors = o.USUAL,
    metric: o.Metric = "latency",
    sampling: o.Compared,
    fail_if_slower: o.Limit = None,
    summary: Annotated[Path | None, typer.Option(help="Markdown file to append the table to."), v.OUT_FILE] = None,
    out: o.Out = None,
    as_json: o.Json = False,
) -> None:
    """Compare a module at two commits of this repository, live, in randomised pairs of fresh processes."""
    from spikebench.experiments.commits import compare_commits
    from spikebench.run.settings import Settings

    grid, settings = o.grid(sizes, tensors, o.What()), sampling.settings(Settings())
    with stderr_progress() as progress:
        rows = compare_commits(
            base,
            head,
            subject=subject,
            pairs=pairs,
            metric=metric,
            out=out,
            progress=progress,
            warn=warn,
            settings=settings,
            grid=grid,
        )
    if summary is not None:
        _append(summary, rows)
    compared(rows, as_json)
    if any(r.status != "ok" for r in rows):
        raise typer.Exit(1)
    exit_if_slower(rows, fail_if_slower)


def _append(path: Path, rows: list[Comparison]) -> None:
    """Append the comparisons as a Markdown table, as the summary of a step of GitHub's takes it."""
    from spikebench.report.profile_page import table

    columns = ("T", "B", "N", "mode", "base", "head", "speed-up", "verdict")
    text = (
        f"### {shown(rows[0].subject)} against {shown(rows[0].baseline)}\n\n{table(columns, list(map(_cells, rows)))}\n"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Problem(f"cannot write {path}: {error.strerror}; name another file with --summary") from error


def _cells(row: Comparison) -> list[str]:
    r, case = row.ratio, row.case
    times = [units.show(median, "s") for median in row.medians]
    ratio = units.ratio(r.estimate, r.low, r.high, r.n) if r else row.reason or "—"
    return [*(str(n) for n in (case.T, case.B, case.N)), case.mode, *times, ratio, row.verdict or row.status]
