"""The commands that measure the cases of some records again."""

import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from spikebench.records.record import Record


class Grid(NamedTuple):
    """All of a case but its subject and T, and whether energy was measured: what one `spikebench run` has in common."""

    B: int
    N: int
    mode: str
    device: str
    dtype: str
    rate: float | None
    workload: str
    network: str | None
    energy: bool


def commands(records: Sequence[Record]) -> list[str]:
    """Commands that measure the same cases again: one per grid of subjects and lengths."""
    trained: Counter[tuple[str, str]] = Counter()
    lengths: dict[Grid, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for r in records:
        c = r.case
        if c["workload"] == "training":
            trained[str(c.get("task")), c["subject"]] = max(
                trained[str(c.get("task")), c["subject"]], c.get("seed", 0) + 1
            )
        else:
            metrics = tuple(m.metric for m in r.measurements if m.metric not in ("latency", "spike_rate"))
            grid = Grid(
                B=c["B"],
                N=c["N"],
                mode=c["mode"],
                device=c["device"],
                dtype=c["dtype"],
                rate=c.get("rate"),
                workload=c["workload"],
                network=c.get("network"),
                energy="energy" in metrics,
            )
            lengths[grid][c["subject"]].add(c["T"])
    grids: dict[tuple[Grid, str], list[str]] = defaultdict(list)
    for grid, subjects in lengths.items():
        for subject, T in subjects.items():
            grids[grid, ",".join(map(str, sorted(T)))].append(subject)
    return [*(_run(*key, subjects) for key, subjects in grids.items()), *(_train(k, n) for k, n in trained.items())]


def _run(grid: Grid, T: str, subjects: list[str]) -> str:
    b, n, mode, device, dtype, rate, workload, network, energy = grid
    named = [word for s in subjects for word in ("--subject", s)]
    what = ["--network", network] if network else [] if workload == "layer" else ["--workload", workload]
    usual = {"cpu": device, "float32": dtype, "0.3": f"{rate:g}" if isinstance(rate, int | float) else "0.3"}
    more = [
        w for (d, v), o in zip(usual.items(), ("--device", "--dtype", "--rate"), strict=True) if v != d for w in (o, v)
    ]
    more += ["--metric", "latency", "--metric", "energy"] if energy else []
    return shlex.join(["spikebench", "run", *named, "-T", T, "-B", str(b), "-N", str(n), "--mode", mode, *what, *more])


def _train(key: tuple[str, str], seeds: int) -> str:
    return shlex.join(["spikebench", "train", key[0], "--neuron", key[1], "--seeds", str(seeds)])
