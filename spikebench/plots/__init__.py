"""Figures from a tidy frame: one file per kind, each with `figures(frame)` that yields (name, figure, caption)."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from spikebench import rooms
from spikebench.rooms import Problem

if TYPE_CHECKING:
    import pandas as pd

NOT_A_KIND = ("style",)


def kinds() -> list[str]:
    """The kinds of figure there are."""
    return [k for k in rooms.names("plots") if k not in NOT_A_KIND]


def draw(kind: str, frame: "pd.DataFrame", folder: Path, formats: tuple[str, ...] = ("png", "svg")) -> list[Path]:
    """Draw every figure of a kind into `folder`, with its caption beside it as text; returns the paths.

    Raises Problem for an unknown kind, or when the frame holds nothing that this kind can show.
    """
    if rooms.canonical(kind) not in kinds():
        raise Problem(f"no figure {kind!r}; there are {', '.join(kinds())}")
    module = importlib.import_module(f"spikebench.plots.{rooms.canonical(kind)}")
    from spikebench.plots import style

    paths: list[Path] = []
    with style.applied():
        for name, figure, caption in module.figures(frame):
            folder.mkdir(parents=True, exist_ok=True)
            for ending in formats:
                path = folder / f"{name}.{ending}"
                figure.savefig(path, metadata=style.metadata(ending))
                paths.append(path)
            (folder / f"{name}.txt").write_text(caption + "\n")
            style.close(figure)
    if not paths:
        raise Problem(f"nothing to draw as {kind}: no recorded case has status ok and the samples it needs")
    return paths
