"""Every scheme equals its oracle, its definition is independent of how it is computed, and what must be equal is."""

import itertools
from importlib import import_module
from typing import Any, cast

import numpy as np
import pytest
import torch
from oracles import _stack
from torch import Tensor, nn

from spikebench import registry, scheme
from spikebench.backend import Refused
from spikebench.cases.case import Case
from spikebench.cases.subject import parse_subject
from spikebench.errors import Problem
from spikebench.loading.subject import definition_of, load
from spikebench.network import Classifier

pytestmark = pytest.mark.usefixtures("one_thread")

LIF = "lif[decay=0.5,surrogate=sigmoid,slope=4.0]"
T, B, C, CLASSES = 9, 3, 5, 4
EVENTS = {n for n in registry.names("schemes") if registry.scheme_facts(n).get("EVENTS")}  # which test_events.py tests
SCHEMES = [n for n in registry.names("schemes") if n not in EVENTS]


def options(name: str) -> list[dict[str, Any]]:
    return getattr(import_module(f"oracles.{name}"), "OPTIONS", [{}])


def lif(name: str) -> str:
    """The neuron that a scheme is tested with."""
    return getattr(import_module(f"oracles.{name}"), "LIF", LIF)


CASES = [
    (name, given, reset)
    for name in SCHEMES
    for given in options(name)
    for reset in getattr(import_module(f"oracles.{name}"), "RESETS", ("soft", "hard"))
]


def made(text: str = LIF, hidden: tuple[int, ...] = (7, 6, 5), dtype: torch.dtype = torch.float64) -> Classifier:
    """A stack of three layers that fires at every depth."""
    torch.manual_seed(1)
    subject = parse_subject(text)
    stack = Classifier(C, hidden, CLASSES, lambda n: load(subject, n, T, dtype, "cpu"), batch_norm=False).to(dtype)
    with torch.no_grad():
        for linear in stack.linears:
            cast(nn.Linear, linear).weight.mul_(3.0)
            cast(nn.Linear, linear).bias.add_(0.4)
    return stack


def batch(dtype: torch.dtype = torch.float64, steps: int = T) -> tuple[Tensor, Tensor, Tensor]:
    """An input, labels, and a mask of samples of different lengths."""
    torch.manual_seed(2)
    x, y = torch.randn(steps, B, C, dtype=torch.float64), torch.tensor([0, 3, 1])
    lengths = torch.tensor([steps, max(1, steps - 3), max(1, steps - 1)])
    return x.to(dtype), y, torch.arange(steps)[:, None] < lengths


def in_numpy(stack: Classifier) -> _stack.Stack:
    def every(name: str) -> list[Any]:
        return [getattr(m, name).detach().double().numpy() for m in (*stack.linears, stack.readout)]

    own = cast(Any, definition_of(stack.neurons[0]))
    return _stack.Stack(
        every("weight"), every("bias"), own.decay, float(torch.as_tensor(own.threshold).detach()), own.reset
    )


def flat(stack: Classifier, found: scheme.Gradients) -> list[Tensor]:
    """The gradients as the oracle has them: weight and bias of every layer in turn."""
    return [found[p] for m in [*stack.linears, stack.readout] for p in (m.weight, m.bias)]


def off(mine: list[Tensor], want: list[Any]) -> float:
    """The largest difference, relative to the largest number of each gradient."""
    pairs = [(np.asarray(a.double()), np.asarray(b)) for a, b in zip(mine, want, strict=True)]
    return max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-12)) for a, b in pairs)


@pytest.mark.parametrize(("name", "given", "reset"), CASES, ids=str)
def test_it_equals_its_oracle(name: str, given: dict[str, Any], reset: str) -> None:
    """In float64 and in float32, with padding and without, as it is computed and as it is defined."""
    for dtype, masked in itertools.product((torch.float64, torch.float32), (False, True)):
        stack = made(lif(name).replace("]", f",reset={reset}]"), dtype=dtype)
        x, y, mask = batch(dtype)
        held = mask if masked else None
        torch.manual_seed(3)
        loss, want = import_module(f"oracles.{name}").gradients(
            in_numpy(stack), x.double().numpy(), y.numpy(), None if held is None else held.numpy(), **given
        )
        assert max(np.abs(w).max() for w in want[:2]) > 1e-3, "the first layer learns nothing"
        for compute in (scheme.load(name).gradients, scheme.load(name).definition):
            torch.manual_seed(3)
            mine, found = compute(stack, x, y, held, **given)
            limit = 1e-10 if dtype == torch.float64 else 2e-5
            assert abs(float(mine) - loss) <= limit * loss
            assert off(flat(stack, found), want) <= limit
            assert list(found) == scheme.learned(stack)


