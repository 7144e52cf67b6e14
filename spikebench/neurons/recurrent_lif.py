"""Recurrent leaky integrate-and-fire layer: the last spikes of all its neurons are part of every neuron's input."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn, zeros_like

from spikebench.neuron import Operations, State, Words
from spikebench.neurons.lif import LIF
from spikebench.numerics.surrogate import Surrogate
from spikebench.units import Positive, Share


class RecurrentLIF(LIF):
    """Recurrent LIF, the LIF of ParaLIF's authors with `recurrent=True` (Yarga and Wood 2025; read in their code):

        c_t = x_t + W s_{t-1}           W [N, N] learns; row n holds the weights into neuron n
        u_t, s_t, v_t from c_t as in lif (with a synapse, W s_{t-1} passes through it as x_t does)

    W starts uniform within √(3/N), theirs; its bias is left to the layer before. Options as in lif.
    State: that of lif, then s [B, N]. Source: doi 10.1088/2634-4386/adb7fe, eq. 20 of the code.
    """

    reference: ClassVar[str] = (
        "@article{yarga2025accelerating, author={Yarga, Sidi Yaya Arnaud and Wood, Sean U. N.}, title={Accelerating"
        " spiking neural networks with parallelizable leaky integrate-and-fire neurons}, journal={Neuromorphic Computing"
        " and Engineering}, year={2025}, doi={10.1088/2634-4386/adb7fe}}"
    )
    LONGEST_T: ClassVar[int | None] = 4096
    operations: ClassVar[Operations] = {"mul": 1, "add": "N + 3", "compare": 1, "select": 1}
    state_words: ClassVar[Words] = 2
    coupled: ClassVar[bool] = True

    def __init__(
        self,
        n: int,
        *,
        decay: Share = 0.9,
        threshold: Positive = 1.0,
        reset: Literal["none", "soft", "hard"] = "soft",
        detach_reset: bool = False,
        input_scale: Literal["one", "1-decay"] = "one",
        synapse_decay: Share | None = None,
        surrogate: Surrogate = "atan",
        slope: Positive = 2.0,
    ) -> None:
        super().__init__(
            decay=decay,
            threshold=threshold,
            reset=reset,
            detach_reset=detach_reset,
            input_scale=input_scale,
            synapse_decay=synapse_decay,
            surrogate=surrogate,
            slope=slope,
        )
        self.weight = nn.Parameter(torch.empty(n, n).uniform_(-1, 1) * (3 / n) ** 0.5)

    def initial(self, x: Tensor) -> State:
        return (*super().initial(x), zeros_like(x))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        *rest, s = state
        s, u, after = super().step(x + torch.matmul(s, self.weight.t()), tuple(rest))
        return s, u, (*after, s)
