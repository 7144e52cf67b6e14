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

    The detail holds, for each reset, what silence cannot hide: `differ`, the share of the entries with a spike in either
    train at which the two are not equal, 0 where both are the same and 1 where no spike is shared; `drift`, the neuron's
    rate over the LIF's less 1, and `drift_late`, that of the last quarter of the steps, which tells whether an error
    adds up; null where the LIF does not fire. It also holds all spike rates, the share that is equal by chance if both
    fire independently at their rates, that of a silent neuron, and Cohen's kappa (share − chance) / (1 − chance); null
    where chance alone makes all equal.

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
        levels: dict[str, list[float | None]] = {
            k: [] for k in ("chance", "silent", "kappa", "differ", "drift", "drift_late")
        }
        late = len(spikes) - max(1, len(spikes) // 4)
        for reset in ("soft", "hard"):
            exact = definition(replace(lif, options=lif.options | {"reset": reset}), case.N, case.T)
            reference = exact.rounded(work.x.dtype).to(work.x.device)(work.x)
            shares.append(float((spikes == reference).double().mean()))
            rates[f"rate_{reset}"] = float(reference.mean())
            chance = by_chance(spikes, reference)
            levels["chance"].append(chance)
            levels["silent"].append(float((reference == 0).double().mean()))
            levels["kappa"].append((shares[-1] - chance) / (1 - chance) if chance < 1 else None)
            levels["differ"].append(differing(spikes, reference))
            levels["drift"].append(drift(spikes, reference))
            levels["drift_late"].append(drift(spikes[late:], reference[late:]))
    running.detail |= rates | levels | {"twin": str(lif), "samples": ["soft", "hard"]}
    return shares


def differing(spikes: torch.Tensor, reference: torch.Tensor) -> float:
    """The share of the entries with a spike in either train at which the two are not equal; 0 where neither fires."""
    fired = int(((spikes > 0) | (reference > 0)).sum())
    return int((spikes != reference).sum()) / fired if fired else 0.0


def drift(spikes: torch.Tensor, reference: torch.Tensor) -> float | None:
    """The rate of one train over that of the other, less 1; None where the other does not fire."""
    there = float(reference.double().sum())
    return float(spikes.double().sum()) / there - 1 if there else None


def by_chance(spikes: torch.Tensor, reference: torch.Tensor) -> float:
    """The share of equal entries to expect of two independent trains with these counts: Σ over counts k of P(k)·Q(k)."""
    shares = [torch.stack([(train == k).double().mean() for k in reference.unique()]) for train in (spikes, reference)]
    return float((shares[0] * shares[1]).sum())