@pytest.mark.parametrize("name", SCHEMES)
def test_it_declares_its_facts(name: str) -> None:
    facts = registry.scheme_facts(name)
    assert facts["MEMORY"] in ("T", "1") and facts["SOURCE"].startswith("@") and len(facts["title"]) > 20
    assert all(isinstance(facts[k], bool) for k in ("EXACT", "ANN_BRANCH", "ONLINE", "VERIFIED"))
    assert set(options(name)[-1]) <= set(registry.scheme_options(name))


def gradients(text: str, stack: Classifier, steps: int = T, **batched: Any) -> list[Tensor]:
    x, y, _ = batch(steps=steps)
    torch.manual_seed(3)
    return flat(stack, scheme.gradients(parse_subject(text), stack, x, y, **batched)[1])


@pytest.mark.parametrize("name", [n for n in SCHEMES if registry.scheme_facts(n)["ONLINE"]])
def test_at_one_step_it_is_bptt(name: str) -> None:
    stack = made()
    assert off(gradients(f"{LIF}+{name}", stack, steps=1), gradients(f"{LIF}+bptt", stack, steps=1)) < 1e-12


def test_noise_without_spread_is_bptt_of_one_step() -> None:
    stack = made()
    assert (
        off(gradients(f"{LIF}+noise_step[spread=0.0]", stack, steps=1), gradients(f"{LIF}+bptt", stack, steps=1))
        < 1e-12
    )


SAME = [  # two ways to train that must give one gradient: the neuron's further options, the two schemes, the steps
    ("detach_reset=true", "sparse[reach=100.0]", "bptt", T),
    ("", "sparse[reach=100.0]", "bptt", 1),
    ("decay=0.0", "sparse[reach=100.0]", "sltt", T),
    ("decay=1.0", "conversion", "conversion[bound=maximum]", T),
]


@pytest.mark.parametrize(("more", "one", "other", "steps"), SAME, ids=str)
def test_two_ways_that_are_the_same_give_one_gradient(more: str, one: str, other: str, steps: int) -> None:
    text = LIF.replace("decay=0.5,", "" if "decay=" in more else "decay=0.5,").replace(
        "]", f",{more}]".replace(",]", "]")
    )
    stack = made(text)
    assert off(gradients(f"{text}+{one}", stack, steps), gradients(f"{text}+{other}", stack, steps)) < 1e-12


def test_sparse_differs_from_bptt_where_it_leaves_something_out() -> None:
    text = LIF.replace("]", ",detach_reset=true]")
    stack = made(text)
    assert off(gradients(f"{text}+sparse", stack), gradients(f"{text}+bptt", stack)) > 0.1


def test_sparse_is_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = made()
    whole = gradients(f"{LIF}+sparse", stack)
    monkeypatch.setattr("spikebench.schemes.sparse.PIECE", 2)
    assert off(gradients(f"{LIF}+sparse", stack), whole) < 1e-12


def test_one_step_of_a_relu_network_does_not_see_how_long_its_input_lasts() -> None:
    text, x = lif("conversion"), batch(steps=1)[0]
    stack, y = made(text), batch()[1]
    one, many = (scheme.load("conversion").gradients(stack, v, y)[1] for v in (x, x.repeat(T, 1, 1)))
    assert off(flat(stack, one), flat(stack, many)) < 1e-12


THRESHOLDS = ["hoyer", "hoyer[extent=neuron,strength=0.02]", "hoyer[window=wide,strength=0.03]"]


