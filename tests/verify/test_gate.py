"""The gate catches every cheat in cheats/ and lets every right backend pass.

A cheat is a backend with one fault; for these tests its folder is a part of the package of backends.
"""

import json
from functools import lru_cache
from pathlib import Path

import pytest
import torch

from spikebench import backends, registry
from spikebench.backend import Refused, refusal
from spikebench.cases.case import Case, Layer, with_changes
from spikebench.cases.subject import parse_subject
from spikebench.errors import Problem
from spikebench.loading.subject import definition, definition_of
from spikebench.neuron import StochasticNeuron
from spikebench.verify import gate, probes
from spikebench.verify.reference import Expected, Selection
from spikebench.workloads.layer import build, calibrate
from tests.verify import corpus

CHEATS = Path(__file__).parents[1] / "cheats"
DECAYS = (0.5, 0.9, 0.99)
RATES = (0.05, 0.3)
T, B, N = 128, 4, 32

BOTH = (
    "decay[factor=0.9]",
    "decay[factor=1.00001]",
    "decay[factor=0.99999]",
    "threshold[factor=1.00001]",
    "threshold[factor=0.99999]",
    "comparison",
    "step[what=spikes]",
    "step[what=input]",
    "stale[kind=storage]",
    "stale[kind=previous]",
    "carried",
    "fewer",
    "unwritten[what=steps]",
    "unwritten[what=series]",
    "unwritten[what=gradient]",
    "unfinished[what=spikes]",
    "unfinished[what=gradient]",
    "half[what=all]",
    "half[what=all,precision=bfloat16]",
    "half[what=input]",
    "half[what=gradient]",
    "noncausal[leak=0.001]",
    "noncausal[leak=0.0001]",
    "overwrite[what=input]",
    "overwrite[what=gradient]",
    "gradient[kind=scaled]",
    "gradient[kind=part]",
    "gradient[kind=truncated]",
    "gradient[kind=none]",
)
OF_LIF = (
    "reset[kind=none]",
    "reset[kind=hard]",
    "reset[kind=late]",
    "surrogate[kind=shape]",
    "surrogate[kind=slope]",
    "surrogate[kind=detached]",
)
NOISE = ("call", "seed", "high-seed", "site", "count", "step", "item")
OF_SPSN = ("reset", "surrogate", *(f"noise[what={w}]" for w in NOISE))
PAIRS = [("lif", c) for c in (*BOTH, *OF_LIF)] + [("spsn", c) for c in (*BOTH, *OF_SPSN)]


def subject(neuron: str, decay: float, backend: str) -> str:
    names = ("decay",) if neuron == "lif" else ("mem_decay", "syn_decay")
    return f"{neuron}[{','.join(f'{k}={decay}' for k in names)}]@{backend}"


@lru_cache
def calibrated(case: Case) -> float:
    return calibrate(case)


@pytest.fixture(autouse=True)
def _threads_and_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread, and one calibration for all backends of a neuron."""
    torch.set_num_threads(1)

    def shared(case: Case) -> float:
        neuron = str(case.parsed).partition("@")[0]
        return calibrated(with_changes(case, subject=f"{neuron}@eager"))

    for module in (gate, probes):
        monkeypatch.setattr(module, "calibrate", shared)


def probes_by_name(case: Case) -> dict[str, probes.Probe]:
    """The looks at a case by name."""
    return {probe.name: probe for probe in probes.probes_of(case, definition(case.parsed, case.N, case.T))}


@pytest.fixture
def cheats(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of backends, with the cheats in it."""
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(CHEATS)])


def test_every_cheat_is_tried(cheats: None) -> None:
    there = {c for n in ("lif", "spsn") for c in registry.backends(n) if not _of_ours(c)} - {"right"}
    assert {c.partition("[")[0] for _, c in PAIRS} | corpus.names() == there


