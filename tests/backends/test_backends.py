"""Every backend of every neuron is its definition: spikes and gradients in float64, over random options and odd sizes."""

import copy
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from torch import Tensor

from spikebench import declarations, registry
from spikebench.backend import Bound, Refused, refusal
from spikebench.backends import compiled
from spikebench.cases.case import Case, Mode
from spikebench.cases.subject import Subject
from spikebench.errors import Problem
from spikebench.loading.subject import load
from spikebench.neuron import Neuron, SteppedNeuron, StochasticNeuron
from spikebench.verify.gate import gate, spectral
from spikebench.workloads.layer import spikes_of

STEPS = st.sampled_from([1, 2, 3, 5, 16, 17, 33])
BATCH = st.sampled_from([1, 2, 3])
WIDTH = st.sampled_from([1, 2, 7, 16, 33])
LAYOUTS = ("plain", "time-last", "every-other", "expanded")
RELATIVE = 1e-10
PAIRS = [(n, b) for n in registry.names("neurons") for b in registry.backends(n)]
FASTER = [(n, b) for n, b in PAIRS if b not in ("eager", "compiled") and not refusal(Case(f"{n}@{b}", dtype="float64"))]
STEPPED = [n for n, b in PAIRS if b == "compiled"]


def values(name: str, option: declarations.Option) -> st.SearchStrategy[Any]:
    """Values of one option that its neuron may be given."""
    default: Any = option.default
    if option.choices:
        return st.sampled_from(option.choices)
    if isinstance(default, bool):
        return st.booleans()
    if "decay" in name and "float" in option.type_name:
        return st.sampled_from([default, 0.3, 0.9, 0.99])
    if name == "threshold" and isinstance(default, float):
        return st.sampled_from([default, 0.5 * default])
    if name == "slope":
        return st.sampled_from([default, 0.7 * default])
    return st.just(default)


def some_options(neuron: str, backend: str) -> st.SearchStrategy[dict[str, Any]]:
    """Values of all options; of later ones only what the backend takes alone, for most take nothing but the default.

    Where the backend's file says what it can, only that is drawn: what it refuses is tested elsewhere, and would be most.
    """
    facts, can = registry.facts(neuron), registry.declared(backend, neuron, "CAN", {})
    drawn = {k: st.sampled_from(can[k]) if k in can else values(k, o) for k, o in facts.options.items()}
    for name in facts.attributes.LATER:
        if (option := facts.options.get(name)) is not None and (isinstance(option.default, bool) or option.choices):
            every = option.choices or (False, True)
            drawn[name] = st.sampled_from([v for v in every if taken(neuron, backend, name, v)])
    return st.fixed_dictionaries(drawn)


def taken(neuron: str, backend: str, name: str, value: Any) -> bool:
    """Whether a backend runs a neuron with this option and no other."""
    return refusal(Case(str(Subject(neuron, {name: value}, backend)), T=4, B=1, N=2, dtype="float64")) is None


def current(sizes: tuple[int, int, int], layout: str, seed: int) -> Tensor:
    """Input [T, B, N] in float64 with the strides of a layout."""
    t, b, n = sizes
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64) * 0.8 + 0.3

    match layout:
        case "time-last":
            return draw(b, n, t).permute(2, 0, 1)
        case "every-other":
            return draw(t, b, 2 * n)[..., ::2]
        case "expanded":
            return draw(t, 1, n).expand(t, b, n)
    return draw(t, b, n)


def made(
    text: str, options: dict[str, Any], sizes: tuple[int, int, int], how: dict[str, Any] | None = None
) -> tuple[Bound, Neuron]:
    """A subject and, apart from it, its definition; options that a neuron or backend will not have are rejected."""
    name, _, backend = text.partition("@")
    subject = Subject(name, options, backend, how or {})
    torch.manual_seed(0)
    try:
        bound = load(subject, sizes[2], sizes[0], torch.float64, "cpu")
    except Problem:
        reject()
    assert isinstance(bound, Bound)
    if refusal(Case(str(subject), *sizes, dtype="float64")):
        reject()
    return bound, copy.deepcopy(bound.neuron)


def gradients(spikes: Tensor, x: Tensor, neuron: Neuron) -> list[Tensor]:
    g = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(9), dtype=spikes.dtype)
    wanted = [x, *(p for p in neuron.parameters() if p.requires_grad)]
    found = torch.autograd.grad(spikes, wanted, g, allow_unused=True)
    return [torch.zeros_like(w) if f is None else f for f, w in zip(found, wanted, strict=True)]


