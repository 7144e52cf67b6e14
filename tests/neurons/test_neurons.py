"""Every neuron against its oracle and the protocol; a new neuron and its oracle add their own tests."""

import importlib
import inspect
import math
from collections.abc import Callable
from typing import Any, ClassVar, cast, get_origin

import numpy as np
import pytest
import torch
from oracles import oracle
from torch import Tensor

from spikebench import registry
from spikebench.cases.subject import parse_subject
from spikebench.declarations import Attributes
from spikebench.loading import foreign
from spikebench.loading.subject import definition, definition_of, load
from spikebench.neuron import Neuron, SteppedNeuron, StochasticNeuron
from spikebench.numerics.surrogate import Surrogate, derivative
from spikebench.verify.facts import scaling_facts
from spikebench.verify.specimen import Specimen

T, B, N = 48, 3, 5
RELATIVE = 1e-12
RESETS = ("none", "soft", "hard", "mean-field")
SHARP = {"surrogate": "triangle", "slope": 1e6, "width": 1e-6}  # no surrogate but within 1e-6 of the threshold
NAMES = registry.names("neurons")


def neuron_class(name: str) -> type[Neuron]:
    module = importlib.import_module(f"spikebench.neurons.{name}")
    flat = name.replace("_", "")
    return cast(type[Neuron], next(c for key, c in vars(module).items() if key.lower() == flat and inspect.isclass(c)))


def make(name: str, options: dict[str, Any], steps: int = T, n: int = N, moved: float = 0.05) -> Neuron:
    """The neuron in float64, with parameters moved off their start, which can be 0 or 1 and hide a mistake."""
    torch.manual_seed(1)
    sizes = {"n": n, "T": steps}
    wants = {k: sizes[k] for k in registry.facts(name).wants}
    neuron = cast(Any, neuron_class(name))(**wants, **options).double()
    with torch.no_grad():
        for p in neuron.parameters():
            p += moved * torch.randn_like(p)
    return neuron


def all_options(name: str, options: dict[str, Any]) -> dict[str, Any]:
    return {key: o.default for key, o in registry.facts(name).options.items()} | options


def current(name: str, steps: int = T, batch: int = B, n: int = N, seed: int = 0) -> Tensor:
    mean, spread = getattr(oracle(name), "INPUT", (0.3, 1.0))
    generator = torch.Generator().manual_seed(seed)
    return mean + spread * torch.randn(steps, batch, n, generator=generator, dtype=torch.float64)


def noise(neuron: Neuron, x: Tensor) -> dict[str, Tensor]:
    """The uniforms of a stochastic neuron as keyword arguments; nothing for others."""
    if not isinstance(neuron, StochasticNeuron):
        return {}
    return {"uniforms": torch.rand(x.shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64).to(x)}


def run(neuron: Neuron, x: Tensor) -> Tensor:
    out = neuron(x, **noise(neuron, x))
    return out[0] if isinstance(out, tuple) else out


def sharp(name: str) -> dict[str, Any]:
    return {k: v for k, v in SHARP.items() if k in registry.facts(name).options}


CASES = [(name, options) for name in NAMES for options in oracle(name).OPTIONS]
IDS = [f"{name}[{','.join(f'{k}={v}' for k, v in options.items())}]" for name, options in CASES]
PUBLISHED = [i for i, (name, _) in enumerate(CASES) if hasattr(oracle(name), "gradients")]
SURROGATE = [
    i for i, (name, _) in enumerate(CASES) if "surrogate" in registry.facts(name).options and i not in PUBLISHED
]
SMOOTH = [i for i, (name, _) in enumerate(CASES) if getattr(oracle(name), "SMOOTH", True)]
STREAMING = [i for i, (name, _) in enumerate(CASES) if registry.facts(name).stepped]
every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
every_neuron = pytest.mark.parametrize("name", NAMES)