@pytest.mark.parametrize("text", THRESHOLDS)
def test_hoyer_learns_its_threshold(text: str) -> None:
    """W, b and θ count as W/θ and b/θ alone, so that ⟨W, ∂W⟩ + ⟨b, ∂b⟩ + θ·∂θ = 0 in every layer."""
    subject, (x, y, _) = parse_subject(f"lif[threshold=0.7,learn_threshold=true]+{text}"), batch()
    stack = made(str(subject.untrained))
    _, want = import_module("oracles.hoyer").gradients(in_numpy(stack), x.numpy(), y.numpy(), **subject.rule)
    for compute in (scheme.gradients, scheme.definition):
        found = compute(subject, stack, x, y)[1]
        assert off(flat(stack, found), want) < 1e-10
        for linear, neuron in zip(stack.linears, stack.neurons, strict=True):
            theta = cast(Any, definition_of(neuron)).threshold
            of_weights = sum(float((p.detach() * found[p]).sum()) for p in linear.parameters())
            assert abs(float(theta.detach()) * float(found[theta]) + of_weights) < 1e-12 < abs(of_weights)


def test_conversion_trains_its_clip() -> None:
    """Weights against the oracle, λ against central differences of its loss."""
    subject, (x, y, mask) = (
        parse_subject("lif[decay=1.0,threshold=0.3,learn_threshold=true]+conversion[bound=clip]"),
        batch(),
    )
    stack = made(str(subject.untrained))
    clips = [cast(Any, definition_of(neuron)).threshold for neuron in stack.neurons]

    def told(tops: list[float]) -> tuple[float, Any]:
        return import_module("oracles.conversion").gradients(
            in_numpy(stack), x.numpy(), y.numpy(), mask.numpy(), tops=tops
        )

    tops = [float(clip.detach()) for clip in clips]  # 0.3, rounded to float32
    loss, want = told(tops)
    for compute in (scheme.gradients, scheme.definition):
        mine, found = compute(subject, stack, x, y, mask)
        assert off(flat(stack, found), want) < 1e-10 and abs(float(mine) - loss) < 1e-12
        for place, clip in enumerate(clips):
            ends = [told([top + step * (k == place) for k, top in enumerate(tops)])[0] for step in (1e-6, -1e-6)]
            slope = (ends[0] - ends[1]) / 2e-6
            assert abs(float(found[clip]) - slope) < 1e-7 < abs(slope)


@pytest.mark.parametrize("bound", ["maximum", "percentile", "clip"])
def test_a_converted_network_comes_near_to_its_relu_network(bound: str) -> None:
    """The rates tend to the activations: with four times the steps the error is about a quarter."""
    more = ",learn_threshold=true,threshold=20.0" if bound == "clip" else ""
    subject, (x, y, _) = parse_subject(f"lif[decay=1.0{more}]+conversion[bound={bound},share=0.9999]"), batch()
    del y
    stack = made(str(subject.untrained))
    before = [p.detach().clone() for p in stack.parameters()]
    with torch.no_grad():
        network = cast(Any, scheme.tested(subject, stack, [(x, None)]))
        want = network.reference(x)
        outputs = list(network.over_steps(x, most=1024))
    errors = [float((outputs[t - 1] - want).abs().max() / want.abs().max()) for t in (64, 256, 1024)]
    assert errors[2] < 0.05 and errors[2] < errors[1] / 1.5 < errors[0] / 2.25
    assert all(map(torch.equal, before, stack.parameters())), "what was trained stays"


def test_hoyer_is_tested_in_one_step_with_the_levels_of_its_batches() -> None:
    stack, (x, _, _) = made(), batch()
    network = cast(Any, scheme.tested(parse_subject(f"{LIF}+hoyer"), stack, [(x, None)] * 3))
    s, z = x.mean(0), list[Tensor]()
    for linear, level in zip(stack.linears, network.given, strict=True):
        z.append(linear(s))
        assert abs(float(level) - import_module("oracles.hoyer").level(z[-1].detach().numpy(), "layer")[0]) < 1e-12
        s = (z[-1] >= level).double()
    assert torch.equal(network(x), stack.readout(s)) and 0 < network.spike_rates[0] < 1
    assert scheme.tested(parse_subject(f"{LIF}+ottt"), stack, []) is stack


