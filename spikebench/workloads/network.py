"""The workload of a network: the named network with the case's neuron, an input like its data, and one call that does its work."""

import copy
import inspect
from collections.abc import Callable
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from spikebench import scheme as schemes
from spikebench.backend import Refused
from spikebench.cases.case import Case, NetworkStep, expect
from spikebench.cases.named import Published
from spikebench.loading.subject import definition_of, load
from spikebench.network import LOSSES, Classifier, EventClassifier, Layers, Named
from spikebench.network import load as load_network
from spikebench.networks._residual import ResidualNetwork
from spikebench.neuron import Neuron, StochasticNeuron
from spikebench.workloads.layer import Given, Launches, Workload, cast_by, mean_for, noise, require, spikes_of

Loss = Callable[[Tensor, Tensor], Tensor]
Fires = Callable[..., Tensor | tuple[Tensor, ...]]
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamax": torch.optim.Adamax,
    "adamw": torch.optim.AdamW,
}


def build(case: Case) -> Workload:
    """A named network on an input like its data, its biases moved until every layer fires at the case's rate.

    Raises Refused with the reason when the backend cannot run the case.
    """
    require(case := expect(case, NetworkStep))
    if why := schemes.refusal(case):
        raise Refused(why)
    named, dtype = case.named, cast(torch.dtype, getattr(torch, case.dtype))
    made, sizes = load_network(named.name), {"width": case.N, "channels": case.N, "classes": 0} | named.sizes
    asked = named.choices | ({"T": case.T} if "T" in inspect.signature(made.build).parameters else {})
    torch.manual_seed(case.seed)
    module = made.build(lambda n: load(case.parsed, n, case.T, dtype, case.device), **sizes, **asked)
    module = module.to(case.device, dtype)
    generator = torch.Generator(case.device).manual_seed(1_000_003 * case.seed)
    x = _input(made, module, case, sizes["channels"] * named.places, generator).to(dtype)
    if isinstance(module, EventClassifier):
        _scale(module, x, case)
    elif isinstance(module, Layers | Classifier):
        _settle(module, x, case)
    elif isinstance(module, ResidualNetwork):
        _settle_within(module.train(case.mode != "inference"), x, case)
    cast_by(case, module).train(case.mode != "inference")
    if sizes["classes"]:
        g = torch.randint(sizes["classes"], (case.B,), generator=generator, device=case.device)
    else:
        g = noise(case, case.T, stream=1)

    step = _optimizer(module, named.published) if sizes["classes"] else None

    def on(x: Tensor) -> Launches:
        if case.parsed.scheme:
            return _schemes_launches(case, module, x, g, step)
        return _launches(case, module, x, g, LOSSES[named.published.loss], step)

    own = on(x)
    return Workload(case, module, x, g, own.launch, own.forward, on=on)


LONGEST, MOST, ITEMS = 2048, 2**21, 4  # steps, currents and batch items at most with which biases are found


def _input(made: Named, module: nn.Module, case: NetworkStep, channels: int, generator: torch.Generator) -> Tensor:
    """An input like the data of a network; spike times come at the case's rate."""
    if not isinstance(module, EventClassifier):
        return made.data(case.T, case.B, channels, generator)
    module.steps = case.T
    return cast(Callable[..., Tensor], made.data)(case.T, case.B, channels, generator, rate=case.rate)


def _scale(module: EventClassifier, x: Tensor, case: NetworkStep, tried: int = 33) -> None:
    """Scales the weights, layer by layer, until each layer fires at the case's rate on one item: there is no bias to move.

    The scale is found with the definition on the grid of the case, so that every subject gets the same weights.
    """
    s = module.counted(x[:1])  # [T, 1, C]
    for linear, bound in zip(module.linears, module.neurons, strict=True):
        neuron, weight = definition_of(bound) or bound, cast(nn.Linear, linear).weight
        low, high = -6.0, 6.0
        with torch.no_grad():
            current = nn.functional.linear(s, weight)
            for _ in range(3):  # the logarithm to base 2 of the scale
                scales = torch.linspace(low, high, tried).to(current).exp2()
                rates = spikes_of(neuron(current * scales[:, None])).mean((0, 2))  # [tried]
                below = min(int((rates < case.rate).sum()), tried - 1)
                step = (high - low) / (tried - 1)
                low, high = low + (below - 1) * step, low + below * step
            weight.mul_(2.0**high)
            s = spikes_of(neuron(nn.functional.linear(s, weight))).to(s.dtype)


