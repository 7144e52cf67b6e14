"""Noise that is used twice: for every call, seed, site, step or batch item, or because a call is not counted."""

from typing import Literal

from torch import Tensor

from spikebench.neurons.spsn import SPSN
from spikebench.numerics import philox

What = Literal["call", "seed", "high-seed", "site", "count", "step", "item"]


def run(neuron: SPSN, x: Tensor, seed: int | None = None, *, what: What = "call") -> Tensor:
    call = neuron.calls if what == "count" else neuron.next_call()
    key = {"seed": 0, "high-seed": neuron.seed & 0xFFFFFFFF}.get(what, neuron.seed)
    site = 0 if what == "site" else neuron.site
    uniforms = philox.uniforms(key, 0 if what == "call" else call, site, x.shape, x.device).to(x.dtype)
    if what == "step":
        uniforms = uniforms[::4].repeat_interleave(4, 0)[: len(x)]
    if what == "item":
        uniforms = uniforms[:, :1].expand(x.shape)
    return neuron.fire(neuron.potential(x), uniforms)
