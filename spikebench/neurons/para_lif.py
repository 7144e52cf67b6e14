"""Parallelizable leaky integrate-and-fire neuron: no reset, spikes where a normalised membrane passes or rises by a threshold."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from spikebench.neuron import Neuron, Operations, Words
from spikebench.scan import recurrence
from spikebench.surrogate import Surrogate, spike


class ParaLIF(Neuron):
    """ParaLIF (Yarga and Wood 2025; read in the authors' code), its deterministic modes:

        i_t = syn_decay·i_{t-1} + x_t
        v_t = mem_decay·v_{t-1} + (1 − mem_decay)·i_t                           (no reset)
        m_t = f(v_t)          f = identity (t, d), σ (st, sd), tanh (tt, td), max(tanh, 0) (trt, trd)
        t, st, tt, trt (threshold):  s_t = [m_t > threshold]
        d, sd, td, trd (delta):      s_t = [m_t − m_{t-1} > threshold],  m_{-1} = 0

    threshold none: 1 for the threshold modes, 0.1 for the delta modes. With threshold 1, "st", "tt" and "trt" cannot
    fire, for f stays below 1: give one. The authors' stochastic modes sb and gs are the neuron spsn; trb is left out.
    Default decays: 20 ms at 1 ms steps, as in their training script. Source: doi 10.1088/2634-4386/adb7fe.
    Doubt: the paper's full text was not read. The authors' recurrent variant, two passes of a learned coupling that
    approximate a recurrence, is left out.
    """

    reference: ClassVar[str] = (
        "@article{yarga2025accelerating, author={Yarga, Sidi Yaya Arnaud and Wood, Sean U. N.}, title={Accelerating"
        " spiking neural networks with parallelizable leaky integrate-and-fire neurons}, journal={Neuromorphic Computing"
        " and Engineering}, year={2025}, doi={10.1088/2634-4386/adb7fe}}"
    )
    operations: ClassVar[Operations] = {"mul": 3, "add": 2, "compare": 1}
    state_words: ClassVar[Words] = 2
    parallel_in_time: ClassVar[bool] = True
    twin: ClassVar[str | None] = "lif[decay={mem_decay},synapse_decay={syn_decay},input_scale=1-decay,strict=true]"

    def __init__(
        self,
        *,
        mode: Literal["t", "st", "tt", "trt", "d", "sd", "td", "trd"] = "t",
        mem_decay: float = 0.951229424500714,
        syn_decay: float = 0.951229424500714,
        threshold: float | None = None,
        surrogate: Surrogate = "fast_sigmoid",
        slope: float = 100.0,
    ) -> None:
        super().__init__()
        self.mode, self.mem_decay, self.syn_decay = mode, mem_decay, syn_decay
        self.threshold = (0.1 if mode.endswith("d") else 1.0) if threshold is None else threshold
        self.surrogate: Surrogate = surrogate
        self.slope = slope

    def membrane(self, x: Tensor) -> Tensor:
        current = recurrence(x, self.syn_decay)
        m = self._normalised(recurrence((1 - self.mem_decay) * current, self.mem_decay))
        return m - torch.cat([torch.zeros_like(m[:1]), m[:-1]]) if self.mode.endswith("d") else m

    def _normalised(self, v: Tensor) -> Tensor:
        match self.mode[:-1]:
            case "s":
                return torch.sigmoid(v)
            case "t":
                return torch.tanh(v)
            case "tr":
                return torch.tanh(v).relu()
        return v

    def forward(self, x: Tensor) -> Tensor:
        return spike(self.membrane(x) - self.threshold, self.surrogate, self.slope, strict=True)
