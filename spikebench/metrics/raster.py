"""Spikes of the first neurons of one batch item, step by step: the detail holds them for `plot raster`."""

import base64

import numpy as np

from spikebench.metric import Running, Unavailable

unit = "1"
process = "timing"
layer_only = True

MOST_NEURONS, MOST_STEPS = 64, 1000


def sample(running: Running) -> list[float]:
    """Mean spike count per neuron and step of what is recorded: the first neurons and steps of batch item 0.

    The detail holds `bits` (base64 of `numpy.packbits`, most significant bit first, [steps, neurons]: 1 where a neuron
    fired), `counts` (spikes per step of all neurons of the item), `most` (spikes of one neuron in one step) and sizes.
    """
    if running.workload.case.mode == "stream":
        raise Unavailable("a launch of mode stream is one step: take mode inference, forward or train")
    out = running.last_output if running.last_output is not None else running.workload.launch()
    item = out.detach()[:MOST_STEPS, 0].double().cpu()  # [T, N]
    shown = item[:, :MOST_NEURONS].numpy()
    running.detail |= {
        "steps": shown.shape[0],
        "neurons": shown.shape[1],
        "bits": base64.b64encode(np.packbits(shown != 0).tobytes()).decode(),
        "counts": item.sum(1).tolist(),
        "most": float(shown.max()),
    }
    return [float(shown.mean())]
