"""Surrogate dynamic network: a small trained network predicts the membrane of a LIF with hard reset, all steps at once."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from spikebench.neuron import Neuron, Operations, Reset, Words
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Positive

WEIGHTS = Path(__file__).with_name("_sdn.json")
WINDOW = 8  # steps that the network sees
Parts = dict[str, list[float] | list[list[float]]]


class SDN(Neuron):
    """Neuron of the surrogate dynamic network of SpikingSSM (Shen et al. 2025; read in its authors' code), y = x/threshold:

        r_t = max(0, window·(y_{t−8} … y_{t−1}) + window_bias)        r' = max(0, mix·r + mix_bias + r)
        P_t = out·r' + out_bias                                       s_t = [P_t + y_t ≥ 1]

    P, with 153 numbers in 8 channels, stands for what is left of the last step's membrane in the LIF with hard reset
    u_t = 0.125·v_{t-1} + y_t. At that decay eight steps are all that counts. Its numbers are constants, and no gradient goes
    through P: dL/dx_t = g_t·σ'(P_t + y_t − 1)/threshold, which is the LIF's without its path through time.
    Source: AAAI 2025, arXiv 2408.14909, code shenshuaijie/SDN at 709640e (model.py, src/models/spike/neuron.py).
    Here P was trained anew: `python -m spikebench.neurons._sdn_fit` makes `_sdn.json`, which says how. The authors learn a
    threshold for each channel in the layer around the neuron; here it is an option.
    """

    reference: ClassVar[str] = (
        "@inproceedings{shen2025spikingssms, author={Shen, Shuaijie and Wang, Chao and Huang, Renzhuo and Zhong, Yan and"
        " Guo, Qinghai and Lu, Zhichao and Zhang, Jianguo and Leng, Luziwei}, title={{SpikingSSMs}: Learning Long Sequences"
        " with Sparse and Parallel Spiking State Space Models}, booktitle={AAAI}, year={2025}, note={arXiv:2408.14909}}"
    )
    operations: ClassVar[Operations] = {"mul": 137, "add": 162, "compare": 17}
    state_words: ClassVar[Words] = 8
    state_writes: ClassVar[Words | None] = 1
    reset_kind: ClassVar[Reset] = "mean-field"
    parallel_in_time: ClassVar[bool] = True
    surrogate_membrane: ClassVar[bool] = True  # its gradient leaves the network out
    approximates: ClassVar[str | None] = (
        "lif[decay=0.125,threshold={threshold},reset=hard,detach_reset=true,surrogate={surrogate},slope={slope}]"
    )

    def __init__(self, *, threshold: Positive = 1.0, surrogate: Surrogate = "triangle", slope: Positive = 1.0) -> None:
        super().__init__()
        self.threshold = threshold
        self.surrogate: Surrogate = surrogate
        self.slope = slope
        for name, values in fitted().items():
            self.register_buffer(name, torch.tensor(values))

    def parts(self) -> dict[str, Tensor]:
        """The numbers of P by their names."""
        return dict(self.named_buffers())

    def compared(self, x: Tensor) -> Tensor:
        """P + y [T, B, N], which is compared with 1."""
        y = x / self.threshold
        return predicted(y.detach(), self.parts()) + y

    def membrane(self, x: Tensor) -> Tensor:
        return self.threshold * self.compared(x)

    def forward(self, x: Tensor) -> Tensor:
        return spike(self.compared(x) - 1, self.surrogate, self.slope)


@cache
def fitted() -> Parts:
    """The numbers of P as they were trained."""
    return json.loads(WEIGHTS.read_text(encoding="utf-8"))["weights"]


def predicted(y: Tensor, parts: Mapping[str, Tensor]) -> Tensor:
    """P [T, ...] of y, which is 0 before the first step."""
    steps = y.shape[0]
    series = y.movedim(0, -1).reshape(-1, steps)  # [M, T]
    windows = pad(series, (WINDOW, -1)).unfold(-1, WINDOW, 1).reshape(-1, WINDOW)  # [M·T, 8]
    seen = torch.addmm(parts["window_bias"], windows, parts["window"].t()).clamp_min(0)
    mixed = (torch.addmm(parts["mix_bias"], seen, parts["mix"].t()) + seen).clamp_min(0)
    out = torch.addmm(parts["out_bias"], mixed, parts["out"].t())
    return out.view(*y.shape[1:], steps).movedim(-1, 0)
