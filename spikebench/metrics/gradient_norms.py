"""Norm of the gradient that the current of each layer of neurons gets in a training step, from the input to the readout."""

from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from spikebench.cases.case import NetworkStep
from spikebench.metric import Running, Unavailable

unit = "1"
process = "memory"


def sample(running: Running) -> list[float]:
    """One Euclidean norm for every layer, over all steps, batch items and neurons, in the order of the network's `neurons`.

    Where the norms fall from the last to the first, the gradient vanishes on its way back; where they grow, it explodes.
    The detail has the norm of the gradient of every weight matrix and convolution outside the neurons, by its name, under `weights`.
    """
    work = running.workload
    if not isinstance(work.case, NetworkStep) or work.case.mode != "train" or work.case.parsed.scheme:
        raise Unavailable("it is a gradient by BPTT within a network: take a network, mode train and no scheme")
    layers = [*cast(nn.ModuleList, work.module.neurons)]
    norms: list[Tensor | None] = [None] * len(layers)

    def watch(place: int, _: nn.Module, given: tuple[Tensor, ...]) -> None:
        given[0].register_hook(partial(keep, place))

    def keep(place: int, g: Tensor) -> None:
        norms[place] = torch.linalg.vector_norm(g.detach().double())

    hooks = [layer.register_forward_pre_hook(partial(watch, place)) for place, layer in enumerate(layers)]
    work.launch()
    for hook in hooks:
        hook.remove()
    own = {id(p) for layer in layers for p in layer.parameters()}
    weights = [(name, p.grad) for name, p in work.module.named_parameters() if p.ndim > 1 and id(p) not in own]
    running.detail["weights"] = {
        name: 0.0 if g is None else float(torch.linalg.vector_norm(g.detach().double())) for name, g in weights
    }
    return [0.0 if norm is None else float(norm) for norm in norms]
