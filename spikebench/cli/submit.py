"""`submit` makes a submission of records, or checks one."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import rows_as_json, say, table
from spikebench.errors import Problem
from spikebench.records.files import regular


def command(
    action: Annotated[str, typer.Argument(help="new or check."), v.Choice(choices=("new", "check"))],
    folder: Annotated[Path, typer.Argument(help="The folder of the submission."), v.OUT_FOLDER],
    from_: Annotated[list[str] | None, typer.Option("--from", help="Records that it is made of."), v.Text()] = None,
    subject: Annotated[
        str | None, typer.Option(help="What is submitted: neuron.py:Mine, lif@triton."), v.Text()
    ] = None,
    definition: Annotated[str | None, typer.Option(help="The neuron of ours that it must equal."), v.Text()] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Baseline of its verdicts (default: lif@eager)."), v.Text()
    ] = None,
    who: Annotated[str | None, typer.Option(help="Who submits it."), v.Text()] = None,
    licence: Annotated[str | None, typer.Option(help="SPDX name (default: Apache-2.0)."), v.Text()] = None,
    citation: Annotated[Path | None, typer.Option(help="A file with BibTeX."), v.IN_FILE] = None,
    doi: Annotated[str | None, typer.Option(help="DOI of a paper or an archive."), v.Text()] = None,
    no_run: Annotated[bool, typer.Option("--no-run", help="Check, and do not execute the neuron.")] = False,
    as_json: o.Json = False,
) -> None:
    """Make a submission of records, or check one against the rules; its neuron is executed without a network."""
    given = {"subject": subject, "definition": definition, "baseline": baseline, "who": who}
    given |= {"licence": licence, "doi": doi}
    if action == "check":
        stray = next((f"--{k}" for k, value in {**given, "from": from_, "citation": citation}.items() if value), None)
        if stray:
            raise Problem(f"{stray} has no effect with `submit check`, which reads submission.toml; leave it out")
        _check(folder, not no_run, as_json)
        return
    if missing := next((k for k in ("subject", "definition", "who") if not given[k]), None) or ("from" * (not from_)):
        raise Problem(f"submit new: give it --{missing}")
    if no_run or as_json:
        raise Problem(f"{'--no-run' if no_run else '--json'} has no effect with `submit new`; leave it out")
    from spikebench.experiments.submit import submit

    text = regular(citation, 2**20).read_text("utf-8") if citation else ""
    made = submit(folder, from_ or [], citation=text, **{k: value for k, value in given.items() if value})  # pyright: ignore[reportArgumentType]  # texts, by name
    for verdict in made.verdicts:
        say(f"{made.subject}: {verdict.verdict}, {verdict.ratio:.3g}x, {verdict.pairs} pairs, case {verdict.case_id}")
    say(f"{len(made.files) + 1} files in {folder}; `spikebench submit check {folder}` checks them")


def _check(folder: Path, run: bool, as_json: bool) -> None:
    from spikebench.experiments.submit import examine_submission

    found = examine_submission(folder, run)
    if as_json:
        rows_as_json({"submission": found.name, **vars(f)} for f in found.results)
    else:
        table(("rule", "result", "detail"), [(f.rule, f.shown, f.detail) for f in found.results])
        if found.grade:
            say(f"{found.name} is {found.grade}: {found.why}")
    if broken := [f for f in found.results if f.passed is False]:
        print(f"spikebench: {found.name} is refused: {broken[0].rule}: {broken[0].detail}", file=sys.stderr)
        raise typer.Exit(1)
