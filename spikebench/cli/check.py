"""The command that checks a subject."""

import json
import sys
from typing import Annotated

import typer

from spikebench.cases.subject import parse_subject
from spikebench.cli import options as o
from spikebench.cli.tables import stdout, table
from spikebench.errors import Problem
from spikebench.host import environment


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(check)


def check(
    subjects: Annotated[list[str], typer.Argument(help="Subjects to check; `all` means every neuron of ours.")],
    like: Annotated[str | None, typer.Option(help="Compare with the definition of this neuron.")] = None,
    timeout: o.Timeout = "120s",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> None:
    """Check what a neuron computes and whether it is what it declares. A foreign subject's code is executed."""
    from spikebench import registry
    from spikebench.run.process import Workers

    wanted = registry.names("neurons") if subjects == ["all"] else subjects
    names = [str(parse_subject(s)) for s in wanted]
    rows: list[dict[str, object]] = []
    with Workers(threads or environment.threads()) as workers:
        for name in names:
            job = {"kind": "check", "subject": name, "like": like}
            outcome = workers.ask(job, o.seconds("--timeout", timeout))
            if outcome.result.get("problem"):
                raise Problem(str(outcome.reason))
            found = outcome.result.get("checks")
            if found is None:
                found = [{"check": "run", "passed": False, "detail": f"{outcome.status}: {outcome.reason}"}]
            rows += [{"subject": name, **row} for row in found]
    if as_json:
        stdout().print_json(json.dumps(rows))
    else:
        marks = {True: "passed", False: "FAILED", None: "skipped"}
        shown = [(row["subject"], row["check"], marks[row["passed"]], row["detail"]) for row in rows]
        table(("subject", "check", "result", "detail"), shown)
    if failed := sum(row["passed"] is False for row in rows):
        print(f"spikebench: {failed} of {len(rows)} checks failed", file=sys.stderr)
        raise typer.Exit(1)
