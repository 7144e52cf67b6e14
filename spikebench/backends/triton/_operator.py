"""Fused neurons as operators of torch.library: torch.compile, export and CUDA graphs take a layer without a break.

While torch traces, a fused function becomes one call of `spikebench::fused`, whose arguments are tensors, a text that
names the function with its options, and numbers. What a neuron computes before it, as PRF its rotation from its
parameters or RPSU its product, torch traces as it stands.
The operator makes the function from the text and runs its autograd function on a tape:
the function's forward, and the tensors that it saves as further outputs; `spikebench::fused_backward` puts them back and
runs its backward. What a tape holds besides tensors is found on the meta device. In eager mode nothing of this happens.

A stochastic neuron's noise is named by its seed, which the text holds, and by the number of the call. That is a tensor
that `spikebench::next_call` counts on when the graph runs: a number would be a constant of the graph, and noise used twice.
"""

import ast
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import lru_cache, partial, wraps
from importlib import import_module
from types import NoneType
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from spikebench.backend import Refused
from spikebench.backends.triton import _launch, _shapes

PLAIN = (bool, int, str, NoneType)
NO_BITS = "spikes=bits is no operator of torch.library; compile with spikes=same"


class Tape:
    """What a function's forward leaves for its backward, in place of autograd's context; `args` are those of the function."""

    def __init__(self, function: Any, args: tuple[Any, ...]) -> None:
        self.function, self.args = function, args
        self.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        self.output: Tensor | None = None
        self.saved_tensors: tuple[Tensor | None, ...] = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        self.saved_tensors = tensors


_tapes: ContextVar[list[Tape] | None] = ContextVar("tapes", default=None)


class Function(torch.autograd.Function):
    """An autograd function of a fused neuron: inside an operator it runs on a tape."""

    @classmethod
    def apply(cls, *args: Any, **_: Any) -> Any:
        tapes = _tapes.get()
        if tapes is None and torch._C._are_functorch_transforms_active():
            return super().apply(*args)  # which says that torch.func has no rule for the function
        if tapes is None:  # as torch calls it then, and without its checks, which take longer than a launch
            return super(torch.autograd.Function, cls).apply(*args)
        tapes.append(tape := Tape(cls, args))
        with torch.no_grad():
            tape.output = cls.forward(tape, *args)
        return tape.output


def once(backward: Callable[[Any, Tensor], Any]) -> Any:  # torch's types have any number of gradients
    """torch's once_differentiable for one gradient, at no cost where the backward pass itself is not differentiated."""
    careful = once_differentiable(backward)

    @wraps(backward)
    def called(ctx: Any, grad: Tensor) -> Any:
        return careful(ctx, grad) if torch.is_grad_enabled() else backward(ctx, grad)

    return called