@every_case
@pytest.mark.parametrize("shape", [(T, B, N), (1, B, N), (7, 1, 1)], ids=["plain", "one-step", "one-series"])
def test_membrane_and_spikes_follow_from_the_oracle(
    name: str, options: dict[str, Any], shape: tuple[int, int, int]
) -> None:
    neuron = make(name, options, steps=shape[0], n=shape[2])
    x = current(name, *shape)
    with torch.no_grad():
        s, u = run(neuron, x), neuron.membrane(x)
    whole = all_options(name, options)
    parameters = {key: value.numpy() for key, value in neuron.state_dict().items()}
    expected = oracle(name).membrane(x.numpy(), s.numpy(), whole, parameters)
    assert s.shape == u.shape == expected.shape == shape
    assert np.abs(u.numpy() - expected).max() <= RELATIVE * max(np.abs(expected).max(), 1e-3)
    uniforms = noise(neuron, x).get("uniforms")
    noisy = None if uniforms is None else uniforms.numpy()
    if hasattr(oracle(name), "spikes"):
        fired = oracle(name).spikes(expected, whole, parameters, noisy)
    elif noisy is not None:
        fired = (noisy < expected).astype(float)
    else:
        fired = (expected >= getattr(neuron, "threshold", 1.0)).astype(float)
    assert np.array_equal(s.numpy(), fired)
    if shape == (T, B, N):
        assert 0.01 <= (fired > 0).mean() <= 0.99, "an input at which nothing can go wrong"


@pytest.mark.parametrize(("name", "tie"), [(name, tie) for name in NAMES for tie in oracle(name).TIES])
def test_at_an_exact_tie(name: str, tie: dict[str, Any]) -> None:
    """Inputs whose first membrane stands exactly on the edge, and the spikes that must follow."""
    neuron = make(name, tie.get("options", {}), steps=len(tie["x"]), n=1, moved=0)
    for key, value in tie.get("parameters", {}).items():
        torch.nn.init.constant_(getattr(neuron, key), value)
    x = torch.tensor(tie["x"], dtype=torch.float64).view(-1, 1, 1)
    noisy = {"uniforms": torch.full_like(x, tie["uniforms"])} if "uniforms" in tie else {}
    with torch.no_grad():
        assert float(neuron.margin(neuron.membrane(x), noisy.get("uniforms"))[0]) == 0
        out = neuron(x, **noisy)
    assert (out[0] if isinstance(out, tuple) else out).flatten().tolist() == tie["spikes"]


@pytest.mark.parametrize(
    ("name", "start"), [(name, start) for name in NAMES for start in getattr(oracle(name), "START", [])]
)
def test_what_learns_starts_as_the_options_say(name: str, start: tuple[dict[str, Any], str, Any]) -> None:
    options, parameter, value = start
    got = getattr(make(name, options, moved=0), parameter).detach().numpy()
    assert value(got) if callable(value) else np.allclose(got, value, rtol=1e-6)


@every_neuron
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtype_and_shape_are_kept(name: str, dtype: torch.dtype) -> None:
    neuron = make(name, {}).rounded(dtype)
    x = current(name).to(dtype).requires_grad_()
    s = run(neuron, x)
    assert s.dtype == dtype and s.shape == x.shape
    (g,) = torch.autograd.grad(s.sum(), x)
    assert g.dtype == dtype and bool(g.isfinite().all())
    assert bool((s == s.round()).all()) and bool((s >= 0).all())


@every_case
def test_causality_is_as_declared(name: str, options: dict[str, Any]) -> None:
    """Of the masked PSN only while the mask is whole: training starts without."""
    neuron = make(name, options)
    x = current(name)
    late = x.clone()
    late[30:] = current(name, seed=5)[30:]
    with torch.no_grad():
        u, changed = neuron.membrane(x), neuron.membrane(late)
        same = torch.equal(u[:30], changed[:30])
        causal = neuron.causal and options.get("masking", 1.0) == 1.0
        assert same == causal
        assert not torch.equal(u[30:], changed[30:])
        if causal:
            assert torch.equal(run(neuron, x)[:30], run(neuron, late)[:30])


@every_neuron
def test_neurons_interact_only_where_declared(name: str) -> None:
    neuron = make(name, {})
    x = current(name)
    other = x.clone()
    other[:, :, 0] = current(name, seed=5)[:, :, 0]
    with torch.no_grad():
        same = torch.equal(neuron.membrane(x)[:, :, 1:], neuron.membrane(other)[:, :, 1:])
    assert same != neuron.coupled


