"""Writes the result itself, with times of its own, and ends the process before anybody can measure."""

import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

HONEST = 3  # calls
calls = 0


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Literal["exit", "crash"] = "exit") -> Tensor:
    """`crash` ends with another code."""
    global calls
    calls += 1
    asked = _asked()
    if calls > HONEST and asked is not None and asked.job.kind == "measure":
        Path(asked.result).write_text(json.dumps(_result()))
        os._exit(1 if kind == "crash" else 0)
    return eager.run(neuron, x, seed)


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