def traceable(run: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A neuron's `run` that is an operator while torch traces: for one that is a single function of x and its parameters."""
    home = run.__module__

    @wraps(run)
    def called(neuron: Any, x: Tensor, seed: int | None = None, **how: Any) -> Tensor:
        if not torch.compiler.is_compiling():
            return run(neuron, x, seed, **how)
        if how.get("spikes") == "bits":
            raise Refused(NO_BITS)
        names, learned = [], []
        for name, parameter in neuron.named_parameters():
            names.append(name)
            learned.append(parameter)
        # plain numbers are arguments of their own: torch traces one that changes as a symbol, which no text can hold
        plain = {k: v for k, v in neuron.__dict__.items() if isinstance(v, PLAIN)}
        places = [k for k, v in neuron.__dict__.items() if isinstance(v, float)]
        numbers = [getattr(neuron, k) for k in places]
        spec = (home, type(neuron).__module__, type(neuron).__qualname__, plain, places, names, how)
        return operated(__name__, spec, x, learned, numbers)

    return called


def operated(
    module: str,
    spec: tuple[Any, ...],
    x: Tensor,
    learned: Sequence[Tensor],
    numbers: Sequence[float],
    call: Tensor | None = None,
) -> Tensor:
    """The operator's spikes, shaped like x: of the function that `remade(spec, learned, numbers, call)` of a module gives.

    spec: literals. learned: the other tensors that the function has gradients of, as parameters and further inputs.
    call: the number of the call of a neuron that draws.
    """
    wants = [x.requires_grad, *[p.requires_grad for p in learned]]
    keep = torch.is_grad_enabled() and any(wants)
    return torch.ops.spikebench.fused(
        x, learned, numbers, str((module, spec)), wants if keep else [], [] if call is None else [call]
    )[0]


def remade(
    spec: tuple[Any, ...], learned: Sequence[Tensor], numbers: Sequence[float], call: int
) -> Callable[[Tensor], Tensor]:
    """`run` of the neuron that a spec of `traceable` names, with these parameters, as a function of x."""
    home, module, kind, plain, places, names, how = spec
    found = getattr(import_module(module), kind)
    neuron = found.__new__(found)
    nn.Module.__init__(neuron)
    vars(neuron).update(plain, **dict(zip(places, numbers, strict=True)))
    neuron._parameters.update(zip(names, learned, strict=True))
    return partial(import_module(home).run.__wrapped__, neuron, **how)


@lru_cache
def _parsed(spec: str) -> tuple[str, tuple[Any, ...]]:
    return ast.literal_eval(spec)


def _taped(
    x: Tensor, learned: Sequence[Tensor], numbers: Sequence[float], spec: str, wants: Sequence[bool], call: int = 0
) -> tuple[Tensor, Tape | None]:
    """The spikes, and what the backward pass needs if anything is wanted."""
    module, of = _parsed(spec)
    wanted = wants[1:] or [False] * len(learned)
    own = [p.detach().requires_grad_(w) for p, w in zip(learned, wanted, strict=True)]
    run = import_module(module).remade(of, own, numbers, call)
    if not wants:
        with torch.no_grad():
            return run(x), None
    token = _tapes.set(tapes := [])
    try:
        with torch.enable_grad():
            s = run(x.detach().requires_grad_(wants[0]))
    finally:
        _tapes.reset(token)
    if len(tapes) != 1 or s is not tapes[0].output or any(not _own(a, x, own) for a in _inputs(tapes[0])):
        raise Refused(f"{of[0]} is more than one fused function of its input; compile it without gradients")
    return s, tapes[0]


def _own(tensor: Tensor, x: Tensor, learned: Sequence[Tensor]) -> bool:
    """Whether a tensor is the input or a parameter, so that its gradient is the operator's to give."""
    return tensor.untyped_storage()._cdata == x.untyped_storage()._cdata or any(tensor is p for p in learned)


def _inputs(tape: Tape) -> list[Tensor]:
    return [a for a in tape.args if isinstance(a, Tensor)]


def _sources(tape: Tape) -> list[int | None]:
    """For each saved tensor: which of the function's tensors it is or shares memory with; −1: it is new; None: absent."""
    places = [a.untyped_storage()._cdata for a in _inputs(tape)]
    found: list[int | None] = []
    for saved in tape.saved_tensors:
        place = None if saved is None else saved.untyped_storage()._cdata
        found.append(None if place is None else places.index(place) if place in places else -1)
    return found


@torch.library.custom_op("spikebench::fused", mutates_args=())
def fused(
    x: Tensor,
    learned: Sequence[Tensor],
    numbers: Sequence[float],
    spec: str,
    wants: Sequence[bool],
    calls: Sequence[Tensor],
) -> list[Tensor]:
    """Spikes shaped like x, and the new tensors that the backward pass reads. wants: of x and the parameters; []: nothing."""
    return _given(*_taped(x, learned, numbers, spec, wants, _number(calls)))


def _number(calls: Sequence[Tensor]) -> int:
    """The number of a call, the only one of its list; 0 where nothing is drawn, so that there is none."""
    return int(calls[0]) if calls else 0


def _given(s: Tensor, tape: Tape | None) -> list[Tensor]:
    """What the operator gives: the spikes, and those saved tensors of the tape that are new."""
    if tape is None:
        return [s]
    kept = zip(tape.saved_tensors, _sources(tape), strict=True)
    return [s, *(cast(Tensor, saved) for saved, source in kept if source == -1)]


@torch.library.custom_op("spikebench::fused_backward", mutates_args=())
def fused_backward(
    grad: Tensor,
    x: Tensor,
    learned: Sequence[Tensor],
    kept: Sequence[Tensor],
    numbers: Sequence[float],
    spec: str,
    wants: Sequence[bool],
    calls: Sequence[Tensor],
) -> list[Tensor]:
    """Gradients of those of x and the parameters that are wanted, in their order."""
    with _launch.recording(), _shapes.assumed(_shapes.device_of(x)):
        _, tape = _taped(x.to("meta"), learned, numbers, spec, wants, _number(calls))
    assert tape is not None
    inputs, news = [x, *_inputs(tape)[1:]], iter(kept)
    tape.saved_tensors = tuple(
        next(news) if source == -1 else None if source is None else inputs[source].reshape(cast(Tensor, saved).shape)
        for saved, source in zip(tape.saved_tensors, _sources(tape), strict=True)
    )
    with torch.no_grad():
        found = tape.function.backward(tape, grad)
    places = [n for n, a in enumerate(tape.args) if isinstance(a, Tensor)]
    by_address = {tape.args[n].data_ptr(): found[n] for n in places[1:]}
    own = [found[places[0]], *(by_address.get(p.data_ptr()) for p in learned)]
    given = [
        torch.zeros_like(t) if g is None else g.view_as(t)
        for t, g, wanted in zip((x, *learned), own, wants, strict=True)
        if wanted
    ]
    places = [g.untyped_storage()._cdata for g in given]
    return [g.clone() if place in places[:n] else g for n, (g, place) in enumerate(zip(given, places, strict=True))]


@fused.register_fake
def _(
    x: Tensor,
    learned: Sequence[Tensor],
    numbers: Sequence[float],
    spec: str,
    wants: Sequence[bool],
    calls: Sequence[Tensor],
) -> list[Tensor]:
    with _launch.recording():
        return _given(*_taped(x, learned, numbers, spec, wants))


@fused_backward.register_fake
def _(
    grad: Tensor,
    x: Tensor,
    learned: Sequence[Tensor],
    kept: Sequence[Tensor],
    numbers: Sequence[float],
    spec: str,
    wants: Sequence[bool],
    calls: Sequence[Tensor],
) -> list[Tensor]:
    return [torch.empty_like(t) for t, wanted in zip((x, *learned), wants, strict=True) if wanted]


def _save(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    x, learned, *ctx.rest, calls = inputs
    ctx.counts = len(learned), len(calls)
    ctx.save_for_backward(x, *learned, *calls, *output[1:])


def _back(ctx: Any, grads: list[Tensor]) -> tuple[Any, ...]:
    x, *rest = ctx.saved_tensors
    many, named = ctx.counts
    learned, calls, kept = rest[:many], rest[many : many + named], rest[many + named :]
    numbers, _, wants = ctx.rest
    found = iter(torch.ops.spikebench.fused_backward(grads[0], x, learned, kept, *ctx.rest, calls))
    dx, *others = [next(found) if wanted else None for wanted in wants]
    return dx, others, None if numbers else [], None, None, [None] * named


fused.register_autograd(_back, setup_context=_save)
