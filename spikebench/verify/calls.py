"""Several calls: a state that is carried from one to the next, with its gradient, and the same call again and again.

Two mistakes of published libraries show here and nowhere else: gradients that are wrong if several forward calls go
before one backward pass (synsense/sinabs-exodus, issue 3), and spikes that are missing when the same input is run again
(brian-team/brian2cuda, issue 23).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from spikebench.host import clock
from spikebench.loading.foreign import Adapted
from spikebench.neuron import SteppedNeuron
from spikebench.verify.reference import relative_error
from spikebench.workloads.layer import spikes_of

TIMES, SECONDS, LEAST = 16, 0.02, 2  # calls on the same input, at most so many and for so long, but so many at least
CLOSE = {torch.float64: 1e-10, torch.float32: 1e-4}  # the order of sums may differ
Gradients = tuple[Tensor, ...]  # of the input, then of the parameters
Pieces = Callable[[Sequence[Tensor]], list[Tensor]]  # from the pieces of an input to their spikes, the state carried on


@dataclass(frozen=True)
class Carried:
    """What pieces of a sequence gave beside the whole: `wrong` says why they differ, `note` what else there is to say."""

    wrong: str | None = None
    note: str = ""
    kept: bool = True


def cuts(steps: int) -> list[int]:
    """The lengths of the pieces: the first step, a part, and the rest."""
    ends = sorted({0, min(1, steps), max(min(1, steps), steps // 2), steps})
    return [b - a for a, b in pairwise(ends)]


def stepped(neuron: SteppedNeuron, x: Tensor, g: Tensor) -> Carried:
    """Whether pieces of x, with the state carried over, give the spikes and the gradients of the whole."""

    def pieces(parts: Sequence[Tensor]) -> list[Tensor]:
        state, spikes = None, list[Tensor]()
        for part in parts:
            out, state = neuron(part, state, True)
            spikes.append(out)
        return spikes

    return _compared(neuron, lambda whole: spikes_of(neuron(whole)), pieces, x, g, handed=True)


def adapted(module: Adapted, x: Tensor, g: Tensor) -> Carried:
    """The same of somebody's module that takes whole sequences, and goes on where the last one ended until it is reset."""

    def call(part: Tensor) -> Tensor:
        turned = part.transpose(0, 1) if module.way.layout == "BT" else part
        out = module.call(turned)[module.way.output]
        return out.transpose(0, 1) if module.way.layout == "BT" else out

    def pieces(parts: Sequence[Tensor]) -> list[Tensor]:
        return [module(parts[0]), *map(call, parts[1:])]  # which is reset before the first

    with torch.no_grad():
        parts = x.split(cuts(len(x)))
        alone = torch.cat([module(part) for part in parts])
        if torch.equal(torch.cat(pieces(parts)), alone):
            return Carried(kept=False)
    return _compared(module, module, pieces, x, g)


def _compared(
    module: nn.Module, whole: Callable[[Tensor], Tensor], pieces: Pieces, x: Tensor, g: Tensor, handed: bool = False
) -> Carried:
    """Spikes and gradients of the pieces beside those of the whole.

    A module may keep a state without a gradient, and then none goes from call to call. A state that is `handed` from
    call to call has one, and so has one that belongs to the graph.
    """
    lengths = cuts(len(x))
    learned = [p for p in module.parameters() if p.requires_grad]
    x = x.detach().requires_grad_()
    spikes = whole(x)
    parts = pieces(x.split(lengths))
    if not torch.equal(torch.cat(parts), spikes):
        first = int((torch.cat(parts) != spikes).flatten(1).any(1).to(torch.int8).argmax())
        return Carried(f"pieces of {lengths} steps with the state carried over spike otherwise from t = {first} on")
    connected = handed or _in_graph(module)
    if not spikes.requires_grad:
        return Carried(note="; without a gradient")
    want, limit = _gradients(spikes, [x, *learned], g), CLOSE.get(x.dtype, 1e-2)
    got = _gradients(torch.cat(parts), [x, *learned], g)
    error = max(float(relative_error(a.double(), b.double())) for a, b in zip(got, want, strict=True))
    if error <= limit:
        return Carried(note="; so are their gradients")
    if not connected and _stops(whole, parts, x, g, lengths, limit):
        return Carried(note="; no gradient goes from call to call, because the state that is kept has none")
    return Carried(f"gradients over several calls are off by {error:.2g} of those of one call over the whole")


def _gradients(spikes: Tensor, of: list[Tensor], g: Tensor) -> Gradients:
    found = torch.autograd.grad(spikes, of, g, allow_unused=True, retain_graph=True)
    return tuple(torch.zeros_like(p) if v is None else v for p, v in zip(of, found, strict=True))


def _stops(
    whole: Callable[[Tensor], Tensor], parts: list[Tensor], x: Tensor, g: Tensor, lengths: list[int], limit: float
) -> bool:
    """Whether the gradient of each piece is that of the whole, less what goes to earlier pieces."""
    (got,), spikes = _gradients(torch.cat(parts), [x], g), whole(x)
    for own, place in zip(got.split(lengths), range(len(lengths)), strict=True):
        masked = [part if k == place else torch.zeros_like(part) for k, part in enumerate(g.split(lengths))]
        (want,) = _gradients(spikes, [x], torch.cat(masked))
        if float(relative_error(own.double(), want.split(lengths)[place].double())) > limit:
            return False
    return True


def _in_graph(module: nn.Module) -> bool:
    """Whether a tensor that the module, or a part of it, keeps belongs to the graph of a call."""
    held = (v for part in module.modules() for v in (*vars(part).values(), *part._buffers.values()))
    return any(isinstance(v, Tensor) and v.grad_fn is not None for v in held)


def repeated(
    launch: Callable[[], Tensor], between: Callable[[], object] = lambda: None, seconds: float = SECONDS
) -> str | None:
    """What a launch on the same input and noise gives otherwise when it is done again; None if it always gives the same.

    `between` is done before each further launch.
    """
    first, start = launch().detach().clone(), clock.monotonic()
    for number in range(2, TIMES + 1):
        between()
        again = launch().detach()
        if not torch.equal(again, first):
            return f"call {number} on the same input {_otherwise(again, first)}"
        if number > LEAST and clock.monotonic() - start > seconds:
            break
    return None


def _otherwise(again: Tensor, first: Tensor) -> str:
    """How the spikes of a later call differ from those of the first."""
    if again.shape != first.shape:
        return f"gives {list(again.shape)} after {list(first.shape)}"
    more = float(again.double().sum() - first.double().sum())
    if more:
        return f"gives {abs(more):g} spikes {'more' if more > 0 else 'fewer'} than the first"
    return f"gives as many spikes as the first, {int((again != first).sum())} of them elsewhere"
