"""What lies between the layers: the same launch once more, with every layer replaced by what it gave.

The layers give the recorded spikes and hand back the recorded gradients, so that nothing but torch is at work. What the
network gives, the gradients of its weights, and what every layer gets must then be the same: no spike can flip, and only
the order of sums may differ. With the layers compared apart, the whole network is compared, at its own size and in its own
precision, for the price of its linear layers.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from spikebench.verify.inside import Seen, layers_of, set_random_state
from spikebench.verify.reference import relative_error
from spikebench.workloads.layer import Given

Error = tuple[str, float]


def chain(network: nn.Module, given: Given, seen: Sequence[Seen], again: Callable[[], Given]) -> list[Error]:
    """Errors of the output, of weights' gradients and of what layers got, each relative to the largest number.

    `again` is the launch that gave `given`, on the same input and noise.
    """
    got: dict[int, dict[str, Tensor]] = {}
    for number, s in enumerate(seen):
        s.module.forward = _stand_in(s, got.setdefault(number, {}))
    try:
        out, gradients = again()
    finally:
        for s in seen:
            del s.module.forward
    errors = [("the output", _error(given[0], out))]
    own = {id(p) for layer in layers_of(network) for p in layer.parameters()}
    names = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    for (name, p), mine, want in zip(names, given[1][1:], gradients[1:], strict=bool(gradients)):
        if id(p) not in own:
            errors.append((f"the gradient of {name}", _error(mine, want)))
    for number, s in enumerate(seen):
        errors.append((f"the input of {s.place}", _error(s.x, got[number]["x"])))
        if "g" in got[number]:
            errors.append((f"the gradient that {s.place} got", _error(s.g, got[number]["g"])))
    return errors


def _stand_in(seen: Seen, got: dict[str, Tensor]) -> Callable[..., Tensor]:
    def forward(x: Tensor, seed: int | None = None) -> Tensor:
        got["x"] = x.detach()
        set_random_state(seen.random, x.device)
        return cast(Tensor, _Recorded.apply(x, seen, got))

    return forward


class _Recorded(torch.autograd.Function):
    """The recorded spikes forward, the recorded gradient back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, seen: Seen, got: dict[str, Tensor]) -> Tensor:
        ctx.seen, ctx.got = seen, got
        assert seen.spikes is not None
        return seen.spikes.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.got["g"] = grad.detach().clone()
        return ctx.seen.gradient, None, None


def _error(mine: Tensor | None, want: Tensor | None) -> float:
    """A gradient that is not there is zero."""
    if mine is None or want is None:
        one = mine if want is None else want
        return 0.0 if one is None or not bool(one.any()) else float("inf")
    return float(relative_error(mine.detach().double(), want.detach().double()))
