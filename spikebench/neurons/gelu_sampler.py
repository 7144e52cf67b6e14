"""Spike sampler with a GELU between its state-space model and its probability, as its authors' blocks have it."""

from typing import ClassVar

from torch import Tensor, nn

from spikebench.neuron import Operations
from spikebench.neurons.spike_sampler import SpikeSampler


class GeluSampler(SpikeSampler):
    """SpikeSampler of P-SpikeSSM with a GELU before gain and bias, as the published block has it:

        q_t = gain·GELU(y_t) + bias    p_t = min(max(q_t, 0), 1)    s_t = [uniform_t < p_t]

    y and all else are those of `spike_sampler`; published with ssm=dplr. `dropout`, which a block sets, is that of y and
    of GELU(y) in training, one mask for all steps.
    Source: NeuroCompLab-psu/PSpikeSSMs at 8f7a954 (backbones/block.py). Caveat: there the kernel is two-sided.
    """

    LONGEST_T: ClassVar[int | None] = 512
    operations: ClassVar[Operations] = {
        "mul": "3 * state + 4",
        "add": "2.5 * state + 1",
        "special": 1,
        "compare": 1,
        "draw": 1,
    }

    dropout: float = 0.0

    def score(self, x: Tensor) -> Tensor:
        return self.scored(self.filtered(x))

    def scored(self, y: Tensor) -> Tensor:
        """q [T, B, N] from y, however that was found."""
        y = dropped(y, self.dropout, self.training)
        return self.gain * dropped(nn.functional.gelu(y), self.dropout, self.training) + self.bias

    def onto_jump(self, x: Tensor) -> bool:
        """Never: a transform, the published way, does not keep silence exact."""
        return False


def dropped(x: Tensor, share: float, training: bool) -> Tensor:
    """x [T, B, N] with a share of its series at 0 for all steps, the others scaled up to keep the mean; for training."""
    if not (training and share):
        return x
    return x * nn.functional.dropout(x.new_ones(x.shape[1:]), share)
