"""What is timed is computed: inputs that nobody can foresee, and launches that are compared with the definition.

The cheats in cheats/ that the gate lets pass are caught here. Those that change the process they run in have a process of
their own, in test_corpus.py.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor

from spikebench import backends
from spikebench.cases.case import Layer
from spikebench.host.clock import CpuClock
from spikebench.loading.subject import definition
from spikebench.metric import Plan, Running, measure
from spikebench.neuron import StochasticNeuron
from spikebench.neurons.lif import LIF
from spikebench.numerics import philox
from spikebench.records.flags import Flag
from spikebench.records.record import Measurement
from spikebench.run import assemble
from spikebench.run.protocol import Outcome, Result
from spikebench.sampling import timed
from spikebench.sampling.timed import Timed
from spikebench.verify import evidence
from spikebench.verify import judged as judge
from spikebench.verify.evidence import Evidence, Kept
from spikebench.verify.gate import gate
from spikebench.workloads import renewal
from spikebench.workloads.layer import build, current, noise
from spikebench.workloads.renewal import Renewal
from tests.verify import corpus
from tests.verify.corpus import Cheat

CHEATS = Path(__file__).parents[1] / "cheats"
T = 24


@pytest.fixture
def cheats(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of backends, with the cheats in it."""
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(CHEATS)])
    torch.set_num_threads(1)


def watched(case: Layer, samples: int = 10) -> tuple[Running, judge.Judged]:
    """A case that was timed here, and what the comparison of its launches gave."""
    work = build(case, 0.2)
    running = Running(work, CpuClock(), Plan(samples=samples, warmup_least=0.01))
    running.watch = watch = Timed(work, running)
    for metric in ("latency", "backward") if case.mode == "train" else ("latency",):
        measure(metric, running)
    return running, judge.judged(case, watch.finished())


def case_of(neuron: str, backend: str, mode: str, B: int = 2, N: int = 8) -> Layer:
    return Layer(f"{neuron}@{backend}", T=T, B=B, N=N, mode=mode)  # pyright: ignore[reportArgumentType]  # checked at run time


@pytest.mark.parametrize("cheat", corpus.of("timed"), ids=lambda c: f"{c.neuron}-{c.backend}-{c.mode}")
def test_a_cheat_that_the_gate_lets_pass_is_caught(cheat: Cheat, cheats: None) -> None:
    running, found = watched(case_of(cheat.neuron, cheat.backend, cheat.mode))
    if cheat.caught == Flag.REPLAYED:
        assert running.medians["renewed"] > Flag.REPLAYED.threshold
    else:
        assert cheat.said in (found.wrong or "nothing")


@pytest.mark.parametrize("cheat", corpus.of("gate"), ids=lambda c: c.backend)
def test_a_cheat_is_caught_by_the_gate(cheat: Cheat, cheats: None) -> None:
    found = gate(case_of(cheat.neuron, cheat.backend, "train", *cheat.sizes), 0.2)
    assert found.status == "failed" and cheat.said in (found.reason or "")


@pytest.mark.parametrize("mode", ["inference", "forward", "train"])
@pytest.mark.parametrize(
    "text", ["lif@right", "spsn@right", "lif@cpu", "spsn@fft", "recurrent_lif@eager", "plif@eager"]
)
def test_what_is_right_passes(text: str, mode: str, cheats: None) -> None:
    neuron, backend = text.split("@")
    case = case_of(neuron, backend, mode)
    running, found = watched(case)
    assert found.wrong is None and found.launches >= 2 and found.series > 0
    assert isinstance(running.watch, Timed)
    kept = running.watch.evidence
    assert any(k.whole or k.parameters for k in kept.kept) and len(set(kept.seeds)) == len(kept.seeds)
    assert running.watch._kept, "what is kept between samples holds no memory of malloc's, which launches reuse"
    assert not any(isinstance(v, Tensor | list) for values in running.watch._kept for v in values)
    if mode == "train":
        assert found.gradient_error is not None and found.gradient_error < 1e-4
    assert torch.equal(running.workload.x.detach(), current(case, 0.2)), "the workload has its own input again"
    assert torch.equal(running.workload.g, noise(case, T, stream=1))


