"""Schemes of spike times: what they compute is what the differential equations say, their gradients are exact, and the gate knows."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from oracles import fast_and_deep as oracle
from torch import Tensor, nn

from spikebench import registry, scheme
from spikebench import task as tasks
from spikebench.backend import Refused
from spikebench.cases.case import Case, NetworkStep, Training
from spikebench.cases.recipe import Recipe
from spikebench.cases.subject import parse_subject
from spikebench.cases.sweeps import sweep
from spikebench.errors import Problem
from spikebench.host.clock import CpuClock
from spikebench.host.traces import Traces
from spikebench.loading.subject import load
from spikebench.metric import Plan, Running, measure
from spikebench.network import Classifier, EventClassifier
from spikebench.neurons.lif import LIF
from spikebench.numerics import events
from spikebench.sampling import measured
from spikebench.sampling.timed_network import TimedNetwork
from spikebench.sampling.timed_training import TimedTraining
from spikebench.schemes import _crossings, _events, fast_and_deep
from spikebench.task import Dataset, Sequences
from spikebench.verify import event_gate, judged_network, scheme_gate
from spikebench.workloads import network
from spikebench.workloads.training import Run, train
from tests.spoiled import spoiled

pytestmark = pytest.mark.usefixtures("one_thread")

DECAYS = "decay=0.9,synapse_decay=0.81"
T = 40


def made(backend: str = "eager", hidden: tuple[int, ...] = (9, 7), dtype: torch.dtype = torch.float64) -> Classifier:
    """A stack whose neurons fire several times each."""
    torch.manual_seed(1)
    subject = parse_subject(f"lif[{DECAYS}]@{backend}")
    stack = Classifier(6, hidden, 4, lambda n: load(subject, n, T, dtype, "cpu"), batch_norm=False).to(dtype)
    with torch.no_grad():
        for layer in (*stack.linears, stack.readout):
            weight = cast(nn.Linear, layer).weight
            weight.copy_(1.5 * weight + 0.05)
    return stack


def batch(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Lists, labels, and a mask of samples of different lengths."""
    random = torch.Generator().manual_seed(2)
    x = torch.rand(3, 6, 4, generator=random, dtype=torch.float64) * 30
    x[torch.rand(3, 6, 4, generator=random) < 0.3] = torch.inf
    mask = torch.arange(T)[:, None] < torch.tensor([T, T - 12, T - 3])
    return x.to(dtype), torch.tensor([0, 3, 1]), mask


def off(mine: scheme.Gradients, want: scheme.Gradients) -> float:
    """The largest difference of a gradient, relative to the largest number of it; the stacks are alike."""
    pairs = zip(mine.values(), want.values(), strict=True)
    return max(float((a.double() - b.double()).abs().max() / b.abs().max().clamp_min(1e-12)) for a, b in pairs)


def sample_of(x: Tensor, item: int) -> list[Any]:
    return [np.sort(times[times.isfinite()].numpy()) for times in x[item]]


@pytest.mark.parametrize("backend", ["definition", "eager", "fused"])
def test_spike_times_are_those_of_the_differential_equations(backend: str) -> None:
    stack, (x, _, mask) = made("eager" if backend == "definition" else backend), batch()
    layer, end = fast_and_deep.layers(stack, 32)[0], _events.ends(mask, x)
    fire = _crossings.Pass if backend == "definition" else fast_and_deep.fire_of(stack)
    times = fire(layer.weight, layer.neuron, 32, x, end, 0.0).times
    for item in (0, 1):
        weight = layer.weight.detach().numpy()[:4]
        want = oracle.spikes(weight, sample_of(x, item), float(end[item]), layer.neuron, 32)
        mine = [row[row.isfinite()].numpy() for row in times[item, :4]]
        assert [len(m) for m in mine] == [len(w) for w in want] and max(map(len, want)) > 3
        assert all(np.allclose(m, w, rtol=0, atol=1e-8) for m, w in zip(mine, want, strict=True))


