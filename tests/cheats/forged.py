"""Writes the result itself and ends the process, or changes what the process has noted of its timed launches."""

import gc
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import psutil
import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

HONEST = 3  # calls
calls = 0


stashed: list[Tensor] = []


def run(
    neuron: Neuron,
    x: Tensor,
    seed: int | None = None,
    *,
    kind: Literal["exit", "crash", "evidence", "events", "uncompared", "asked", "rivals"] = "exit",
) -> Tensor:
    """`crash` ends with another code. `evidence` computes later what it should have given, and puts it where it was kept.

    `events` shortens what the clock has read, `uncompared` says that there is no definition, and `asked` asks the parent
    before it is time which series will be compared. `rivals` makes the samples of others ten times as long in the file of the run.
    """
    global calls
    calls += 1
    if kind == "rivals":
        if calls == 1:
            _slow_down_rivals()
    elif kind in ("exit", "crash"):
        asked = _asked()
        if calls > HONEST and asked is not None and asked.job.kind == "measure":
            Path(asked.result).write_text(json.dumps(_result()))
            os._exit(1 if kind == "crash" else 0)
    elif not gc.isenabled():
        return _noted(neuron, x, seed, kind)
    return eager.run(neuron, x, seed)


def _noted(neuron: Neuron, x: Tensor, seed: int | None, kind: str) -> Tensor:
    for evidence in _of("Evidence") if kind in ("events", "uncompared") else ():
        if kind == "events":
            evidence.events[:] = [replace(e, end=e.start + (e.end - e.start) // 10) for e in evidence.events]
        else:
            evidence.compared = False
    for watch in _of("Timed") if kind == "evidence" and stashed else ():
        right = eager.run(neuron, stashed.pop(), seed).flatten(1)
        for kept in watch._kept[-1:]:
            index, spikes = watch._pages.get(kept[0]), kept[5]
            watch._pages._at(spikes).copy_(right[:, index])
    if kind == "asked":
        for channel in _of("Channel"):
            channel.draw("launch")
    if kind in ("events", "asked"):
        return eager.run(neuron, x, seed)
    stashed[:] = [x.detach().clone()]
    return torch.zeros_like(x)


def _slow_down_rivals() -> None:
    process = psutil.Process()
    for above in process.parents():
        words = above.cmdline()
        if "--out" in words and (out := Path(words[words.index("--out") + 1])).exists():
            records = [json.loads(line) for line in out.read_text().splitlines()]
            for m in (m for r in records if "forged" not in r["case"]["subject"] for m in r["measurements"]):
                m["samples"] = [10 * s for s in m["samples"]]
            out.write_text("".join(json.dumps(r) + "\n" for r in records))


def _of(name: str) -> list[Any]:
    return [o for o in gc.get_objects() if type(o).__name__ == name]


def _asked() -> Any:
    frame: Any = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "_child":
            return frame.f_locals["asked"]
        frame = frame.f_back
    return None


def _result() -> dict[str, object]:
    from spikebench.records.record import Measurement
    from spikebench.run.protocol import Result

    return Result(measurements=[Measurement("latency", "s", samples=[1e-6] * 8)]).to_json() | {"nonce": "0" * 32}
