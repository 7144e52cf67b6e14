"""Norm of the gradient that the current of each layer of synapses gets in a training step, from the input to the readout."""

from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from spikebench.cases.case import NetworkStep
from spikebench.metric import Running, Unavailable

unit = "1"
process = "memory"


def sample(running: Running) -> list[float]:
    """One Euclidean norm for every layer, over all steps, batch items and neurons, from the first layer to the last.

    A current is what synapses and their norm give. Where spikes are passed on it is what neurons get; where currents are
    added it is a part of the sum, whose gradient is that of the sum. Where the norms fall from the last to the first, the
    gradient vanishes on its way back; where they grow, it explodes. The detail has the norm of the gradient of every weight
    matrix and convolution outside the neurons, by its name, under `weights`.
    """
    work = running.workload
    if not isinstance(work.case, NetworkStep) or work.case.mode != "train" or work.case.parsed.scheme:
        raise Unavailable("it is a gradient by BPTT within a network: take a network, mode train and no scheme")
    neurons = [*cast(nn.ModuleList, work.module.neurons)]
    layers: list[nn.Module] | None = getattr(work.module, "currents", None)  # whose outputs are the currents
    norms: dict[int, Tensor] = {}
    if layers is None:
        hooks = [m.register_forward_pre_hook(partial(_got, norms, place)) for place, m in enumerate(neurons)]
    else:
        hooks = [m.register_forward_hook(partial(_gave, norms, place)) for place, m in enumerate(layers)]
    work.launch()
    for hook in hooks:
        hook.remove()
    own = {id(p) for layer in neurons for p in layer.parameters()}
    weights = [(name, p.grad) for name, p in work.module.named_parameters() if p.ndim > 1 and id(p) not in own]
    running.detail["weights"] = {name: 0.0 if g is None else float(_norm(g)) for name, g in weights}
    return [float(norms[place]) if place in norms else 0.0 for place in range(len(hooks))]


def _got(norms: dict[int, Tensor], place: int, _: nn.Module, given: tuple[Tensor, ...]) -> None:
    """When its gradient comes, keep the norm for what a layer got."""
    given[0].register_hook(partial(_put, norms, place))


def _gave(norms: dict[int, Tensor], place: int, _: nn.Module, given: object, out: Tensor) -> None:
    """The same for what it gave."""
    out.register_hook(partial(_put, norms, place))


def _put(norms: dict[int, Tensor], place: int, g: Tensor) -> None:
    norms[place] = _norm(g)


def _norm(g: Tensor) -> Tensor:
    return torch.linalg.vector_norm(g.detach().double())