def test_the_gradient_is_that_of_the_integrated_network() -> None:
    """Central differences of the loss that the integrator gives, by weights of every layer; one sample."""
    stack, (x, y, mask) = made("fused", (3, 2)), batch()
    x, y, mask = x[:1, :, :2], torch.tensor([3]), mask[:, :1]
    found = fast_and_deep.gradients(stack, x, y, mask, temperature=1.0)[1]
    layers = fast_and_deep.layers(stack, 32)
    weights = [layer.weight.detach().clone().numpy() for layer in layers]
    step, compared = 1e-4, 0
    for number, layer in enumerate(layers):
        place = np.unravel_index(int(found[layer.weight].abs().argmax()), weights[number].shape)
        losses: list[float] = []
        for shift in (step, -step):
            weights[number][place] += shift
            losses.append(oracle.loss(weights, sample_of(x, 0), 3, T, layers[0].neuron, 32, layers[0].neuron.tau))
            weights[number][place] -= shift
        want, mine = (losses[0] - losses[1]) / (2 * step), float(found[layer.weight][place])
        assert abs(mine) > 1e-3 and abs(mine - want) <= 1e-4 * abs(want)
        compared += 1
    assert compared == 3


@pytest.mark.parametrize("backend", ["eager", "fused"])
@pytest.mark.parametrize("options", [{}, {"max_spikes": 2}, {"grazing": 0.5}, {"temperature": 1.0}], ids=str)
def test_it_is_its_definition(backend: str, options: dict[str, Any]) -> None:
    for dtype, limit in ((torch.float64, 1e-11), (torch.float32, 1e-5)):
        stack, (x, y, mask) = made(backend, dtype=dtype), batch(dtype)
        mine, want = (f(stack, x, y, mask, **options) for f in (fast_and_deep.gradients, fast_and_deep.definition))
        assert abs(float(mine[0] - want[0])) <= limit * float(want[0]) and off(mine[1], want[1]) <= limit
        assert list(mine[1]) == scheme.learned(stack) and mine[0].dtype == dtype
        assert all(float(mine[1][p].abs().max()) > 1e-2 for p in stack.parameters() if p.ndim == 2)


def test_finite_differences_say_that_it_is_exact() -> None:
    stack, (x, y, _) = made("fused", (6,)), batch()
    stack.__class__ = EventClassifier  # which takes lists
    lists = cast(EventClassifier, stack)
    lists.__dict__["steps"] = T
    subject = parse_subject(f"lif[{DECAYS}]@fused+fast_and_deep[grazing=0.0]")
    found = scheme.gradients(subject, lists, x, y)[1]
    said = event_gate.differences(subject, lists, x, y, found, seed=1)
    assert said.wrong is None and said.error < 1e-8 and said.compared >= 4
    spoiled = {p: g * (1 + 1e-5) for p, g in found.items()}
    assert "finite differences" in str(event_gate.differences(subject, lists, x, y, spoiled, seed=1).wrong)
    gone = {p: 0 * g if p is stack.readout.weight else g for p, g in found.items()}
    assert "off by 1 of" in str(event_gate.differences(subject, lists, x, y, gone, seed=1).wrong), "0 is compared, too"


def test_on_whole_times_its_membrane_is_that_of_lif() -> None:
    """u(t + 1) is the membrane of lif at step t where nothing fires: the one neuron is the other on a grid."""
    neuron = LIF(decay=0.9, synapse_decay=0.81, threshold=1e9)
    x = torch.poisson(torch.full((30, 2, 5), 0.3, dtype=torch.float64))
    c, lists = _events.constants(neuron, "a test"), events.lists(x)
    t = torch.arange(1, 31, dtype=torch.float64)[:, None, None, None]
    lag = t - lists  # [T, B, C, S]
    acts = (lag > 0) & lag.isfinite()
    want = torch.where(acts, (-lag / c.tau).exp() - (-lag / c.tau_s).exp(), 0).sum(-1) * c.gain
    torch.testing.assert_close(neuron.membrane(x), want, rtol=1e-12, atol=1e-12)