@pytest.mark.parametrize(
    ("before", "after", "count", "alarm"),
    [
        (1e-4, 3e-3, 8, True),
        (4e-3, 3e-3, 8, False),
        (1e-4, 0.05, 2, False),
        (1e-4, 0.2, 2, True),
        (1e-4, 0.05, 4, True),
    ],
)
def test_who_works_on_is_told_from_a_machine_that_delays_everybody(
    before: float, after: float, count: int, alarm: bool
) -> None:
    """Threads of OpenMP spin on after every launch, and on a busy machine a pause takes long whatever was before it."""
    running, found = watched(Layer("lif@eager", T=4, B=2, N=8))
    watch = running.watch
    assert found.wrong is None and isinstance(watch, Timed)
    running.medians["latency"] = 1e-3
    watch._beyond, watch._idle = [after] * count, [before] * count
    watch._outlasted()
    assert (watch.evidence.wrong == "a timed launch goes on after it has returned") is alarm


def test_the_series_that_are_compared_are_those_of_the_seed() -> None:
    """Of 4096 series the gate compares 514: with another seed others, which nobody has known before."""
    found = [gate(Layer("lif@cpu", T=4, B=16, N=256, mode="inference"), 0.2).seed for _ in range(2)]
    assert None not in found and found[0] != found[1]
    assert gate(Layer("lif@cpu", T=4, B=2, N=8, mode="inference"), 0.2, seed=5).seed == 5


@pytest.mark.parametrize("count", [1, 100, renewal.FEW + 5, 200_003])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_renewed_input_has_the_same_distribution(count: int, dtype: torch.dtype) -> None:
    x = (torch.randn(count, generator=torch.Generator().manual_seed(1)) * 0.5 + 0.3).to(dtype)
    values, new, other = Renewal(x, 0.3, 0.5), torch.empty_like(x), torch.empty_like(x)
    values.write(new, b"one seed")
    values.write(other, b"another1")
    assert torch.equal(values.at(torch.arange(count), b"one seed"), new)
    if count > renewal.FEW:
        assert float(new.float().mean()) == pytest.approx(0.3, abs=0.02)
        assert float(new.float().std()) == pytest.approx(0.5, rel=0.03)
        pairs = torch.corrcoef(torch.stack([x.float(), new.float(), other.float()]))
        assert float(pairs.fill_diagonal_(0).abs().max()) < 0.05


def test_a_long_input_is_mixed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "LONGEST", 2**15)
    x = torch.randn(2**17 + 77, generator=torch.Generator().manual_seed(1))
    values, new = Renewal(x, 0.0, 1.0), torch.empty_like(x)
    values.write(new, b"one seed")
    assert torch.equal(values.at(torch.arange(len(x)), b"one seed"), new)
    assert float(new.std()) == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize("steps", [1, 7, 64])
def test_uniforms_of_some_series_are_those_of_all(steps: int) -> None:
    chosen = torch.tensor([0, 5, 5, 11])
    some = philox.some(3 + 2**40, 9, 2, steps, 12, chosen)
    assert torch.equal(some, philox.plain(3 + 2**40, 9, 2, steps, 12, "cpu")[:, chosen])


def test_the_noise_of_a_timed_launch_is_named_by_its_call(cheats: None) -> None:
    running, _ = watched(case_of("spsn", "right", "forward"))
    neuron = next(m for m in running.workload.module.modules() if isinstance(m, StochasticNeuron))
    assert neuron.calls > 2**8
    assert isinstance(running.watch, Timed)
    assert len({k.call for k in running.watch.evidence.kept}) > 2


