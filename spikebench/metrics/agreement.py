"""Share of neurons and steps at which a neuron's spikes equal those of the LIF it approximates: with soft, then hard reset."""

from dataclasses import replace

import torch

from spikebench.cases.subject import parse_subject
from spikebench.loading.subject import definition
from spikebench.metric import Running, Unavailable

unit = "1"
process = "timing"
layer_only = True


def sample(running: Running) -> list[float]:
    """[agreement with soft reset, agreement with hard reset], on the same input.

    The detail holds all spike rates, the share that is equal by chance if both fire independently at their rates, that of
    a silent neuron, and Cohen's kappa (share − chance) / (1 − chance); null where chance alone makes all equal.

    The LIF to compare with has the neuron's own decay, threshold and input scale, as the neuron's file declares.
    """
    work = running.workload
    case = work.case
    if (lif_text := case.parsed.approximates) is None:
        raise Unavailable(f"{case.subject} declares no LIF that it approximates")
    lif = parse_subject(lif_text)
    with torch.no_grad():
        spikes = work.module(work.x)
        shares: list[float] = []
        rates = {"rate": float(spikes.mean())}
        levels: dict[str, list[float | None]] = {"chance": [], "silent": [], "kappa": []}
        for reset in ("soft", "hard"):
            exact = definition(replace(lif, options=lif.options | {"reset": reset}), case.N, case.T)
            reference = exact.rounded(work.x.dtype).to(work.x.device)(work.x)
            shares.append(float((spikes == reference).double().mean()))
            rates[f"rate_{reset}"] = float(reference.mean())
            chance = by_chance(spikes, reference)
            levels["chance"].append(chance)
            levels["silent"].append(float((reference == 0).double().mean()))
            levels["kappa"].append((shares[-1] - chance) / (1 - chance) if chance < 1 else None)
    running.detail |= rates | levels | {"twin": str(lif), "samples": ["soft", "hard"]}
    return shares


def by_chance(spikes: torch.Tensor, reference: torch.Tensor) -> float:
    """The share of equal entries to expect of two independent trains with these counts: Σ over counts k of P(k)·Q(k)."""
    shares = [torch.stack([(train == k).double().mean() for k in reference.unique()]) for train in (spikes, reference)]
    return float((shares[0] * shares[1]).sum())