def test_ottt_without_memory_is_sltt_and_bptt() -> None:
    none = LIF.replace("0.5", "0.0")
    stack = made(none)
    ottt, sltt, bptt = (gradients(f"{none}+{name}", stack) for name in ("ottt", "sltt", "bptt"))
    assert off(ottt, sltt) < 1e-12 and off(ottt, bptt) < 1e-12, "without memory every step is alone"
    stack = made()
    assert off(gradients(f"{LIF}+ottt", stack), gradients(f"{LIF}+sltt", stack)) > 0.1


def test_sltt_k_with_all_steps_is_sltt() -> None:
    stack = made()
    assert off(gradients(f"{LIF}+sltt_k[k=9]", stack), gradients(f"{LIF}+sltt", stack)) < 1e-12


def test_one_layer_with_its_loss_at_the_last_step_learns_the_trace() -> None:
    """∂W = δ_T a_Tᵀ, which without a reset is all of BPTT's gradient too."""
    text = LIF.replace("]", ",reset=none]")
    stack = made(text, hidden=(6,))
    x = batch()[0]
    last = torch.zeros(T, B, dtype=torch.bool)
    last[-1] = True
    ottt = gradients(f"{text}+ottt[input_trace=true,readout_trace=false]", stack, mask=last)
    assert off(ottt[:1] + ottt[2:], (b := gradients(f"{text}+bptt", stack, mask=last))[:1] + b[2:]) < 1e-12
    trace = sum((0.5 ** (T - 1 - t) * x[t] for t in range(T)), torch.zeros(B, C, dtype=torch.float64))
    (delta,) = torch.linalg.lstsq(trace.T, ottt[0].T)[:1]
    assert torch.allclose(trace.T @ delta, ottt[0].T, atol=1e-12), "it lies in the span of the traces"


def test_online_updates_come_once_a_step_and_change_what_follows() -> None:
    stack, x, y = made(), *batch()[:2]
    parts: list[list[Tensor]] = []
    subject = parse_subject(f"{LIF}+ottt[update=online]")

    def keep(found: scheme.Gradients) -> None:
        parts.append([g.clone() for g in flat(stack, found)])

    _, total = scheme.gradients(subject, stack, x, y, apply=keep)
    assert len(parts) == T and off(flat(stack, total), [sum(p) for p in zip(*parts, strict=True)]) < 1e-12
    assert off(flat(stack, total), gradients(f"{LIF}+ottt", stack)) < 1e-12, "weights that stay make no difference"

    def learn(found: scheme.Gradients) -> None:
        with torch.no_grad():
            for p, g in found.items():
                p -= 0.5 * g

    learned = flat(stack, scheme.gradients(subject, stack, x, y, apply=learn)[1])
    assert off(learned, flat(stack, total)) > 1e-3


@pytest.mark.parametrize("name", SCHEMES)
def test_once_a_batch_it_hands_over_what_it_returns(name: str) -> None:
    handed: list[list[Tensor]] = []
    stack, x, y = made(lif(name)), *batch()[:2]
    _, found = scheme.load(name).gradients(stack, x, y, None, lambda g: handed.append(flat(stack, g)))
    assert len(handed) == 1 and off(handed[0], flat(stack, found)) == 0


def test_bptt_is_autograd_on_every_backend() -> None:
    stack, fused = made(), made(f"{LIF}@fused")
    x, y, _ = batch()
    loss = scheme.loss_of(stack.readout(stack.spikes(x)), y, scheme.shares(x, None))
    loss.backward()
    want = [p.grad for m in [*stack.linears, stack.readout] for p in (m.weight, m.bias)]
    for module in (stack, fused):
        mine = flat(module, scheme.load("bptt").gradients(module, x, y)[1])
        assert off(mine, want) < 1e-12


@pytest.mark.parametrize("name", ["ottt", "sltt", "sltt_k"])
def test_an_online_scheme_keeps_no_step(name: str) -> None:
    """No graph reaches from one step into another, and what a batch leaves behind does not grow with T."""
    import gc
    import weakref

    stack, alive = made(), []
    neuron = cast(Any, stack.neurons[0]).neuron
    step, seen = neuron.step, list[Any]()

    def watched(x: Tensor, state: Any) -> Any:
        assert all(not v.requires_grad for v in state)
        seen.append(weakref.ref(x))
        alive.append(sum(r() is not None for r in seen))
        return step(x, state)

    neuron.step = watched
    gc.collect()
    gradients(f"{LIF}+{name}", stack)
    assert len(alive) == T and max(alive) <= 3


