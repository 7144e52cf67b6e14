"""Multi-spike leaky integrate-and-fire neuron whose backward pass ignores the reset, as SLAYER's does."""

from typing import ClassVar

from spikebench.neurons.exodus import Exodus


class SLAYER(Exodus):
    """The neuron of exodus with the gradient of SLAYER (Shrestha and Orchard 2018), which passes by the reset:

        G_t = n_t·(g^s_t·σ'_t + g^u_t + decay·G_{t+1})

    Forward, options and state are those of exodus; the backward pass equals backpropagation through time with the
    reset detached. In this form SLAYER is compared by the authors of EXODUS, with kernels decay^n and
    −threshold·decay^n; slayerPytorch itself has other response kernels and a refractory kernel apart from them.
    Source: NeurIPS 2018; public code of slayerPytorch and of the comparison by the EXODUS authors.
    """

    reference: ClassVar[str] = (
        "@inproceedings{shrestha2018slayer, author={Shrestha, Sumit Bam and Orchard, Garrick}, title={{SLAYER}: Spike"
        " Layer Error Reassignment in Time}, booktitle={NeurIPS}, year={2018}}"
    )
    gradient_reference: ClassVar[str | None] = (
        "exodus[decay={decay},threshold={threshold},subtract={subtract},v_min={v_min},max_spikes={max_spikes},"
        "norm_input={norm_input},surrogate={surrogate},width={width},synapse_decay={synapse_decay}]"
    )
    _through_reset: ClassVar[bool] = False
