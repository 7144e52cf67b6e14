"""What a scheme is: a way of training a network, which says what gradient every weight gets and in what order it is computed.

A neuron is a map from currents to spikes, and so cannot say how its synapses learn. A scheme can: it gets the whole stack of
linear layers and neurons. It is a file in `schemes/` with module constants, literals, because they are also read without
importing torch:

    SOURCE      its citation, as BibTeX
    MEMORY      how its memory grows with the number of steps: "T" or "1"
    EXACT       whether its gradient is that of backpropagation through time, or of the spike times themselves
    ANN_BRANCH  whether it needs a network without spikes beside the spiking one
    ONLINE      whether it learns from every step without the ones that follow
    VERIFIED    whether its equations were read in the paper or its authors' code
    NEURONS     neurons that it is defined for, where these are not all
    NEURON      the neuron that it takes where only the scheme is named, if that is not lif with its usual options
    BACKENDS    backends that it can use, where these are not all: one that owns the loop over time has only eager
    EVENTS      whether it takes spike times, as lists [B, C, S], in place of a sequence; its loss is its own then
    LATER       options that came after cases were recorded

and two functions with the same keyword options. `gradients` is what is measured. `definition` is the equation, summed
explicitly over all steps at once, with which the gate compares it:

    gradients(stack, x, labels, mask=None, apply=None, **options) -> loss, {parameter: gradient}
    definition(stack, x, labels, mask=None, **options) -> loss, {parameter: gradient}

A third one may say what is tested when a training is over, where that is not the stack itself. It gets the batches of the
training data, as x and mask:

    tested(stack, batches, **options) -> module, whose forward(x, mask) gives logits [B, classes], with `neurons` and `spike_rates`

The stack reads out at every step, o_t = W s_t + b, and the loss is the same for all schemes:

    L = Σ_t Σ_b w_tb·((1 − μ)·CE(o_tb, y_b) + μ·MSE(o_tb, onehot y_b))      μ = 0.05,  w_tb = 1/(T·B)

Of a sample with padding, w_tb is 1/(length·B) on data and 0 on padding.

A scheme whose neurons fire at any time has a loss of spike times instead, and what is tested takes a spike time for a logit. If it is
exact, `followed` gives the loss by other means than `gradients`, of which the gate takes finite differences:

    followed(stack, x, labels, mask=None, **options) -> loss, spikes of every neuron, rises of the membrane at them

One that computes only so many spikes of a neuron says how many neurons would have fired more often, so that a record is flagged:

    silenced(stack, x, mask=None, **options) -> number of neurons
"""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikebench import registry
from spikebench.backend import Refused
from spikebench.network import Classifier, EventClassifier, Unchanged
from spikebench.numerics import events

if TYPE_CHECKING:
    from spikebench.cases.case import Case
    from spikebench.cases.subject import Subject

MSE = 0.05  # μ, as in the code of OTTT and SLTT

Gradients = dict[nn.Parameter, Tensor]
Apply = Callable[[Gradients], object]


class Scheme(Protocol):
    """The module of a scheme. x is [T, B, C], or lists [B, C, S] of spike times; labels [B]; mask [T, B] and true on data.

    `apply` is called with every gradient that is to be stepped on: once a batch, or once a time step where the scheme
    updates online. The gradients that are returned are the sum of them.
    """

    def gradients(
        self,
        stack: Classifier,
        x: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
        apply: Apply | None = None,
        **options: Any,
    ) -> tuple[Tensor, Gradients]:
        """The loss of a batch, and what each parameter of the stack learns from it."""
        ...

    def definition(
        self, stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None = None, **options: Any
    ) -> tuple[Tensor, Gradients]:
        """The same, as the equation says it."""
        ...


def load(name: str) -> Scheme:
    """The scheme with an id."""
    return cast(Scheme, importlib.import_module(f"spikebench.schemes.{registry.find('schemes', name)}"))


def gradients(
    subject: "Subject",
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    apply: Apply | None = None,
) -> tuple[Tensor, Gradients]:
    """The loss and the gradients of a subject's scheme, with the options that the subject names."""
    assert subject.scheme is not None
    x, mask = _given(subject, stack, x, mask)
    return load(subject.scheme).gradients(stack, x, labels, mask, apply, **subject.all_rule)


def definition(
    subject: "Subject", stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Gradients]:
    """The same by the definition of the scheme."""
    assert subject.scheme is not None
    x, mask = _given(subject, stack, x, mask)
    return load(subject.scheme).definition(stack, x, labels, mask, **subject.all_rule)