REFUSED = [
    ("lif+ottt", {"batch_norm": True}, "BatchNorm over all steps"),
    ("lif[synapse_decay=0.5]+ottt", {}, "without a synapse"),
    ("lif[learn_threshold=true]+sltt", {}, "a parameter of this neuron learns"),
    ("lif[shared=false]+ottt", {}, "one constant decay"),
    ("psn+sltt", {}, "one step"),
    ("lif[reset=hard]+sparse", {}, "reset=soft"),
    ("lif[input_scale=1-decay]+sparse", {}, "input_scale=one"),
    ("lif[learn_decay=true]+hoyer", {}, "something else of this neuron learns"),
    ("lif[bounded=true]+hoyer", {}, "leave bounded=true out"),
    ("lif+conversion", {}, "that only integrate"),
    ("lif[decay=1.0]+conversion[bound=clip]", {}, "learn_threshold=true"),
    ("lif[decay=1.0,learn_threshold=true]+conversion", {}, "learn_threshold=true"),
]


@pytest.mark.parametrize(("text", "network", "why"), REFUSED, ids=str)
def test_what_it_is_not_defined_for_is_refused(text: str, network: dict[str, Any], why: str) -> None:
    subject = parse_subject(text)
    fields: dict[str, Any] = {"batch_norm": False} | network
    made = Classifier(C, (4,), CLASSES, lambda n: load(subject, n, T, torch.float32, "cpu"), **fields)
    x, y, _ = batch(torch.float32)
    with pytest.raises(Refused, match=why):
        scheme.gradients(subject, made, x, y)
    with pytest.raises(Refused, match="stack of Linear"):
        scheme.plain(nn.Linear(1, 1), "ottt")


def test_a_case_that_no_scheme_can_train_is_refused_in_a_line() -> None:
    shd: dict[str, Any] = {"workload": "network", "network": "shd", "T": 4}
    assert scheme.refusal(Case("lif@fused+bptt", **shd)) is None
    assert "take lif@eager+ottt" in (scheme.refusal(Case("lif@fused+ottt", **shd)) or "")
    assert "defined for lif, not for glif" in (scheme.refusal(Case("glif+ottt", **shd)) or "")
    for text, given, why in (
        ("lif+ottt", {}, "trains a network"),
        ("lif+ottt", shd | {"mode": "forward"}, "mode train"),
        ("lif+ottt", {"workload": "projection"}, "has none"),
        ("lif+nope", shd, "no scheme 'nope'"),
        ("lif+ottt[k=2]", shd, "no option 'k'"),
        ("ottt+sltt", shd, "two schemes"),
    ):
        with pytest.raises(Problem, match=why):
            cast(Any, Case)(text, **given)


def test_a_scheme_is_part_of_the_subject() -> None:
    assert str(parse_subject("ottt")) == "lif@eager+ottt"
    assert str(parse_subject("sltt-k[k=4]@eager")) == "lif@eager+sltt_k[k=4]"
    assert str(parse_subject("bptt@fused")) == "lif@cpu+bptt"
    assert str(parse_subject("lif[decay=0.5]@cpu+ottt[update=sum]")) == "lif[decay=0.5]@cpu+ottt"
    assert str(parse_subject("ottt").untrained) == "lif@eager"
    assert parse_subject("c++/x.py:Foo").name == "c++/x.py:Foo"
    case = Case("lif+ottt", workload="network", network="shd", T=4, B=2)
    written = dict(case.to_json())
    assert (written["scheme"], written["scheme_options"]) == (
        "ottt",
        {"update": "sum", "input_trace": False, "readout_trace": True},
    )
    assert (
        Case.from_json(written).case_id
        == case.case_id
        != Case("lif", workload="network", network="shd", T=4, B=2).case_id
    )
    assert "scheme" not in Case("lif", workload="network", network="shd", T=4, B=2).to_json()
    assert case.gated.subject == "lif@eager"