def test_lists_and_counts_are_each_other() -> None:
    x = torch.poisson(torch.full((12, 3, 5), 0.4))
    lists = events.lists(x)
    assert torch.equal(events.counts(lists, 12), x) and lists.shape[2] == int(x.sum(0).max())
    assert torch.equal(events.counts(lists + 0.7, 12), x), "a step has all that comes in it"
    assert float(events.counts(lists, 6).sum()) == float(x[:6].sum())
    times, place = events.in_order(lists)
    assert bool((times.diff(dim=1).nan_to_num(0) >= 0).all())
    assert torch.equal(lists.flatten(1).gather(1, place).nan_to_num(), times.nan_to_num())
    with pytest.raises(ValueError, match="whole numbers"):
        events.lists(x + 0.5)


CPU = "spikebench.backends.cpu._runtime.events"
MUTANTS = [  # of the eager form: what stands there, and what is wrong
    ("b = b - torch.where(hit, neuron.threshold *", "b = b - torch.where(hit, 0 * neuron.threshold *"),
    ("square = b * b - 4 * neuron.threshold * a", "square = b * b - 4.0001 * neuron.threshold * a"),
    ("& (y > 1)", "& (y > 0)"),
    ("rise.clamp_min(self._least)", "rise.clamp_min(0.5)"),
    ("+ more\n                a = a * ((now - here) / neuron.tau_s)", "+ more\n                a = a * ((now - here) / neuron.tau)"),
    ("hit &= count < most", "hit &= count < 2"),
    ("((t - now) / neuron.tau).exp()", "((t - now).detach() / neuron.tau).exp()"),
]  # fmt: skip
FUSED = [  # of the kernels
    ("b[m] -= theta * y", "b[m] -= theta"),
    ("pull = -(errors[place] - theta / tau * p[m] / y)", "pull = -(errors[place] - 0.0 * p[m] / y)"),
    ("q[m] += pull * y * y", "q[m] += pull * y"),
    ("w[m] * (one - 2.0 * two)", "w[m] * (one - two)"),
    ("a[m] = a[m] * (p * p) + more", "a[m] = a[m] * p + more"),
    ("x / (y * tau)", "x / tau"),
]


@pytest.mark.parametrize(("right", "wrong"), MUTANTS)
def test_what_is_wrong_is_told(monkeypatch: pytest.MonkeyPatch, right: str, wrong: str) -> None:
    module = spoiled(monkeypatch, right, wrong, "spikebench.schemes.fast_and_deep")
    stack, (x, y, mask) = made(), batch()
    try:
        mine, found = module.gradients(stack, x, y, mask)
    except RuntimeError:
        return  # it does not end, or has no graph
    loss, want = fast_and_deep.definition(stack, x, y, mask)
    assert max(off(found, want), abs(float(mine - loss))) > 1e-6
    assert told_by_the_gate("fast_and_deep@eager")


def told_by_the_gate(subject: str) -> bool:
    """Whether the gate fails a subject whose file has something wrong."""
    try:
        return scheme_gate.compare(step(subject, rate=0.1)).status == "failed"
    except RuntimeError:
        return True


@pytest.mark.slow  # each is compiled
@pytest.mark.parametrize(("right", "wrong"), FUSED)
def test_a_wrong_kernel_is_told(monkeypatch: pytest.MonkeyPatch, right: str, wrong: str) -> None:
    kernels = spoiled(monkeypatch, right, wrong, "spikebench.backends.cpu._kernels.events")
    from spikebench.backends.cpu._runtime import events as runtime
    from spikebench.backends.cpu._runtime import threads

    monkeypatch.setattr(runtime, "kernels", kernels)
    monkeypatch.setattr(threads, "cfunc", lambda *args, cache, **more: _uncached(*args, **more))
    stack, (x, y, mask) = made("fused"), batch()
    loss, want = fast_and_deep.definition(stack, x, y, mask)
    mine, found = fast_and_deep.gradients(stack, x, y, mask)
    assert max(off(found, want), abs(float(mine - loss))) > 1e-6


