"""`sb.tune` measures shapes of kernels (tiles, warps) on the GPU at hand, and writes the fastest down for it."""

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from spikebench.cases.arguments import asked
from spikebench.errors import Problem
from spikebench.host import clock, environment


@asked
def tune(
    *kernels: str,
    budget: float = 90.0,
    dtypes: Sequence[str] = ("float32",),
    out: str | Path | None = None,
    tuned: str | Path | None = None,
    commit: str | None = None,
    device: str = "cuda",
    tiny: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> list[Any]:
    """Measure shapes of Triton kernels on this GPU for `budget` seconds, and write those down that beat the model's.

    `kernels` are neurons or subjects of triton; none: all, most valuable first. Rules go into the folder `tuned`, by
    default where the kernels read them, and every sample into `out`, JSON Lines. `commit` names a source tree without
    history. A line of progress goes to `say`. Returns the decisions; Problem where there is no GPU.
    """
    from spikebench.experiments.tune_measure import Book
    from spikebench.experiments.tune_plan import cases
    from spikebench.experiments.tune_rules import With

    card, gathered, start = environment.gpu(), environment.gather(), clock.monotonic()
    if device == "cuda" and card is None:
        raise Problem("no NVIDIA GPU here; `--device cpu --tiny` tries the command without one")
    device_name, driver = (card.name, card.driver) if card else ("cpu", None)
    triton, today = gathered.interpreter.versions.get("triton"), time.strftime("%Y-%m-%d", time.gmtime())
    origin = With(device_name, driver, triton, today, commit or gathered.checkout.commit)
    folder = Path(tuned) if tuned is not None else None
    path = import_module("spikebench.backends.triton._shapes").file_of(origin.device, folder)
    book = Book(path, origin, Path(out) if out is not None else None)

    def left() -> float:
        return budget - (clock.monotonic() - start)

    return book.fill(cases(kernels, dtypes, device, tiny), left, say)