def test_a_process_that_times_nothing_has_nothing_to_compare_and_can_give_no_samples() -> None:
    case = Layer("lif@eager", T=4, B=1, N=2, mode="inference")
    assert judge.judged(case, Evidence(4, 1, 2, compared=True)).wrong is None
    mark, judged = [0.0, 0.0, 0.0], Outcome("ok")
    for metric, said in (("spike_rate", "ok"), ("latency", "wrong")):
        given = Result(measurements=[Measurement(metric, "1", samples=[1.0])])
        assert assemble.judged(Outcome("ok", result=given, marks=[mark]), judged).status == said
    given = Result(measurements=[Measurement("latency", "s", samples=[1.0])])
    assert assemble.judged(Outcome("ok", result=given, marks=[mark, mark]), judged).status == "ok"


def test_the_work_of_the_judge_is_ours_and_no_other_load() -> None:
    timed, judge_ = Outcome("ok", cpu_seconds=2.0, wall_seconds=3.0), Outcome("ok", cpu_seconds=0.5, wall_seconds=0.7)
    made = assemble.judged(timed, judge_)
    assert (made.cpu_seconds, made.wall_seconds) == (2.5, pytest.approx(3.7))


@pytest.mark.parametrize(
    ("backend", "wrong"), [("right", False), ("learned[kind=kept]", True), ("learned[kind=none]", True)]
)
@pytest.mark.parametrize("neuron", ["plif", "psn"])
def test_what_a_launch_learns_is_compared_where_it_is_too_large_to_be_kept(
    neuron: str, backend: str, wrong: bool, cheats: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two launches differ by what the series give that had another output gradient in one of them."""
    monkeypatch.setattr(evidence, "WHOLE", 0)
    running, found = watched(case_of(neuron, backend, "train", B=20, N=64))
    assert isinstance(running.watch, Timed) and not any(k.whole for k in running.watch.evidence.kept)
    assert any(k.less for k in running.watch.evidence.kept)
    if not wrong:
        assert found.wrong is None
    else:
        assert "a parameter's gradient of a timed launch is off by" in (found.wrong or "nothing")


def test_a_gradient_at_its_jump_is_not_compared_where_others_are() -> None:
    case, x, g = (
        Layer("lif[surrogate=rectangle]@fused", T=1, B=1, N=4, mode="train"),
        torch.zeros(1, 4),
        torch.ones(1, 4),
    )
    neuron = cast(LIF, definition(case.parsed, 4, 1))
    edge, high, jump = 0.75, g * neuron.slope, neuron.jump(torch.full((1, 1, 4), 0.75))

    def found(first: float, count: int = 4) -> str | None:
        """Of series the first of which is so high, and whose gradients are all those inside of the rectangle."""
        x[0] = torch.tensor([first, 1.0, 1.0, 1.0])
        seen = Evidence(1, 1, 4, compared=True, seeds=["00"])
        part = [v[:, :count] for v in (x, g, (x >= 1).float(), high)]
        seen.kept = [Kept(torch.arange(count), 0, "00", "00", False, part[2], part[3], [], part[0], part[1])]
        return judge.judged(case, seen).wrong

    assert jump is not None and not jump.any()
    assert found(edge) is None, "on the other side of the jump, as a kernel that rounds may be"
    assert "gradient is off by 1" in (found(edge - 0.1) or "")
    assert "gradient is off by 1" in (found(edge, count=1) or ""), "something is compared"


@pytest.mark.parametrize(("told", "left"), [(1e-4, 1e-4), (6e-3, 2e-3)])
def test_no_more_is_taken_off_than_a_launch_has_waited(
    told: float, left: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, waits = build(case_of("lif", "fused", "inference"), 0.2), iter([0.0, 5e-3])
    watch = Timed(work, Running(work, CpuClock(), Plan(samples=2)))
    monkeypatch.setattr(timed, "queued", lambda: next(waits))

    def measure(call: Callable[[], object]) -> float:
        time.sleep(6e-3)
        return told

    seconds = watch._on_a_core(measure, int)  # pyright: ignore[reportPrivateUsage]  # no other way in
    assert seconds <= left if told > 5e-3 else seconds == told, "it waited beside the launch"