@runtime_checkable
class OverSteps(Protocol):
    """A network that is tested, and whose outputs come nearer to those of a network without spikes with every step."""

    def over_steps(self, x: Tensor, mask: Tensor | None = None) -> Iterator[Tensor]:
        """The outputs [B, classes] after 1, 2, … steps."""
        ...

    def reference(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The outputs of the network without spikes."""
        ...


def tested(subject: "Subject | None", stack: nn.Module, batches: Iterable[tuple[Tensor, Tensor | None]]) -> nn.Module:
    """The network that is tested when a subject's scheme has trained a stack; `batches` are those of the training data."""
    made = None if subject is None or subject.scheme is None else getattr(load(subject.scheme), "tested", None)
    return stack if made is None else cast(nn.Module, made(stack, batches, **cast("Subject", subject).all_rule))


class Followed(Protocol):
    """What a forward pass of spike times gave: the loss, spikes of every neuron, and the rises of the membrane in units of θ/τ."""

    @property
    def loss(self) -> float: ...
    @property
    def counts(self) -> Tensor: ...
    @property
    def rises(self) -> Tensor: ...


def followed(subject: "Subject", stack: Classifier, x: Tensor, labels: Tensor) -> Followed:
    """The loss of a batch, by a scheme whose gradient is that of spike times."""
    x, mask = _given(subject, stack, x, None)
    return cast(Any, load(cast(str, subject.scheme))).followed(stack, x, labels, mask, **subject.all_rule)


def silenced(subject: "Subject", stack: nn.Module, x: Tensor, mask: Tensor | None = None) -> int:
    """How many neurons, over all samples, would have fired more often than the subject's scheme computes."""
    count = None if subject.scheme is None else getattr(load(subject.scheme), "silenced", None)
    if count is None:
        return 0
    x, mask = _given(subject, cast(Classifier, stack), x, mask)
    return cast(int, count(stack, x, mask, **subject.all_rule))


def _given(subject: "Subject", stack: Classifier, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The input as the scheme takes it: what is not, is turned from lists of spike times into counts per step, or back."""
    if not takes_events(subject):
        return (stack.counted(x), None) if isinstance(stack, EventClassifier) else (x, mask)
    if isinstance(stack, EventClassifier):
        return x, torch.ones(stack.steps, len(x), dtype=torch.bool, device=x.device)
    return in_lists(x, mask)


def in_lists(x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Counted spikes [T, B, C] as lists, and a mask that is there. Raises Refused for an input that counts no spikes."""
    whole = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask
    try:
        return events.lists(x * whole[..., None]), whole
    except ValueError as error:
        raise Refused(f"a scheme of spike times takes a task of spikes, as digits[code=time]: {error}") from error


@dataclass(frozen=True)
class Alignment:
    """How the gradient of one weight matrix lies to that of BPTT: their cosine, and the ratio of their norms."""

    weight: str
    cosine: float
    ratio: float


def alignment(
    subject: "Subject", stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None = None
) -> list[Alignment]:
    """How the gradients of a subject's scheme lie to those of BPTT, on the same batch and weights; nothing where the loss is another."""
    if takes_events(subject):
        return []
    mine, theirs = gradients(subject, stack, x, labels, mask)[1], load("bptt").gradients(stack, x, labels, mask)[1]
    found: list[Alignment] = []
    for name, p in stack.named_parameters():
        if p.ndim == 2 and p.requires_grad:
            a, b = mine[p].double(), theirs[p].double()
            size, other = float(a.norm()), float(b.norm())
            both = size * other
            found.append(Alignment(name, float((a * b).sum()) / both if both else 0.0, size / other if other else 0.0))
    return found


def owns_time(subject: "Subject") -> bool:
    """Whether the subject's scheme steps through time itself: no backend has a whole sequence then."""
    if subject.scheme is None:
        return False
    return takes_events(subject) or registry.scheme_facts(subject.scheme).get("BACKENDS") == ("eager",)


def takes_events(subject: "Subject") -> bool:
    """Whether the subject's scheme takes lists of spike times."""
    return subject.scheme is not None and bool(registry.scheme_facts(subject.scheme).get("EVENTS"))


def refusal(case: "Case") -> str | None:
    """Why a case's scheme cannot train its neuron on its backend, or None."""
    s = case.parsed
    if s.scheme is None:
        return None
    said: Mapping[str, Any] = registry.scheme_facts(s.scheme)
    if s.name not in said.get("NEURONS", (s.name,)):
        return f"{s.scheme} is defined for {', '.join(said['NEURONS'])}, not for {s.name}"
    if s.backend not in said.get("BACKENDS", (s.backend,)):
        can = " or ".join(map(registry.alias, said["BACKENDS"]))
        return f"{s.scheme} steps through time itself, on {can}; take {s.name}@{said['BACKENDS'][0]}+{s.scheme}"
    return None


def plain(stack: nn.Module, name: str) -> Classifier:
    """The stack, if it is one whose layers a scheme can take step by step. Raises Refused if not."""
    if not isinstance(stack, Classifier):
        raise Refused(f"{name} trains a stack of Linear and neurons with a readout, not a {type(stack).__name__}")
    if not all(isinstance(norm, Unchanged) for norm in stack.norms):
        raise Refused(f"{name} learns step by step, and BatchNorm over all steps needs them all; take batch_norm=false")
    return stack


def shares(x: Tensor, mask: Tensor | None) -> Tensor:
    """The weight of each step and sample in the loss: [T, B]."""
    steps, batch = x.shape[:2]
    if mask is None:
        return x.new_full((), 1 / (steps * batch)).expand(steps, batch)  # one number, whatever T
    return mask.to(x.dtype) / (mask.sum(0) * batch)


def loss_of(o: Tensor, labels: Tensor, share: Tensor) -> Tensor:
    """The loss of outputs o [..., B, classes] of steps whose weights are `share` [..., B]."""
    wanted = labels.expand(o.shape[:-1])
    entropy = functional.cross_entropy(o.flatten(0, -2), wanted.flatten(), reduction="none").view_as(share)
    squared = (o - functional.one_hot(wanted, o.shape[-1]).to(o.dtype)).square().mean(-1)
    return (share * ((1 - MSE) * entropy + MSE * squared)).sum()


def learned(stack: nn.Module) -> list[nn.Parameter]:
    """What learns, in the stack's order."""
    return [p for p in stack.parameters() if p.requires_grad]