@pytest.mark.parametrize("ssm", ["s4d", "dplr"])
def test_the_ends_of_a_window_are_looked_at(ssm: str, cheats: None) -> None:
    """Before the first event a score is the bias, exactly: a kernel that takes the end for outside gives another gradient."""
    case = Case(f"spike_sampler[ssm={ssm},state=4]@window", T=24, B=2, N=8)
    found = gate.gate(case)
    assert found.status == "failed" and found.probes[-1].name == probes.JUMP
    assert "the input's gradient is off" in (found.reason or "")
    backends = ["right", "cpu"] if ssm == "s4d" else ["right"]
    for backend in backends:
        right = gate.gate(with_changes(case, subject=case.subject.replace("window", backend)))
        assert right.status == "passed" and probes.JUMP in [probe.name for probe in right.probes]


def _of_ours(backend: str) -> bool:
    return not ((CHEATS / backend).is_dir() or (CHEATS / f"{backend}.py").exists())


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize(("neuron", "cheat"), PAIRS)
def test_cheat_is_caught(neuron: str, cheat: str, decay: float, rate: float, cheats: None) -> None:
    case = Case(subject(neuron, decay, cheat), T, B, N, rate=rate)
    result = gate.gate(case)
    assert result.status == "failed" and result.reason
    assert not result.probes[-1].passed and all(p.passed for p in result.probes[:-1])


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("cheat", ["decay[factor=1.00001]", "comparison", "stale", "unwritten", "unfinished", "step"])
@pytest.mark.parametrize("neuron", ["lif", "spsn"])
def test_cheat_is_caught_without_gradients(neuron: str, cheat: str, decay: float, cheats: None) -> None:
    case = Case(subject(neuron, decay, cheat), T, B, N, mode="inference")
    assert gate.gate(case).status == "failed"


CUTS = [(n, "", d, k) for n in ("lif", "spsn") for d in (0.9, 0.95) for k in (128, 256)]  # shorter ones lose more
CUTS += [("lif", o, 0.9, 128) for o in ("reset=hard", "reset=none", "reset=hard,detach_reset=true,strict=true")]


@pytest.mark.parametrize(("neuron", "options", "decay", "steps"), CUTS)
@pytest.mark.long
def test_a_backward_pass_that_is_cut_is_caught(
    neuron: str, options: str, decay: float, steps: int, cheats: None
) -> None:
    """What is lost is 1e-6 of the largest gradient after 128 steps at decay 0.9, and less after 256."""
    names = ("decay",) if neuron == "lif" else ("mem_decay", "syn_decay")
    text = f"{neuron}[{','.join([f'{k}={decay}' for k in names] + [options] * bool(options))}]"
    result = gate.gate(Case(f"{text}@gradient[kind=cut,steps={steps}]", T=400, B=2, N=64))
    assert result.status == "failed" and result.reason
    if neuron == "lif" and (decay, steps) in ((0.9, 128), (0.9, 256), (0.95, 256)):
        assert result.probes[-1].name == probes.LAST and result.reason.startswith(probes.LAST), "no other probe sees it"
        assert "far from the last step is off by 1 of itself" in result.reason
    if steps == 256:
        whole = gate.gate(Case(f"{text}@gradient[kind=cut,steps=400]", T=400, B=2, N=64))
        assert whole.status == "passed", whole.reason


@pytest.mark.parametrize("mode", ["inference", "forward", "train"])
@pytest.mark.parametrize("neuron", ["lif", "spsn"])
def test_the_door_is_open(neuron: str, mode: str, cheats: None) -> None:
    """The definition through the same door as the cheats: what catches them is not the door."""
    result = gate.gate(Case(f"{neuron}@right", T, B, N, mode=mode))  # pyright: ignore[reportArgumentType]
    assert result.status == "passed", result.reason


def right_backends() -> list[tuple[str, str]]:
    elsewhere = ("compiled", "triton")  # slow, tried in the tests of the backends; on a GPU only
    return [(n, b) for n in ("lif", "spsn") for b in registry.backends(n) if b not in elsewhere]