@every_neuron
def test_parameters_per_neuron_can_be_picked(name: str) -> None:
    neuron = make(name, {})
    x, picked = current(name), [3, 0, 3]
    with torch.no_grad():
        whole = neuron.membrane(x)
        for key in neuron.per_neuron:
            value = getattr(neuron, key)
            assert value.shape[-1] == N
            setattr(neuron, key, torch.nn.Parameter(value.detach()[..., picked]))
        if not neuron.coupled:
            torch.testing.assert_close(neuron.membrane(x[..., picked]), whole[..., picked], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("name", "options"), [CASES[i] for i in SMOOTH], ids=[IDS[i] for i in SMOOTH])
def test_gradient_of_the_membrane_between_spikes(name: str, options: dict[str, Any]) -> None:
    """Where no spike changes the membrane is smooth: its gradients for x and parameters are those of differences."""
    neuron = make(name, options | sharp(name), steps=4, n=2)
    x = current(name, 4, 1, 2).requires_grad_()
    learned = [p for p in neuron.parameters() if p.requires_grad]
    assert torch.autograd.gradcheck(lambda y, *_: neuron.membrane(y), (x, *learned), eps=1e-6, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize(("name", "options"), [CASES[i] for i in SURROGATE], ids=[IDS[i] for i in SURROGATE])
def test_gradient_is_the_implicit_one(name: str, options: dict[str, Any]) -> None:
    """Against z = Z(x, s, parameters), the oracle's distance to threshold as a function of the spikes: s = H(z) gives

    ds = S·(1 − Z_s S)⁻¹·(Z_x dx + Z_p dp) with S the surrogate's derivatives; Z's derivatives are differences.
    """
    neuron = cast(Any, make(name, options, steps=6, n=2))
    weak = current(name, 6, 1, 2)
    x = next(y for y in (weak * 4.0**power for power in range(6)) if float(run(neuron, y).detach().sum()) > 0)
    x.requires_grad_()
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    learned = {k: p for k, p in neuron.named_parameters() if p.requires_grad}
    s = run(neuron, x)
    got = torch.autograd.grad(s, (x, *learned.values()), g, materialize_grads=True)
    whole, held = all_options(name, options), s.detach().numpy()
    values = {"x": x.detach().numpy(), "s": held} | {k: v.detach().numpy() for k, v in neuron.state_dict().items()}

    def argument(moved: dict[str, np.ndarray]) -> np.ndarray:
        at = values | moved
        parameters = {k: v for k, v in at.items() if k not in ("x", "s")}
        if hasattr(oracle(name), "argument"):
            return oracle(name).argument(at["x"], at["s"], held, whole, parameters)
        heeded = held if getattr(oracle(name), "DETACHED", False) or whole.get("detach_reset") else at["s"]
        return oracle(name).membrane(at["x"], heeded, whole, parameters) - float(neuron.threshold)

    z, k = torch.from_numpy(argument({})), float(torch.as_tensor(neuron.slope).detach())
    slopes = derivative(z, neuron.surrogate, k).numpy().ravel() * whole.get("surrogate_scale", 1.0)
    through = np.eye(len(slopes)) - differences(argument, values, "s") * slopes
    weights = np.linalg.solve(through.T, g.numpy().ravel() * slopes)
    for key, found in zip(("x", *learned), got, strict=True):
        if key == "slope":  # of what the surrogate is the derivative of, summed up by quadrature from 0 to z
            onwards = np.linalg.solve(through.T, g.numpy().ravel())
            expected = (onwards @ by_slope(z.numpy().ravel(), neuron.surrogate, k)).reshape(found.shape)
        else:
            expected = (weights @ differences(argument, values, key)).reshape(found.shape)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6 * max(np.abs(expected).max(), 1e-3))


@pytest.mark.parametrize(("name", "options"), [CASES[i] for i in PUBLISHED], ids=[IDS[i] for i in PUBLISHED])
def test_gradient_is_the_published_one(name: str, options: dict[str, Any]) -> None:
    """Of a neuron whose paper takes another gradient than the implicit one: its oracle has that."""
    neuron = make(name, options, steps=13, n=2)
    x = current(name, 13, 2, 2).requires_grad_()
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    learned = {k: p for k, p in neuron.named_parameters() if p.requires_grad}
    s = run(neuron, x)
    got = dict(zip(("x", *learned), torch.autograd.grad(s, (x, *learned.values()), g), strict=True))
    parameters = {k: v.numpy() for k, v in neuron.state_dict().items()}
    given = x.detach().numpy(), g.numpy(), s.detach().numpy(), all_options(name, options), parameters
    expected = oracle(name).gradients(*given)
    assert 0 < float(s.detach().mean()) < 1 and {*learned, "x"} <= expected.keys()
    for key, found in got.items():
        np.testing.assert_allclose(found.numpy(), expected[key], rtol=1e-7, atol=1e-8 * np.abs(expected[key]).max())


