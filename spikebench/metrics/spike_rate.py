"""Spikes per neuron and step of the timed output; neurons that may fire several times a step can exceed 1."""

import torch

from spikebench.metric import Running
from spikebench.workloads.network import layer_rates

unit = "1"
process = "timing"

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def sample(running: Running) -> list[float]:
    """Mean spike count. The detail holds the active share, the sparsity, the shares of silent and of saturated neurons,
    the spread over neurons (quantiles) and the course over time (means of up to 64 spans of equal length).

    Of a network it is the mean over its layers; the detail holds that of each.
    """
    if running.workload.case.workload != "layer":
        rates = layer_rates(running.workload)
        running.detail["layers"] = rates
        return [sum(rates) / len(rates)]
    out = running.last_output if running.last_output is not None else running.workload.launch()
    spikes = out.detach().float()
    per_neuron = (spikes != 0).float().mean((0, 1))  # [N]
    active = float((spikes != 0).float().mean())
    by_step = spikes.mean((1, 2))  # [T]
    spans = by_step.tensor_split(min(64, len(by_step)))
    running.detail |= {
        "active": active,
        "sparsity": 1 - active,
        "quantiles": list(QUANTILES),
        "per_neuron": torch.quantile(spikes.mean((0, 1)), torch.tensor(QUANTILES, device=spikes.device)).tolist(),
        "over_time": [float(span.mean()) for span in spans],
        "silent_neurons": float((per_neuron == 0).float().mean()),
        "saturated_neurons": float((per_neuron == 1).float().mean()),
    }
    return [float(spikes.mean())]