def passes(case: Case) -> gate.GateResult:
    if (reason := refusal(case)) is not None:
        pytest.skip(reason)
    result = gate.gate(case)
    assert result.status == "passed", result.reason
    return result


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("decay", [*DECAYS, 0.999])
@pytest.mark.parametrize(("neuron", "backend"), right_backends())
@pytest.mark.long
def test_right_backend_passes(neuron: str, backend: str, decay: float, dtype: str) -> None:
    for rate in RATES:
        result = passes(Case(subject(neuron, decay, backend), 256, 4, 64, dtype=dtype, rate=rate))
        assert len(result.probes) == (5 if neuron == "lif" else 4)
        if dtype == "float64":
            assert all(p.differing == 0 for p in result.probes)


@pytest.mark.parametrize(
    "options",
    [
        "reset=hard",
        "reset=none,strict=true",
        "reset_delay=true,threshold=0.7",
        "detach_reset=true,input_scale=1-decay,synapse_decay=0.8",
        "learn_decay=true,learn_threshold=true,decay=0.99",
        "decay=0.951229,synapse_decay=0.951229,input_scale=1-decay,reset=hard,detach_reset=true,strict=true,"
        "surrogate=fast_sigmoid,slope=100.0",
    ],
)
@pytest.mark.parametrize("backend", ["eager", "cpu"])
def test_right_options_pass(options: str, backend: str) -> None:
    passes(Case(f"lif[{options}]@{backend}", T, B, N))


@pytest.mark.parametrize("options", ["mode=gs", "estimator=straight-through", "mode=gs,tau=0.5"])
@pytest.mark.parametrize("backend", ["fft", "scan", "cpu"])
def test_right_modes_pass(options: str, backend: str) -> None:
    passes(Case(f"spsn[{options}]@{backend}", T, B, N))


@pytest.mark.parametrize("text", ["lif@eager", "spsn@scan", "alif@eager"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_held_to_what_it_can(text: str, dtype: str) -> None:
    passes(Case(text, 64, B, N, dtype=dtype))


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 1, 1), (37, 1, 3), (5, 130, 7)])
@pytest.mark.parametrize("text", ["lif@eager", "spsn@eager", "spsn@fft", "spsn@scan"])
def test_any_size_passes(text: str, sizes: tuple[int, int, int]) -> None:
    result = passes(Case(text, *sizes))
    assert all(p.series >= 128 for p in result.probes[1:]), "a small case is probed with more series than it has"
    assert json.loads(json.dumps(result.to_json()))["probes"]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("decay", [*DECAYS, 0.999])
@pytest.mark.parametrize("neuron", ["lif", "spsn"])
def test_input_holds_the_rate(neuron: str, decay: float, rate: float) -> None:
    case = Case(subject(neuron, decay, "eager"), 1024, 2, 64, rate=rate, mode="inference")
    spikes = build(case, calibrate(case)).launch()
    assert float(spikes[512:].mean()) == pytest.approx(rate, rel=0.25)
    if decay <= 0.99:  # at 0.999 the memory is still filling
        assert float(spikes[768:].mean()) == pytest.approx(rate, rel=0.35)


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("neuron", ["lif", "spsn"])
def test_membranes_are_brought_to_both_sides_of_the_edge(neuron: str, decay: float) -> None:
    probe = probes_by_name(Case(subject(neuron, decay, "eager"), T, B, N))["rate 0.05"]
    reference = gate.pristine(probe.workload)
    probes.aim(probe.workload, reference, call=3)
    chosen = Selection.of(probe.workload.x, reference, 0)
    x, uniforms = chosen.take(probe.workload.x), chosen.uniforms(probe.workload.x, reference, 3)
    expected = Expected.of(reference, chosen, x, uniforms, gradient=False)
    nearest, at = (expected.margin / expected.allowed).min(0, keepdim=True)
    near = (nearest > 1) & (nearest < 1.5)
    assert float(near.double().mean()) > 0.4
    edge = reference.threshold if uniforms is None else uniforms.double().gather(0, at)
    above = (expected.neuron.membrane(x.double()).detach().gather(0, at) > edge)[near]
    assert 0.25 < float(above.double().mean()) < 0.75


