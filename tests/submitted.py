"""A neuron as somebody submits it, and records of it that no machine made, for tests of what becomes of a submission."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from spikebench.cases.case import Case, with_changes
from spikebench.experiments.submit import submit
from spikebench.records.files import sha256
from spikebench.records.gate import GateResult, ProbeResult
from spikebench.records.record import RULES, Measurement, Record
from spikebench.records.submission import Submission

LEAKY = '''
"""A LIF with a soft reset, as somebody writes it."""

import math

import torch
from torch import nn


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, distance):
        ctx.save_for_backward(distance)
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (distance,) = ctx.saved_tensors
        return gradient / (1 + (math.pi * distance) ** 2)


class Leaky(nn.Module):
    def forward(self, x):
        v, spikes = torch.zeros_like(x[0]), []
        for current in x.unbind(0):
            u = 0.9 * v + current
            s = Spike.apply(u - 1.0)
            v = u - s
            spikes.append(s)
        return torch.stack(spikes)
'''
SOFTER = LEAKY.replace("v = u - s", "v = u * (1 - s)")  # resets hard, which lif does not
TIMED = LEAKY.replace("import math\n", "import math\nimport time\n").replace(
    "v, spikes =", "time.time()\n        v, spikes ="
)
SPIKES, COPIED = 614.0, 2e-5  # of a layer of 2,048 neuron steps; seconds of a copy of its input
ENVIRONMENT: Any = {
    **{"machine": "a-machine", "host": "here", "cpu": "A CPU", "os": "Linux", "python": "3.11.7", "gpu": None},
    **{"versions": {"torch": "2.13.0"}, "commit": "c" * 40, "dirty": None, "threads": 2, "time": 1.79e9},
    **{"other_cpu": 0.0, "stolen_cpu": 0.0},
}


def record(case: Case, seconds: float, repeat: int, **facts: Any) -> Record:
    """A record with ten samples around a time."""
    foreign = case.parsed.foreign
    probe = ProbeResult("timed input", True, None, 16, 0, 0.5, SPIKES, 1e-7)
    gate = (
        GateResult("none", "it has no definition", 0.5, SPIKES)
        if foreign
        else GateResult("passed", None, 0.5, SPIKES, [probe])
    )
    wobble = 1 + 0.002 * ((7 * repeat + len(case.subject)) % 5)
    samples = [seconds * wobble * (1 + 0.001 * (k % 3)) for k in range(10)]
    detail: dict[str, object] = {"interleaved": True, "group": 1, "copied": COPIED, "resolution": 1e-7}
    rate = Measurement("spike_rate", "1", samples=[SPIKES / (case.T * case.B * case.N)])
    flags = ["ungated"] if foreign else []
    measured = [Measurement("latency", "s", samples=samples, detail=detail), rate]
    made = Record("a-run", case.case_id, case.to_json(), "ok", None, measured, ENVIRONMENT | facts, flags, gate)
    return replace(made, repeat=repeat, pairs="5-5", rules=RULES)


def records(file: Path, seconds: float = 1e-3, **facts: Any) -> list[Record]:
    """Five pairs of lif@eager, which takes 2 ms, and the neuron of a file."""
    base = Case("lif@eager", T=64, B=2, N=16)
    mine, source = with_changes(base, subject=f"{file}:Leaky"), {"source": sha256(file)}
    each = [(record(base, 2e-3, k, **facts), record(mine, seconds, k, **facts, **source)) for k in range(5)]
    return [r for pair in each for r in pair]


def made(folder: Path, text: str = LEAKY, **facts: Any) -> Submission:
    """A submission of a neuron with that text, in a folder."""
    file = folder.parent / "leaky.py"
    file.write_text(text, encoding="utf-8")
    given = {"definition": "lif", "who": "A. Person", "licence": "MIT", "citation": "@misc{leaky}"}
    return submit(folder, records(file, **facts), f"{file}:Leaky", **given)
