"""Parallelizable leaky integrate-and-fire neuron: no reset, spikes where a normalised membrane passes or rises by a threshold."""

import math
from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from spikebench.neuron import Neuron, Operations, Words
from spikebench.numerics.scan import recurrence
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Positive, Share

Filter = Callable[[Tensor], Tensor]


class ParaLIF(Neuron):
    """ParaLIF (Yarga and Wood 2025; read in the authors' code), its deterministic modes:

        i_t = syn_decay·i_{t-1} + x_t
        v_t = mem_decay·v_{t-1} + (1 − mem_decay)·i_t                           (no reset)
        m_t = f(v_t)          f = identity (t, d), σ (st, sd), tanh (tt, td), max(tanh, 0) (trt, trd)
        t, st, tt, trt (threshold):  s_t = [m_t > threshold]
        d, sd, td, trd (delta):      s_t = [m_t − m_{t-1} > threshold],  m_{-1} = 0

    With threshold 1, "st", "tt" and "trt" cannot
    fire, for f stays below 1: give one. The authors' stochastic modes sb and gs are modes of the neuron spsn. Their
    trb, which draws a spike with probability max(tanh(v), 0), is in neither.
    recurrent: two passes in place of a recurrence. The spikes h of v a step late go through a learned coupling [N, N],
    and v + v' decides, where v' is the same filter of x + W·h + b.
    learn_tau: both decays learn as the sigmoid of a number (a syn_decay of 0 stays). It starts at the decay given; the
    authors take the sigmoid of the decay itself, so that theirs starts at 0.72 where 0.951 is meant. learn_threshold: it
    learns and counts as its positive part. heterogeneous: decays and threshold are one number per neuron.
    Their timing script has surrogate=atan, slope=2. Default decays: 20 ms at 1 ms steps, as in their training script.
    Source: doi 10.1088/2634-4386/adb7fe. Caveat: the paper's full text was not read.

    Options:
        mode: f and what is compared, as in the equations: t, st, tt, trt compare a value, d, sd, td, trd a difference
        threshold: what is compared with; None is 1 for the modes of a value and 0.1 for those of a difference
        mem_decay: what the membrane keeps per step
        syn_decay: what the synaptic current keeps per step; 0 is no synapse
        recurrent: the layer is coupled by learned weights, in two passes
        learn_tau: both decays learn
        learn_threshold: the threshold learns
        heterogeneous: decays and threshold are one number for each neuron
    """

    reference: ClassVar[str] = (
        "@article{yarga2025accelerating, author={Yarga, Sidi Yaya Arnaud and Wood, Sean U. N.}, title={Accelerating"
        " spiking neural networks with parallelizable leaky integrate-and-fire neurons}, journal={Neuromorphic Computing"
        " and Engineering}, year={2025}, doi={10.1088/2634-4386/adb7fe}}"
    )
    operations: ClassVar[Operations] = {"mul": 3, "add": 2, "compare": 1}
    state_words: ClassVar[Words] = 2
    parallel_in_time: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True
    LATER: ClassVar[tuple[str, ...]] = ("recurrent", "learn_tau", "learn_threshold", "heterogeneous")
    approximates: ClassVar[str | None] = (
        "lif[decay={mem_decay},synapse_decay={syn_decay},input_scale=1-decay,strict=true]"
    )

    mem_decay: float | Tensor
    syn_decay: float | Tensor
    mem_logit: nn.Parameter
    syn_logit: nn.Parameter

    def __init__(
        self,
        n: int = 1,
        *,
        mode: Literal["t", "st", "tt", "trt", "d", "sd", "td", "trd"] = "t",
        mem_decay: Share = 0.951229424500714,
        syn_decay: Share = 0.951229424500714,
        threshold: Positive | None = None,
        surrogate: Surrogate = "fast_sigmoid",
        slope: Positive = 100.0,
        recurrent: bool = False,
        learn_tau: bool = False,
        learn_threshold: bool = False,
        heterogeneous: bool = False,
    ) -> None:
        super().__init__()
        self.mode, self.recurrent, self.learn_tau, self.learn_threshold = mode, recurrent, learn_tau, learn_threshold
        self.surrogate: Surrogate = surrogate
        self.slope = slope
        shape = (n,) if heterogeneous else ()
        at = (0.1 if mode.endswith("d") else 1.0) if threshold is None else threshold
        for name, value, learns in (
            ("mem_decay", mem_decay, learn_tau),
            ("syn_decay", syn_decay, learn_tau and syn_decay != 0),
            ("threshold", at, learn_threshold),
        ):
            self._hold(name, value, learns, shape)
        self.plain = not (recurrent or learn_tau or learn_threshold or heterogeneous)
        self.coupled = recurrent  # pyright: ignore[reportAttributeAccessIssue]  # a fact of the class, but for this option
        if heterogeneous:
            names = ("mem_logit", "syn_logit", "mem_decay", "syn_decay", "threshold")
            self.per_neuron = tuple(k for k in names if hasattr(self, k))  # pyright: ignore[reportAttributeAccessIssue]  # likewise
        if recurrent:
            self.coupling = nn.Linear(n, n)
            nn.init.kaiming_uniform_(self.coupling.weight, nonlinearity="linear")
            nn.init.zeros_(self.coupling.bias)

    def _hold(self, name: str, value: float, learns: bool, shape: tuple[int, ...]) -> None:
        """Keep a constant as a float, a buffer per neuron, or a parameter; of a decay that learns its logit."""
        if learns and name != "threshold":
            if not 0 < value < 1:
                raise ValueError(f"learn_tau needs decays between 0 and 1, not {name}={value}")
            logit = math.log(value / (1 - value))
            self.register_parameter(name.replace("decay", "logit"), nn.Parameter(torch.full(shape, logit)))
        elif learns:
            self.register_parameter(name, nn.Parameter(torch.full(shape, value)))
        elif shape:
            self.register_buffer(name, torch.full(shape, value))
        else:
            setattr(self, name, value)

    def decays(self) -> tuple[float | Tensor, float | Tensor]:
        """Of synapse and membrane: floats, or tensors that may learn."""
        syn = torch.sigmoid(self.syn_logit) if hasattr(self, "syn_logit") else self.syn_decay
        return syn, torch.sigmoid(self.mem_logit) if self.learn_tau else self.mem_decay

    def level(self) -> float | Tensor:
        """The threshold that counts."""
        return torch.relu(self.threshold) if isinstance(self.threshold, nn.Parameter) else self.threshold

    def filtered(self, x: Tensor) -> Tensor:
        """Reset-free membrane v [T, B, N] of x, one step after the other."""
        syn, mem = self.decays()
        return recurrence((1 - mem) * recurrence(x, syn), mem)

    def membrane(self, x: Tensor, by: Filter | None = None) -> Tensor:
        by = by or self.filtered
        v = by(x)
        if self.recurrent:
            late = torch.cat([torch.zeros_like(v[:1]), v[:-1]])
            v = v + by(x + self.coupling(self.fire(self._compared(late))))
        return self._compared(v)

    def margin(self, membrane: Tensor, uniforms: Tensor | None = None) -> Tensor:
        return (membrane - self.level()).abs()

    def fire(self, membrane: Tensor) -> Tensor:
        """Spikes of what is compared with the threshold."""
        return spike(membrane - self.level(), self.surrogate, self.slope, strict=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.fire(self.membrane(x))

    def _compared(self, v: Tensor) -> Tensor:
        m = self._normalised(v)
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
