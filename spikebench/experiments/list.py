"""What there is of a kind, with its facts: neurons, backends, schemes, metrics, sweeps, networks, tasks, claims."""

from typing import TYPE_CHECKING

from spikebench import registry
from spikebench.cases.arguments import asked
from spikebench.errors import Problem

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("neurons", "backends", "schemes", "metrics", "sweeps", "networks", "tasks", "claims")


def rows(kind: str) -> list[dict[str, object]]:
    """One row per id; Problem for a kind that is not listed."""
    if kind not in KINDS:
        raise Problem(f"nothing is listed under {kind!r}; there are {', '.join(KINDS)}")
    if kind == "claims":
        from spikebench import claim

        titles = {row["id"]: row["title"] for row in registry.describe(kind)}
        return [{"id": name, **c.facts(), "title": titles[name]} for name, c in claim.every()]
    return _sweep_rows() if kind == "sweeps" else registry.describe(kind)


def _sweep_rows() -> list[dict[str, object]]:
    from spikebench.cases.sweeps import SWEEPS

    titles = {name: (f.__doc__ or "").split("\n")[0] for name, f in SWEEPS.items()}
    return [{"id": name, "cases": len(SWEEPS[name]()), "title": title} for name, title in titles.items()]


@asked
def listed(kind: str = "neurons") -> "pd.DataFrame":
    """What there is of a kind, with its facts, as a pandas frame: one row per id.

    Kinds are neurons, backends, schemes, metrics, sweeps, networks, tasks and claims; Problem for another one.
    """
    import pandas as pd

    return pd.DataFrame(rows(kind)).set_index("id")