def _settle(module: Layers | Classifier, x: Tensor, case: NetworkStep) -> None:
    """Moves the biases, layer by layer, until each layer fires at the case's rate, because layers without spikes would say nothing.

    The biases are found with the definition on one batch item and at most LONGEST steps, so that every backend gets
    the same. A foreign module is taken as it is, with the whole input.
    """
    own = [definition_of(neuron) for neuron in module.neurons]
    fixed = case.parsed.foreign or any(neuron is None or neuron.fixed_length for neuron in own)
    x = x if case.parsed.foreign else x[: None if fixed else LONGEST, :1]
    for linear, bound, neuron in zip(module.linears, module.neurons, own, strict=True):
        with torch.no_grad():
            shift, spikes = _raised(neuron, bound, linear(x), case.rate)
            cast(nn.Linear, linear).bias.add_(shift)
            x = spikes.to(x.dtype)


def _raised(neuron: Neuron | None, bound: Fires, current: Tensor, rate: float) -> tuple[float, Tensor]:
    """What must be added to a current [T, B, N] for this rate, and the spikes that it then gives."""
    tried = 1 if neuron is None else min(15, max(1, MOST // current.numel()))
    drawn = {"uniforms": neuron.draw(current).repeat(1, tried, 1)} if isinstance(neuron, StochasticNeuron) else {}
    shift = mean_for(rate, neuron or bound, current.repeat(1, tried, 1), tried, drawn, within=1e-3)
    one = {k: v[:, : current.shape[1]] for k, v in drawn.items()}
    return shift, spikes_of((neuron or bound)(current + shift, **one))


def _settle_within(module: ResidualNetwork, x: Tensor, case: NetworkStep) -> None:
    """Moves the biases of a network of residual blocks, in a forward pass: each when the current of its layer has come.

    Norms see ITEMS batch items. Without a bias before its neurons, as behind BNTT, a layer fires as its weights have it.
    """
    own = {bound: definition_of(bound) for bound in module.neurons}
    fixed = module.fixed_length or any(neuron is None or neuron.fixed_length for neuron in own.values())
    for bound, bias in module.settled():
        bound.forward = _settling(own[bound] or bound.forward, own[bound], bias, case.rate)
    try:
        with torch.no_grad():
            module(x if case.parsed.foreign else x[: None if fixed else LONGEST, :ITEMS])
    finally:
        for bound in module.neurons:
            del bound.forward


def _settling(
    fires: Fires, neuron: Neuron | None, bias: nn.Parameter | None, rate: float
) -> Callable[[Tensor], Tensor]:
    """A forward pass in the place of a neuron's own: it moves the bias of its current until the neurons fire at this rate."""

    def forward(current: Tensor) -> Tensor:
        if bias is None:
            return spikes_of(fires(current)).to(current.dtype)
        shift, spikes = _raised(neuron, fires, current, rate)
        bias.add_(shift)
        current.add_(shift)  # in place: with MS the blocks behind get it, too
        return spikes.to(current.dtype)

    return forward


def without_neurons(work: Workload) -> Launches:
    """The work of the same network with nothing in its neurons' places, on the same input and gradient.

    It has weights of its own, and each neuron hands its input on as it is. Its time is that of all that the neurons do
    not cost.
    """
    case = expect(work.case, NetworkStep)
    held = cast(nn.ModuleList, work.module.neurons)
    module = copy.deepcopy(work.module, {id(neuron): _nothing_for(neuron) for neuron in held})
    published = case.named.published
    step = _optimizer(module, published) if case.named.sizes.get("classes") else None
    return _launches(case, module, work.x.detach(), work.g, LOSSES[published.loss], step)


def _nothing_for(neuron: nn.Module) -> nn.Identity:
    """What hands its input on in the place of a neuron; a readout that follows the neurons' backend follows it still."""
    nothing = nn.Identity()
    if hasattr(neuron, "backend"):
        nothing.backend = neuron.backend
    return nothing


def layer_rates(work: Workload) -> list[float]:
    """Spikes per neuron and step of each layer of a network, from one more forward pass."""
    rates: list[float] = []

    def keep(_: nn.Module, __: object, out: Tensor | tuple[Tensor, ...]) -> None:
        rates.append(float(spikes_of(out).float().mean()))

    hooks = [neuron.register_forward_hook(keep) for neuron in cast(nn.ModuleList, work.module.neurons)]
    with torch.no_grad():
        work.module(work.x)
    for hook in hooks:
        hook.remove()
    return rates


def _optimizer(module: nn.Module, of: Published) -> torch.optim.Optimizer | None:
    """The optimiser of a network that learns, with the learning rate 0: it does all its work, and the weights stay."""
    if of.optimizer is None:
        return None
    return OPTIMIZERS[of.optimizer]([p for p in module.parameters() if p.requires_grad], lr=0.0)


def _launches(
    case: Case, module: nn.Module, x: Tensor, g: Tensor, loss_of: Loss, step: torch.optim.Optimizer | None
) -> Launches:
    """The mode's work on one input tensor; `train` is forward, loss, backward and optimiser step.

    The loss is the cross-entropy, or what the network declares in LOSS. Without classes the loss is the sum of the
    spikes, with the weights g for a projection, and nothing is learned. The gradients are those of the parameters,
    behind None for the input's; `halves` leaves the optimiser out.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]

    def inference() -> Tensor:
        with torch.no_grad():
            return module(x)

    def forward() -> Tensor:
        return module(x)

    def halves() -> tuple[Tensor, Callable[[], tuple[Tensor | None, ...]]]:
        out = module(x)
        back = partial(out.backward, g) if g.is_floating_point() else loss_of(out, g).backward
        for p in parameters:
            p.grad = None

        def gradients() -> tuple[Tensor | None, ...]:
            back()
            return (None, *(p.grad for p in parameters))

        return out, gradients

    def trained() -> Given:
        out, gradients = halves()
        found = gradients()
        if step is not None:
            step.step()
        return out.detach(), found

    if case.mode == "inference":
        return Launches(inference, lambda: (inference(), ()), halves)
    if case.mode == "forward":
        return Launches(forward, lambda: (forward(), ()), halves)
    return Launches(lambda: trained()[0], trained, halves)


def _schemes_launches(
    case: NetworkStep, module: nn.Module, x: Tensor, labels: Tensor, step: torch.optim.Optimizer | None
) -> Launches:
    """A training step by a scheme on one input tensor: loss, all gradients, and the optimiser's step or steps.

    The output is the loss, as one number. The scheme decides when it computes forward and when backward, so that there
    are no halves: what would be the backward pass does all the work.
    """
    if not isinstance(module, Classifier):
        raise Refused(f"{case.parsed.scheme} trains a stack with a readout, which {case.named.name} is not; take shd")
    parameters = schemes.learned(module)

    def apply(found: schemes.Gradients) -> None:
        for p in parameters:
            p.grad = found[p]
        if step is not None:
            step.step()

    def trained() -> Given:
        loss, found = schemes.gradients(case.parsed, module, x, labels, apply=apply)
        return loss.reshape(1), (None, *(found[p] for p in parameters))

    return Launches(lambda: trained()[0], trained, lambda: (x, lambda: trained()[1]))
