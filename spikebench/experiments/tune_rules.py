"""What was tuned as rules: a shape for every range of M and of T, in a file of the device that the kernels read."""

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

BETTER = 1.02  # how many times as fast a shape must be, at the lower end of the interval, to be written down
END = 2**62


@dataclass(frozen=True)
class With:
    """What shapes were measured with: the GPU's name, its driver, the version of triton, the day, and the commit."""

    device: str
    driver: str | None = None
    triton: str | None = None
    date: str | None = None
    commit: str | None = None


@dataclass(frozen=True)
class Decision:
    """What came of one kernel, dtype and size: the model's shape, and another one if it was measured to be better.

    times: medians in seconds of the model's shape and of the best other one. gain: model's ÷ best's, with its 95 % interval.
    """

    kernel: str
    dtype: str
    T: int
    M: int
    model: dict[str, int]
    best: dict[str, int]
    times: tuple[float, float]
    gain: tuple[float, float, float]

    @property
    def better(self) -> bool:
        """Whether the other shape is better beyond the spread."""
        return self.best != self.model and self.gain[1] >= BETTER


def described(d: Decision) -> str:
    """A line: what was measured, and what came of it."""
    better = f"{_short(d.best)} is {d.gain[0]:.2f} times as fast [{d.gain[1]:.2f}, {d.gain[2]:.2f}]"
    verdict = better if d.better else "the model's shape stays"
    return f"{d.kernel} {d.dtype} T={d.T} M={d.M}: {_short(d.model)} takes {d.times[0] * 1e6:.1f} us; {verdict}"


def _short(shape: dict[str, int]) -> str:
    return ",".join(f"{k}={v}" for k, v in shape.items())


def rules(decisions: Sequence[Decision]) -> list[dict[str, object]]:
    """A rule for every size at which another shape than the model's is better: it holds up to half-way (by ratio) to the
    next size that was measured, in M first and then in T, and to the end beyond the last.
    """
    found = []
    for name in dict.fromkeys((d.kernel, d.dtype) for d in decisions):
        mine = [d for d in decisions if (d.kernel, d.dtype) == name]
        for d in mine:
            if d.better:
                ranges = {
                    "M": _between(d.M, {o.M for o in mine}),
                    "T": _between(d.T, {o.T for o in mine if o.M == d.M}),
                }
                measured = {"M": d.M, "T": d.T, "seconds": d.times[1], "model": d.times[0], "gain": list(d.gain)}
                found.append({"kernel": d.kernel, "dtype": d.dtype, **ranges, "shape": d.best, "measured": measured})
    return found


def _between(value: int, others: Iterable[int]) -> list[int]:
    """From where and below where a value is the nearest of all by ratio."""
    lower, higher = (sorted(o for o in others if o < value), sorted(o for o in others if o > value))
    low = math.ceil(math.sqrt(lower[-1] * value)) if lower else 1
    return [low, math.ceil(math.sqrt(higher[0] * value)) if higher else END]


def write(path: Path, decisions: Sequence[Decision], origin: With) -> int:
    """Put the rules into a device's file, and say how many there are: what it held of the same kernel and dtype is replaced.

    Each rule keeps what it was measured with.
    """
    again = {(d.kernel, d.dtype) for d in decisions}
    before = json.loads(path.read_text(encoding="utf-8"))["rules"] if path.exists() else []
    kept = [r for r in before if (r["kernel"], r["dtype"]) not in again]
    added = [rule | {"with": {k: v for k, v in vars(origin).items() if k != "device"}} for rule in rules(decisions)]
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f"  {json.dumps(rule)}" for rule in (*kept, *added))
    text = f'{{"device": {json.dumps(origin.device)}, "rules": [\n{lines}\n]}}\n'
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)  # other processes read it while it is written
    return len(added)