def _uncached(*args: Any, **more: Any) -> Any:
    from numba import cfunc

    return cfunc(*args, **more)


def step(subject: str = "fast_and_deep@fused", **fields: Any) -> NetworkStep:
    case = Case(subject, **({"T": 30, "B": 3, "workload": "events", "network": "events[width=6,channels=8,classes=3]"} | fields))  # fmt: skip
    assert isinstance(case, NetworkStep)
    return case


def test_the_gate_passes_what_is_right_and_says_how_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = scheme_gate.compare(step(rate=0.1))
    assert passed.status == "passed" and "finite differences within" in str(passed.reason)
    assert passed.gradient_error is not None and passed.gradient_error < 1e-8
    right = fast_and_deep.gradients

    def wrong(*args: Any, **more: Any) -> Any:
        loss, found = right(*args, **more)
        return loss, {p: g * (1 + 1e-5) for p, g in found.items()}

    monkeypatch.setattr(fast_and_deep, "gradients", wrong)
    monkeypatch.setattr(fast_and_deep, "definition", lambda *args, **more: wrong(*args, **more))
    both = scheme_gate.compare(step(rate=0.1))
    assert both.status == "failed" and "finite differences" in str(both.reason), "the definition is gated, too"


@pytest.mark.parametrize(
    "subject", ["fast_and_deep@fused", "eventprop@fused", f"lif[{DECAYS}]@fused+bptt", f"lif[{DECAYS}]@fused"]
)
def test_a_timed_step_is_the_definition_s(subject: str) -> None:
    work = network.build(step(subject, rate=0.1))
    running = Running(work, CpuClock(), Plan(samples=3, warmup_least=0.01))
    running.watch = watch = TimedNetwork(work, running)
    assert measure("latency", running).samples
    assert judged_network.judged(work.case, watch.finished()).wrong is None


def test_layers_fire_at_the_case_s_rate_without_a_bias() -> None:
    work = network.build(step(f"lif[{DECAYS}]", T=100, B=8, rate=0.05, network="events[width=40]"))
    assert network.layer_rates(work) == pytest.approx([0.05], rel=0.3)
    assert not any(bool(p.any()) for p in work.parameters if p.ndim == 1)
    times = work.x
    assert float(times.isfinite().sum()) == pytest.approx(0.05 * 100 * 8 * 64, rel=0.1) and float(times.min()) >= 0


def test_what_it_is_not_defined_for_gets_one_line() -> None:
    x, y, mask = batch()

    def refused(options: str) -> str:
        subject = parse_subject(f"lif[{options}]")
        stack = Classifier(6, (5,), 4, lambda n: load(subject, n, T, torch.float64, "cpu"), batch_norm=False).double()
        with pytest.raises(Refused) as why:
            fast_and_deep.gradients(stack, x, y, mask)
        return str(why.value)

    assert "synapse_decay=0.81" in refused("decay=0.9,synapse_decay=0.8")
    assert "with constant decays and a synapse" in refused("decay=0.9")
    assert "reset=soft, not hard" in refused(f"{DECAYS},reset=hard")
    with pytest.raises(Problem, match="shd is not a workload events"):
        Case("fast_and_deep", T=4, B=2, workload="events", network="shd")
    assert parse_subject("fast_and_deep").options == {"decay": 0.951229424500714, "synapse_decay": 0.904837418035960}
    assert not scheme.alignment(parse_subject("fast_and_deep"), made(), x, y)


