"""What the verdicts are worth on this machine: live comparisons whose answer is known. Off unless --live is given."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spikebench.analysis import noise, stats
from spikebench.cases.case import Case
from spikebench.experiments.compare import in_pairs
from spikebench.host import clock, environment
from spikebench.records.record import Record
from spikebench.run.process import Workers
from spikebench.run.protocol import MeasureJob
from spikebench.run.session import Session
from spikebench.run.settings import Settings

WORK = """
from torch import nn


class Work(nn.Module):
    def __init__(self, rounds=200):
        super().__init__()
        self.rounds = rounds

    def forward(self, x):
        y = x.clone()
        for _ in range(self.rounds):
            y.mul_(1.0)
        return (y > 0.5).to(x.dtype)
"""
HALF_BUSY = """
import os, time
os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
ours = os.getppid()
while os.getppid() == ours:
    end = time.perf_counter() + 0.05
    while time.perf_counter() < end:
        pass
    time.sleep(0.05)
"""
TIMER = """
import sys, torch
from torch.utils.benchmark import Timer
from spikebench.cases.case import Case
from spikebench.host.memory import keep_memory
from spikebench.workloads.layer import build
keep_memory()
torch.set_num_threads({threads})
work = build(Case({subject!r}, T={T}, B=16, N=512), {bias!r})
found = Timer("work.launch()", globals=dict(work=work), num_threads={threads}).blocked_autorange(min_run_time=1.0)
print(found.median)
"""
BLOCKS = 10


@pytest.fixture(autouse=True)
def live(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--live"):
        pytest.skip("takes up to half an hour of a machine with nothing else on it: run with --live")


@pytest.fixture
def load() -> Iterator[None]:
    """One core busy half of the time."""
    process = subprocess.Popen([sys.executable, "-c", HALF_BUSY])
    yield
    process.kill()
    process.wait()


def verdicts(subjects: list[str], times: int, settings: Settings, floor: float = 0.0, **sizes: int) -> Counter[str]:
    """How often live comparisons of the second subject with the first gave which verdict; each has an input of its own."""
    found: Counter[str] = Counter()
    with Session(settings) as session:
        for seed in range(times):
            case = Case(subjects[0], **sizes, mode="inference", seed=seed)  # pyright: ignore[reportArgumentType]
            (row,) = in_pairs(session, subjects, case, floors={case.case_id: floor})
            found[row.verdict or row.status] += 1
            pairs = row.ratio.n if row.ratio else 0
            sys.stderr.write(f"{seed + 1}/{times}: {row.verdict or row.reason} after {pairs} pairs; {dict(found)}\n")
    return found


@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("load")
def test_a_against_a_on_a_loaded_machine_is_seldom_faster_or_slower() -> None:
    found = verdicts(["lif@eager", "lif@eager"], 60, Settings(metrics=("latency",)), T=64, B=4, N=128)
    assert found["faster"] + found["slower"] <= 6, found
    assert sum(found[v] for v in ("faster", "slower", "same", "inconclusive")) == 60, found


@pytest.fixture
def work(tmp_path: Path) -> str:
    (tmp_path / "work.py").write_text(WORK)
    return f"{tmp_path}/work.py:Work"


@pytest.mark.timeout(3600)
def test_five_percent_more_work_is_slower_and_a_against_a_is_the_same_on_a_quiet_machine(work: str) -> None:
    one, sizes = Settings(metrics=("latency",), threads=1), {"T": 64, "B": 8, "N": 128}
    kept: list[Record] = []
    case = Case(work, **sizes, mode="inference")  # pyright: ignore[reportArgumentType]
    with Session(one) as session:
        in_pairs(session, [work, work], case, 10, keep=kept.append)  # as `spikebench aa` does
    (floor,) = noise.floors(kept).values()
    sys.stderr.write(f"noise floor {floor:.1%}\n")
    slower = verdicts([work, f"{work}[rounds=210]"], 30, one, floor, **sizes)
    assert slower["slower"] >= 24, slower
    equal = verdicts([work, work], 30, one, floor, **sizes)
    assert equal["same"] >= 15, equal


def of(record: Record) -> float:
    """The median latency of a process."""
    found = record.measurement("latency")
    assert record.status == "ok" and found is not None, record.reason
    return stats.median(found.samples)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("subject", "T"), [("lif@cpu", 1000), ("lif@eager", 200)])
def test_latency_agrees_with_the_timer_of_pytorch(subject: str, T: int) -> None:
    """Interleaved processes: our median and that of torch.utils.benchmark.Timer, for a case that is steady from process to process."""
    threads = environment.threads()
    variables = os.environ | environment.for_worker(threads)
    ours: list[float] = []
    theirs: list[float] = []
    case = Case(subject, T=T, B=16, N=512)
    with Session(Settings(metrics=("latency",))) as session:
        bias = getattr(session.gate(case).result.gate, "bias", None)
        code = TIMER.format(subject=subject, T=T, threads=threads, bias=bias)
        for block in range(BLOCKS):
            done = subprocess.run(
                [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
            )
            theirs.append(float(done.stdout))
            ours.append(of(session.measure(case, block)))
    ratio = stats.paired_ratio(theirs, ours)
    sys.stderr.write(
        f"{subject} T={T}: Timer ÷ spikebench = {ratio.estimate:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]\n"
    )
    assert abs(ratio.estimate - 1) <= 0.05, ratio


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("subject", "T"), [("lif@cpu", 1000), ("lif@eager", 200)])
def test_a_forked_process_gives_the_figures_of_a_spawned_one(subject: str, T: int) -> None:
    case, found = Case(subject, T=T, B=16, N=512), dict[bool, list[float]]()
    with (
        Session(Settings(metrics=("latency",))) as forks,
        Session(Settings(metrics=("latency",), fork=False)) as spawns,
    ):
        for block in range(BLOCKS):
            order = [(True, forks), (False, spawns)]
            for fork, session in order[:: 1 if block % 2 else -1]:
                found.setdefault(fork, []).append(of(session.measure(case, block)))
    ratio = stats.paired_ratio(found[False], found[True])
    sys.stderr.write(f"{subject} T={T}: spawn ÷ fork = {ratio.estimate:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]\n")
    assert stats.verdict(ratio) in ("same", "inconclusive"), ratio
    assert abs(ratio.estimate - 1) <= 0.05, ratio


@pytest.mark.parametrize(("subject", "limit"), [("lif@eager", 0.1), ("lif@cpu", 0.5)])
def test_a_process_is_soon_at_its_first_torch_operation_and_its_first_kernel(subject: str, limit: float) -> None:
    """From the request to the answer of a fresh process, with the server warm: build a small case and launch it."""
    case = Case(subject, T=8, B=2, N=8)
    job = MeasureJob(case, "timing", ["latency"], samples=1, fewest=1, slow=0.2, warmup=0.0, bias=0.0)
    taken: list[float] = []
    with Workers(environment.threads()) as workers:
        for _ in range(9):
            start = clock.monotonic()
            outcome = workers.ask(job)
            taken.append(clock.monotonic() - start)
            assert outcome.status == "ok", outcome
    sys.stderr.write(f"{subject}: answer after {stats.median(taken[1:]):.3f} s\n")
    assert stats.median(taken[1:]) < limit


def test_the_time_outside_the_timed_region_is_said() -> None:
    """For a subject of a few milliseconds: what a case costs beside its samples, with and without the gate and the start."""
    case = Case("lif@cpu", T=1000, B=4, N=128)
    with Session(Settings(metrics=("latency",))) as session:
        start = clock.monotonic()
        session.gate(case)
        gate = clock.monotonic() - start
        beside: list[float] = []
        for block in range(6):
            start = clock.monotonic()
            record = session.measure(case, block)
            whole = clock.monotonic() - start
            found = record.measurement("latency")
            assert found is not None
            detail: dict[str, Any] = dict(found.detail)
            beside.append(whole - sum(found.samples) * detail["group"] - sum(detail["warmup"]))
    sys.stderr.write(f"gate and server {gate:.2f} s; a case beside its samples {stats.median(beside):.3f} s\n")
    assert stats.median(beside) < 2.0