def by_slope(z: np.ndarray, surrogate: Surrogate, k: float) -> np.ndarray:
    """How the spike's stand-in, the integral of the surrogate from 0 to z, changes with the slope k."""
    points, weights = np.polynomial.legendre.leggauss(60)
    at = torch.from_numpy(z[:, None] * (points + 1) / 2)
    more, less = (derivative(at, surrogate, k + d).numpy() @ weights * z / 2 for d in (1e-5, -1e-5))
    return (more - less) / 2e-5


def differences(f: Callable[..., np.ndarray], values: dict[str, np.ndarray], key: str) -> np.ndarray:
    """Derivatives of f for every entry of values[key], by central differences: [outputs, entries]."""
    columns = []
    for entry in range(values[key].size):
        step = np.zeros(values[key].size)
        step[entry] = 1e-5
        step = step.reshape(values[key].shape)
        columns.append((f({key: values[key] + step}) - f({key: values[key] - step})).ravel() / 2e-5)
    return np.stack(columns, 1)


@every_neuron
def test_facts_are_there(name: str) -> None:
    facts, neuron = registry.facts(name), neuron_class(name)
    declared = facts.attributes
    assert facts.title and facts.title == (neuron.__doc__ or "").split("\n")[0].rstrip(":")
    reference = str(declared.reference)
    assert reference.startswith("@") and all(word in reference for word in ("author={", "title={", "year={"))
    assert reference.count("{") == reference.count("}")
    assert declared.reset_kind in RESETS
    for key in (
        "reset_kind",
        "stochastic",
        "causal",
        "parallel_in_time",
        "stepwise",
        "coupled",
        "verified",
        "fixed_length",
        "surrogate_membrane",
        "per_neuron",
    ):
        assert getattr(declared, key) == getattr(neuron, key), "read from the file as it is at run time"
    assert declared.stochastic == issubclass(neuron, StochasticNeuron)
    assert "Source:" in (neuron.__doc__ or "")
    assert declared.verified or "Caveat:" in (neuron.__doc__ or "")


def test_attributes_are_those_of_a_neuron_with_the_same_defaults() -> None:
    declared = [k for k, v in inspect.get_annotations(Neuron).items() if get_origin(v) is ClassVar]
    assert vars(Attributes()) == {k: getattr(Neuron, k) for k in declared}


@every_neuron
def test_a_reset_is_declared_where_the_membrane_depends_on_the_spikes(name: str) -> None:
    neuron = make(name, {})
    x = current(name).numpy()
    parameters = {key: value.numpy() for key, value in neuron.state_dict().items()}
    none, all_ones = (oracle(name).membrane(x, s, all_options(name, {}), parameters) for s in (0 * x, 0 * x + 1))
    assert np.array_equal(none, all_ones) == (neuron.reset_kind in ("none", "mean-field"))