@pytest.mark.parametrize("threshold", [1.0, 0.37])
def test_ties_are_exact(threshold: float) -> None:
    case = Case(f"lif[threshold={threshold},synapse_decay=0.3]@eager", T, B, N)
    probe = probes_by_name(case)["exact ties"]
    neuron = definition_of(probe.workload.module)
    assert neuron is not None
    x = probe.workload.x.detach()
    single, double = neuron.membrane(x), neuron.double().membrane(x.double())
    assert torch.equal(single.double(), double), "nothing is rounded"
    assert int((double == neuron.threshold).sum()) >= 10


def test_noise_of_the_second_look_is_another() -> None:
    case = Case("spsn@eager", T, B, N)
    probe = probes_by_name(case)["rate 0.05"]
    neuron = definition_of(probe.workload.module)
    assert isinstance(neuron, StochasticNeuron)
    assert (neuron.seed, neuron.site) == (0, 0)
    result = gate._probed(probe)
    assert result.passed and (neuron.seed, neuron.site) == (gate.SEED, gate.SITE) and neuron.calls == 4
    assert gate.SEED >> 32 and gate.SEED & 0xFFFFFFFF


def test_wrong_shape_and_refusal(cheats: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikebench.backends import eager

    case = Case("lif@eager", 16, 2, 4)
    monkeypatch.setattr(eager, "run", lambda neuron, x, seed=None: x[:1])
    assert "spikes [1, 2, 4] for input [16, 2, 4]" in str(gate.gate(case).reason)
    monkeypatch.setattr(eager, "refuses", lambda case: "not today", raising=False)
    with pytest.raises(Refused, match="not today"):
        gate.gate(case)


def test_the_subject_of_a_cheat_reads_like_any(cheats: None) -> None:
    assert str(parse_subject("spsn@noise[what=site]")) == "spsn@noise[what=site]"
    with pytest.raises(Problem, match="there are call, seed, high-seed"):
        parse_subject("spsn@noise[what=nothing]")


def test_a_neuron_that_never_fires_is_not_proven() -> None:
    result = gate.gate(Case("lif[threshold=1e9]", T=16, B=2, N=8))
    assert result.status == "failed" and "vacuous" in (result.reason or "")


@pytest.mark.parametrize("neuron", ["psu[decay=0.95]", "psu[decay=0.99]"])
def test_an_input_far_from_zero_is_found(neuron: str) -> None:
    """PSU's stand-in reset takes threshold·decay/(1 − decay)/2 away, whatever the input: it fires beyond that only."""
    case = Layer(neuron, T=512, B=4, N=64)
    bias = calibrate(case)
    spikes = build(case, bias).launch()[256:]
    assert bias > 16 and float(spikes.mean()) == pytest.approx(case.rate, rel=1)


@pytest.mark.parametrize(("beyond", "out"), [(1e-7, True), (1.5e-6, True), (3e-6, False)])
def test_a_gradient_is_not_compared_where_its_rule_jumps(beyond: float, out: bool) -> None:
    """One series of SpikeSampler stands beyond the edge of its window, closer than 4 times what explains a spike or not; the other far from it."""
    neuron = definition(parse_subject("spike_sampler[state=2]"), 2, 1)
    with torch.no_grad():
        for name, value in {"c_real": 0.0, "c_imag": 0.0, "d": 1.0}.items():
            getattr(neuron, name).fill_(value)
    x = torch.tensor([[[1 + beyond, 0.5]]])
    chosen = Selection.of(x, neuron, 0)
    expected = Expected.of(neuron, chosen, x.flatten(1)[:, None], torch.full((1, 1, 2), 0.2), gradient=True)
    assert expected.at_jump.tolist() == [[out, False]]


@pytest.mark.parametrize("subject", ["silif@eager", "c_silif@eager"])
def test_most_gradients_are_compared_though_their_rule_jumps(subject: str) -> None:
    case = Layer(subject, T=400, B=1, N=256)
    work = build(case, calibrate(case))
    reference = gate.pristine(work)
    chosen = Selection.of(work.x, reference, 0)
    expected = Expected.of(reference, chosen, chosen.take(work.x), None, gradient=True)
    assert not expected.everywhere and 0 < float(expected.at_jump.double().mean()) < 0.2
