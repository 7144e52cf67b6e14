"""`doctor` says what this machine can measure."""

import json
from typing import TYPE_CHECKING

from spikebench import units
from spikebench.cli import _options as o
from spikebench.cli._print import stdout, table, text

if TYPE_CHECKING:
    from spikebench.host.energy import Found


def command(as_json: o.Json = False) -> None:
    """What this machine can measure, what it cannot, and what to do about it."""
    from spikebench.experiments.doctor import examine

    found = examine()
    if as_json:
        stdout().print_json(json.dumps(found.to_json()))
        return
    counters = {f"energy of {d}": c.reason or _counter(c) for d, c in found.energy.items()}
    table(("what", "found"), (found.environment | counters).items())
    facts = ("available", "reason", "remedy")
    for part, rows in (("metric", found.metrics), ("backend", found.backends)):
        stdout().print()
        table((part, *facts), [(k, *(text(getattr(row, f)) for f in facts)) for k, row in rows.items()])


def _counter(found: "Found") -> str:
    period = units.show(found.update_period or float("nan"), "s")
    return f"{found.counter}, updated every {period}"