@every_neuron
def test_lengths_are_free_unless_declared_fixed(name: str) -> None:
    neuron = make(name, {})
    x = current(name, T // 2)
    if neuron.fixed_length:
        with pytest.raises((RuntimeError, ValueError)):
            run(neuron, x)
    else:
        assert run(neuron, x).shape == x.shape


@pytest.mark.parametrize(("name", "options"), [CASES[i] for i in STREAMING], ids=[IDS[i] for i in STREAMING])
def test_chunks_with_carried_state_are_the_whole(name: str, options: dict[str, Any]) -> None:
    neuron = make(name, options)
    assert isinstance(neuron, SteppedNeuron)
    x = current(name)
    whole = neuron(x)
    state, parts = None, []
    for chunk in x.split([1, 16, T - 17]):
        part, state = neuron(chunk, state, return_state=True)
        parts.append(part)
    assert torch.equal(torch.cat(parts), whole)
    state, steps = neuron.initial(x[0]), []
    for x_t in x.unbind(0):
        s, _, state = neuron.step(x_t, state)
        steps.append(s)
    assert torch.equal(torch.stack(steps), whole)


@every_case
def test_the_margin_is_zero_where_a_spike_changes(name: str, options: dict[str, Any]) -> None:
    """A membrane moved by less than its margin keeps its spikes; at margin 0 it stands on the edge."""
    neuron = make(name, options)
    x = current(name)
    with torch.no_grad():
        u = neuron.membrane(x)
        margin = neuron.margin(u, noise(neuron, x).get("uniforms"))
    assert margin.shape == u.shape and bool((margin >= 0).all())
    whole = all_options(name, options)
    parameters = {key: value.numpy() for key, value in neuron.state_dict().items()}
    uniforms = noise(neuron, x).get("uniforms")

    def fired(v: Tensor) -> np.ndarray:
        noisy = None if uniforms is None else uniforms.numpy()
        if hasattr(oracle(name), "spikes"):
            return oracle(name).spikes(v.numpy(), whole, parameters, noisy)
        return (noisy < v.numpy()) if noisy is not None else (v.numpy() >= getattr(neuron, "threshold", 1.0))

    for sign in (-1, 1):
        assert np.array_equal(fired(u), fired(u + sign * 0.999 * margin))
    if whole.get("refractory"):
        return  # a membrane over its edge does not fire in a refractory period
    over = [fired(u + sign * (1.001 * margin + 1e-9)) != fired(u) for sign in (-1, 1)]
    assert np.all(over[0] | over[1])


@every_neuron
def test_silence_gives_finite_output_and_nan_never_spikes(name: str) -> None:
    neuron = make(name, {})
    silent = torch.zeros(T, 2, N, dtype=torch.float64)
    with torch.no_grad():
        assert bool(neuron.membrane(silent).isfinite().all())
        broken = silent.clone()
        broken[5, 0] = math.nan
        s = run(neuron, broken)
        assert bool((s[5:, 0] == 0).all()) or not neuron.causal
        assert torch.equal(s[:, 1], run(neuron, silent)[:, 1])


@pytest.mark.parametrize(
    ("name", "operations", "graph"),
    [("lif", "T^1.0", "T^1.0"), ("sliding_psn", "T^0.0", "T^1.0"), ("psn", "T^0.0", "T^1.8")],
)
def test_growth_with_time_is_counted(name: str, operations: str, graph: str) -> None:
    """A loop has operations per step; a window and a matrix over time have none, and the matrix outgrows the input."""
    found = scaling_facts(Specimen(parse_subject(name)))
    assert found == {"operations": operations, "graph": graph}
    assert scaling_facts(Specimen(parse_subject(f"{name}@cpu"))) == {}


@pytest.mark.parametrize(("name", "variant"), [("ipsu", "braincog"), ("ipsu", "fpt")])
def test_the_one_matrix_of_a_neuron_is_that_of_its_membrane(name: str, variant: str) -> None:
    """Backends multiply once by `mixing`; the definition keeps the products apart."""
    torch.manual_seed(0)
    neuron: Any = load(parse_subject(f"{name}[variant={variant},decay=0.8]"), 3, 9, torch.float64, "cpu")
    definition: Any = definition_of(neuron)
    x = torch.randn(9, 2, 3, dtype=torch.float64)
    want = definition.membrane(x) - definition.membrane(torch.zeros_like(x))
    got = (definition.mixing() @ x.flatten(1)).view_as(x)
    assert float((got - want).detach().abs().max()) < 1e-12


@every_neuron
def test_options_that_are_not_given_have_their_defaults(name: str) -> None:
    made = definition(parse_subject(name), 13, 17)
    declared = {k: p.default for k, p in inspect.signature(type(made)).parameters.items()}
    kept = {k: v for k, v in vars(made).items() if k in declared and isinstance(v, int | float | str)}
    given = {k: v for k, v in kept.items() if isinstance(declared[k], int | float | str)}
    assert given == {k: declared[k] for k in given}


def test_an_argument_with_a_fraction_for_its_default_is_no_size() -> None:
    class Wide(torch.nn.Module):
        def __init__(self, width: float = 0.5, units: int = 3, learn: bool = False) -> None:
            super().__init__()
            self.given = width, units, learn

    assert foreign.make(Wide, {}, "Wide", 7, 5).module.given == (0.5, 7, False)
