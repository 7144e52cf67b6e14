"""Figures from a tidy frame: one file per kind, each with `figures(frame)` that yields (name, figure, caption)."""

import importlib
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikebench import registry
from spikebench.errors import Problem

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
NAMED = ("subject", "neuron", "backend", "network", "task", "machine")


def kinds() -> list[str]:
    """The kinds of figure there are."""
    return registry.names("plots")


def _plain(name: object) -> object:
    """A name that matplotlib takes as it is: no formula, no control characters, and not hidden from the legend."""
    if not isinstance(name, str):
        return name
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name).replace("$", r"\$")
    return "\N{ZERO WIDTH SPACE}" + shown if shown.startswith("_") else shown


def figures(kind: str, frame: "pd.DataFrame") -> "Iterator[tuple[str, Figure, str]]":
    """Name, figure and caption of every figure of a kind: each shows one origin, the newest first.

    Where a newer origin has a figure of that name, the origin stands after it.
    """
    module, taken = importlib.import_module(f"spikebench.plots.{registry.canonical(kind)}"), set[str]()
    latest: Any = frame.groupby("origin")["time"].max()  # pandas' stubs take it for a scalar
    newest = latest.sort_values(ascending=False, kind="stable", na_position="last")
    for origin in newest.index:
        newer = frozenset(taken)
        for name, figure, caption in module.figures(frame[frame["origin"] == origin]):
            own = f"{name}-{origin}" if name in newer else name
            full = next(n for k in count(1) if (n := own if k == 1 else f"{own}-{k}") not in taken)
            taken.add(full)
            yield full, figure, caption


def draw(kind: str, frame: "pd.DataFrame", folder: Path, formats: tuple[str, ...] = ("png", "svg")) -> list[Path]:
    """Draw every figure of a kind into `folder`, with its caption beside it as text; returns the paths.

    Names in the frame are drawn as they are: a dollar sign begins no formula, and a slash no folder.
    Raises Problem for an unknown kind, or when the frame holds nothing that this kind can show.
    """
    if registry.canonical(kind) not in kinds():
        raise Problem(f"no figure {kind!r}; there are {', '.join(kinds())}")
    if unknown := [f for f in formats if f not in FORMATS]:
        raise Problem(f"no format {', '.join(unknown)}; there are {', '.join(FORMATS)}")
    from spikebench.plots import _style as style

    paths: list[Path] = []
    plain = frame.assign(**{c: frame[c].map(_plain) for c in NAMED if c in frame})
    with style.applied():
        for title, figure, caption in figures(kind, plain):
            name = re.sub(r"[^\w.+=-]+", "-", title)
            folder.mkdir(parents=True, exist_ok=True)
            for ending in formats:
                path = folder / f"{name}.{ending}"
                figure.savefig(path, metadata=style.metadata(ending))
                paths.append(path)
            (folder / f"{name}.txt").write_text(caption.replace(r"\$", "$") + "\n")
            style.close(figure)
    if not paths:
        raise Problem(f"nothing to draw as {kind}: no recorded case has status ok and the samples it needs")
    return paths