def test_digits_by_the_time_of_a_spike_are_learned() -> None:
    data = tasks.load("digits", code="time")
    x, _, mask = data.train.batch(torch.arange(8))
    assert x.shape == (128, 8, 64) and mask is not None and bool(mask.all())
    assert float(x.sum(0).max()) == 1 and not bool(x[91:].any())
    subject = parse_subject(
        "lif[decay=0.996,synapse_decay=0.992016,threshold=40.0]@fused+fast_and_deep[temperature=0.02]"
    )

    def make(n: int) -> nn.Module:
        return load(subject, n, data.steps, torch.float32, "cpu")

    first = [data.train.batch(torch.tensor([k])).x[:, 0] for k in range(512)]
    few = Sequences.of(first, data.train.labels[:512].tolist(), 128)
    recipe = Recipe(hidden=(48,), epochs=2, batch=16, batch_norm=False, lr=3e-3, weights="positive")
    *_, run = train(replace(data, train=few), make, recipe, [0], subject=subject)
    assert isinstance(run, Run) and run.accuracy > 0.4 and run.losses[1] < run.losses[0]
    assert 0 < run.spike_rates[0] < 0.1 and not run.aligned


@pytest.mark.parametrize(("most", "cut"), [(1, True), (32, False)])
def test_a_training_says_whether_spikes_are_cut_off(most: int, cut: bool) -> None:
    case = Training(f"lif[{DECAYS},threshold=4.0]@fused+fast_and_deep[max_spikes={most}]", task="digits[code=time]")
    x = batch(torch.float32)[0]
    few = Sequences.of(list(events.counts(x.floor(), T).unbind(1)), [0, 1, 0], T)
    watch, data = TimedTraining(case), Dataset("spikes", few, few, 6, 2, T, {})
    recipe = Recipe(hidden=(5,), epochs=1, batch=2, batch_norm=False, weights="positive")
    *_, run = train(
        data, lambda n: load(case.parsed, n, T, torch.float32, "cpu"), recipe, [0], watch=watch, subject=case.parsed
    )
    assert isinstance(run, Run) and watch.silenced == cut


def test_every_scheme_of_spike_times_says_so() -> None:
    found = [n for n in registry.names("schemes") if registry.scheme_facts(n).get("EVENTS")]
    assert found == ["eventprop", "fast_and_deep"]


@pytest.mark.parametrize("backend", ["eager", "fused"])
def test_what_is_cut_off_is_counted(backend: str) -> None:
    stack, (x, _, mask) = made(backend, (9,)), batch()
    layer, end = fast_and_deep.layers(stack, 64)[0], _events.ends(mask, x)
    want = int(
        (fast_and_deep.fire_of(stack)(layer.weight, layer.neuron, 64, x, end, 0.0).times.isfinite().sum(-1) > 3).sum()
    )
    assert fast_and_deep.silenced(stack, x, mask, max_spikes=3) == want > 0
    assert fast_and_deep.silenced(stack, x, mask, max_spikes=64) == 0


@pytest.mark.parametrize(("options", "flags"), [("[max_spikes=1]", ["silenced"]), ("", [])])
def test_a_record_says_that_spikes_are_cut_off(options: str, flags: list[str]) -> None:
    running = Running(network.build(step(f"fast_and_deep{options}@fused", rate=0.1)), CpuClock(), Plan())
    assert measured._flags(running, torch.get_num_threads(), Traces.now()) == flags


def test_the_metric_says_how_exact_a_gradient_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def exactness(subject: str, dtype: str = "float64") -> Any:
        return measure("exactness", Running(network.build(step(subject, rate=0.1, dtype=dtype)), CpuClock(), Plan()))

    found = exactness("fast_and_deep@fused")
    assert found.samples[0] < 1e-6 and found.detail["compared"] > 0 and 0 <= found.detail["grazing"] < 1
    assert exactness("eventprop").status == exactness("fast_and_deep", "float32").status == "unavailable"
    monkeypatch.setattr(event_gate, "_difference", lambda *_: None)
    assert exactness("fast_and_deep@fused").status == "unavailable", "nothing that was compared is no error of 0"


def test_the_sweep_has_the_same_spikes_on_both_grids() -> None:
    cases = [c for c in sweep("events") if isinstance(c, NetworkStep)]
    spikes = {T: {round(c.rate * T, 9) for c in cases if T == c.T} for T in (100, 1000)}
    assert spikes[100] == spikes[1000] == {1, 2, 5, 10} and len(cases) == 24
