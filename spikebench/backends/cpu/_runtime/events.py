"""A layer that fires in continuous time, computed event by event on all threads, each with some items of the batch."""

import torch
from torch import Tensor

from spikebench.backend import Refused
from spikebench.backends.cpu._kernels import events as kernels
from spikebench.backends.cpu._runtime.threads import launch, refuse
from spikebench.numerics import events
from spikebench.numerics.events import LONGEST, Constants


class Pass:
    """One layer on the lists of a batch before it [B, C, S]: its spikes [B, N, K] once it is made, and its backward pass."""

    def __init__(
        self, weight: Tensor, neuron: Constants, most: int, before: Tensor, end: Tensor, grazing: float
    ) -> None:
        """The weight is [N, C], `end` [B] when the samples end, `most` is K, `grazing` the least rise in units of θ/τ."""
        if reason := refuse(before.device.type, "float64"):
            raise Refused(reason)
        if float(end.max()) > LONGEST * neuron.tau_s:
            raise Refused(f"the kernels take samples of at most {LONGEST:g} time constants of a synapse")
        self._most, self._shape, self._end = most, before.shape, end[None].contiguous()
        self._at, self._place = events.in_order(before.double())
        self._channel = (self._place // before.shape[2]).double()
        self._w = weight.detach().double().T.contiguous()
        self._c = torch.zeros(1, kernels.CONSTANTS, dtype=torch.float64)
        self._c[0, kernels.TAU], self._c[0, kernels.THRESHOLD] = neuron.tau, neuron.threshold
        self._c[0, kernels.GAIN], self._c[0, kernels.LEAST] = neuron.gain, grazing * neuron.threshold / neuron.tau
        sizes = len(before), self._w.shape[1] * most
        self._times, self._rises = (torch.full(sizes, torch.inf, dtype=torch.float64) for _ in range(2))
        launch(kernels.forward, [*self._arrays, self._c], most, most=1, even=False)
        self.times, self.rises = (v.view(len(before), -1, most) for v in (self._times, self._rises))

    @property
    def _arrays(self) -> list[Tensor]:
        return [self._end, self._at, self._channel, self._w, self._times, self._rises]

    def back(self, errors: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of the weight, and the errors of the spikes before [B, C, S], by those of its own spikes."""
        each = -(-len(self._times) // torch.get_num_threads())  # items: every thread has sums of its own
        sums = torch.zeros(-(-len(self._times) // each), self._w.numel(), dtype=torch.float64)
        by_time, given = torch.zeros_like(self._at), errors.reshape(len(errors), -1).contiguous()
        arrays = [*self._arrays, given, sums, by_time, self._c]
        launch(kernels.backward, arrays, self._most, most=each, even=False)
        before = by_time.new_zeros(len(by_time), self._shape[1:].numel()).scatter_(1, self._place, by_time)
        return sums.sum(0).view(self._w.shape).T, before.view(self._shape)
