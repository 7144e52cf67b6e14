"""Share of neurons and steps at which a neuron's spikes equal those of the exact LIF it stands for: soft, then hard reset."""

from dataclasses import replace

import torch

from spikebench.case import parse_subject
from spikebench.metric import Running, Unavailable
from spikebench.subject import definition

unit = "1"
process = "timing"
layer_only = True


def sample(running: Running) -> list[float]:
    """[agreement with soft reset, agreement with hard reset], on the same input; the detail holds all spike rates.

    The twin is the LIF with the neuron's own decay, threshold and input scale, as the neuron's file declares.
    """
    work = running.workload
    case = work.case
    if (twin := case.parsed.twin) is None:
        raise Unavailable(f"{case.subject} declares no LIF that it stands for")
    lif = parse_subject(twin)
    with torch.no_grad():
        spikes = work.module(work.x)
        shares: list[float] = []
        rates = {"rate": float(spikes.mean())}
        for reset in ("soft", "hard"):
            exact = definition(replace(lif, options=lif.options | {"reset": reset}), case.N, case.T)
            reference = exact.rounded(work.x.dtype).to(work.x.device)(work.x)
            shares.append(float((spikes == reference).double().mean()))
            rates[f"rate_{reset}"] = float(reference.mean())
    running.detail |= rates | {"twin": str(lif), "samples": ["soft", "hard"]}
    return shares
