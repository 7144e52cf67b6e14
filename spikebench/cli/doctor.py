"""`doctor` says what this machine can measure."""

import json
from typing import Any

from spikebench import units
from spikebench.cli import _options as o
from spikebench.cli._tables import stdout, table, text


def command(as_json: o.Json = False) -> None:
    """What this machine can measure, what it cannot, and what to do about it."""
    from spikebench.experiments.doctor import examine

    found = examine()
    if as_json:
        stdout().print_json(json.dumps(found))
        return
    counters = {f"energy of {d}": c["reason"] or _counter(c) for d, c in found["energy"].items()}
    table(("what", "found"), (found["environment"] | counters).items())
    for part in ("metrics", "backends"):
        facts = ("available", "reason", "remedy")
        stdout().print()
        table((part[:-1], *facts), [(k, *(text(row[f]) for f in facts)) for k, row in found[part].items()])


def _counter(found: dict[str, Any]) -> str:
    period = units.show(found["update_period"], "s")
    return f"{found['counter']}, updated every {period}"
