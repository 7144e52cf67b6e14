"""Spikes per neuron and step of the timed output; neurons that may fire several times a step can exceed 1."""

from spikebench.metric import Running
from spikebench.network_workload import layer_rates

unit = "1"
process = "timing"


def sample(running: Running) -> list[float]:
    """Mean spike count. The detail holds the active share, and the shares of silent and of saturated neurons.

    Of a network it is the mean over its layers; the detail holds that of each.
    """
    if running.workload.case.workload != "layer":
        rates = layer_rates(running.workload)
        running.detail["layers"] = rates
        return [sum(rates) / len(rates)]
    out = running.last_output if running.last_output is not None else running.workload.launch()
    spikes = out.detach().float()
    per_neuron = (spikes != 0).float().mean((0, 1))  # [N]
    running.detail |= {
        "active": float((spikes != 0).float().mean()),
        "silent_neurons": float((per_neuron == 0).float().mean()),
        "saturated_neurons": float((per_neuron == 1).float().mean()),
    }
    return [float(spikes.mean())]