def assert_same(bound: Bound, definition: Neuron, x: Tensor, seed: int | None = None, transform: bool = False) -> None:
    """Spikes equal, gradients of input and parameters within rounding, one call counted, the input as it was."""
    before, x = x.detach().clone(), x.detach().requires_grad_()
    drawn = {"uniforms": definition.draw(x, seed)} if isinstance(definition, StochasticNeuron) else {}
    expected, spikes = spikes_of(definition(x, **drawn)), bound(x, seed)
    assert torch.equal(spikes, expected)
    rights = gradients(expected, x, definition)
    # the definition's σ(1 − σ) rounds to its largest value where it is nearly nothing; a transform to the largest entry given
    least = 1e-3 if getattr(definition, "surrogate", None) == "sigmoid" else 1e-6
    least = max(least, *(float(right.abs().max()) for right in rights)) if transform else least
    for got, right in zip(gradients(spikes, x, bound.neuron), rights, strict=True):
        assert got.shape == right.shape
        assert float((got - right).abs().max()) <= RELATIVE * max(float(right.abs().max()), least)
    assert torch.equal(x.detach(), before)
    with torch.no_grad():
        again, repeated = bound(x), spikes_of(definition(x))
        assert torch.equal(again, repeated), "the call after it, without a graph and on the neuron's own seed"
    if isinstance(definition, StochasticNeuron):
        assert isinstance(bound.neuron, StochasticNeuron) and bound.neuron.calls == definition.calls == 2


@pytest.mark.parametrize(("neuron", "backend"), FASTER)
def test_backend_is_its_definition(neuron: str, backend: str) -> None:
    @given(some_options(neuron, backend), st.tuples(STEPS, BATCH, WIDTH), st.sampled_from(LAYOUTS), st.integers(0, 99))
    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    def check(options: dict[str, Any], sizes: tuple[int, int, int], layout: str, seed: int) -> None:
        bound, definition = made(f"{neuron}@{backend}", options, sizes)
        transform = spectral(Subject(neuron, backend=backend))
        assert_same(bound, definition, current(sizes, layout, seed), transform=transform)

    check()


@pytest.mark.parametrize("seed", [0, 3, 2**32 + 5, 2**63 - 1])
@pytest.mark.parametrize("backend", [b for n, b in FASTER if n == "spsn"])
@pytest.mark.long
def test_a_seed_is_another_stream_of_noise(backend: str, seed: int) -> None:
    bound, definition = made(f"spsn@{backend}", {}, (33, 2, 7))
    assert_same(bound, definition, current((33, 2, 7), "plain", 1), seed)


@pytest.mark.parametrize(("neuron", "backend"), FASTER)
def test_inputs_without_a_gradient_need_no_graph(neuron: str, backend: str) -> None:
    bound, _ = made(f"{neuron}@{backend}", {}, (5, 2, 3))
    x = current((5, 2, 3), "plain", 2)
    with torch.no_grad():
        assert not bound(x.requires_grad_()).requires_grad
    learns = any(p.requires_grad for p in bound.parameters())
    assert bound(x.detach()).requires_grad == learns
    assert bound(x.detach().requires_grad_()).requires_grad


@pytest.mark.parametrize("mode", ["inference", "train"])
@pytest.mark.parametrize(("neuron", "backend"), [pair for pair in PAIRS if pair[1] != "compiled"])
def test_every_pair_passes_the_gate_or_says_why_not(neuron: str, backend: str, mode: Mode) -> None:
    case = Case(f"{neuron}@{backend}", T=24, B=2, N=16, mode=mode)
    if (reason := refusal(case)) is not None:
        assert reason.strip() and "\n" not in reason
        with pytest.raises(Refused):
            gate(case)
        return
    result = gate(case)
    assert result.status == "passed", result.reason


def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.compile runs its graphs as they are, so that it needs no compiler of C++ that could refuse."""
    monkeypatch.setattr(compiled.torch, "compile", partial(torch.compile, backend="aot_eager"))
    monkeypatch.setattr(compiled, "refuses", lambda _: None)


@pytest.mark.parametrize(("neuron", "steps"), [("lif", 1), ("lif", 2), *((n, 5) for n in STEPPED)])
def test_chunks_are_traced_whole(neuron: str, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One graph per chunk of 2, and a shorter one at the end."""
    traced(monkeypatch)
    bound, definition = made(f"{neuron}@compiled", {}, (steps, 2, 5), {"chunk": 2})
    assert_same(bound, definition, current((steps, 2, 5), "plain", 3))
    assert isinstance(bound.neuron, SteppedNeuron)


@pytest.mark.slow
def test_many_neurons_are_compiled_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.compile gives up after 8 graphs of one code object; neurons of many widths must not share one."""
    traced(monkeypatch)
    for n in range(3, 12):
        bound, definition = made("lif@compiled", {}, (2, 2, n), {"chunk": 2})
        assert_same(bound, definition, current((2, 2, n), "plain", n))


@pytest.mark.slow
def test_lif_compiled() -> None:
    """Compiled in truth, once: it takes long."""
    sizes = (5, 2, 5)
    if (reason := refusal(Case("lif@compiled", *sizes))) is not None:
        pytest.skip(reason)
    bound, definition = made("lif@compiled", {"reset": "hard", "synapse_decay": 0.7}, sizes, {"chunk": 2})
    assert_same(bound, definition, current(sizes, "plain", 4))
