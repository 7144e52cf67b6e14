"""Resume, kill, interrupt, budget, order of pairs: what was measured stays measured."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from spikebench import metric
from spikebench.analysis.stability import bimodal
from spikebench.cases.case import Case, Training, grid
from spikebench.experiments import gpu
from spikebench.experiments.compare import in_pairs
from spikebench.host.clock import FakeClock
from spikebench.metric import Plan, Running, warm_up
from spikebench.metrics import latency
from spikebench.records import store
from spikebench.records.flags import Flag
from spikebench.records.record import Record, Status
from spikebench.records.schema import EnvironmentJson
from spikebench.run import runner
from spikebench.run.interleaving import Interleaving
from spikebench.run.protocol import Outcome
from spikebench.run.session import Session
from spikebench.run.settings import Settings

HERE = Path(__file__).parents[2]
SWEEP = ["run", "--subject", "lif@eager", "-T", "8,16,24,32,40,48", "-B", "2", "-N", "8", "--samples", "3"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package that nobody edits while a sweep runs: a change would be another version."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(HERE / "spikebench", folder / "spikebench", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def command(out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "spikebench", *SWEEP, "--metric", "latency", "--out", str(out), *more]


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
@pytest.mark.long
def test_a_killed_sweep_resumes_without_losing_or_repeating_a_case(
    tmp_path: Path, checkout: Path, how: signal.Signals, code: int
) -> None:
    out = tmp_path / "r.jsonl"
    process = subprocess.Popen(command(out), cwd=checkout, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while lines(out) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, how)
    assert process.wait(30) == code
    before = [r.case_id for r in store.read(out)]
    assert 3 <= len(before) < 6
    subprocess.run(command(out, "--resume"), cwd=checkout, check=True, capture_output=True)
    notes: list[str] = []
    after = [r.case_id for r in store.read(out, notes)]
    assert after[: len(before)] == before
    assert len(after) == len(set(after)) == 6
    assert notes == []


class FakeSession:
    """A session without processes: each case takes a second of its clock."""

    statuses: ClassVar[dict[int, Status]] = {}
    measured: ClassVar[list[tuple[str, int, int]]] = []
    seconds: ClassVar[dict[tuple[str, int], float]] = {}
    now = 0.0

    def __init__(self, settings: Settings) -> None:
        self.settings, self.run_id, self.environment = settings, "run", {"machine": "m", "commit": "c"}

    head = Session.head

    def __enter__(self) -> "FakeSession":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def measure(self, case: Case, repeat: int = 0, metrics: Any = None) -> Record:
        type(self).now += 1.0
        type(self).measured.append((case.subject, case.T, repeat))
        seconds = self.seconds.get((case.subject, repeat), float(case.T))
        samples = metric.Measurement("latency", "s", samples=[seconds])
        status = self.statuses.get(case.T, "ok")
        found = [] if status != "ok" else [samples]
        return Record(
            "run",
            case.case_id,
            case.to_json(),
            status=status,
            measurements=found,
            environment=cast(EnvironmentJson, self.environment),
            repeat=repeat,
        )

    def block(self, cases: list[Case], repeat: int = 0, metrics: Any = None) -> list[Record]:
        return [self.measure(case, repeat, metrics) for case in cases]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeSession]:
    class Fresh(FakeSession):
        statuses: ClassVar[dict[int, Status]] = {}
        measured: ClassVar[list[tuple[str, int, int]]] = []
        seconds: ClassVar[dict[tuple[str, int], float]] = {}
        now = 0.0

    monkeypatch.setattr(runner, "Session", Fresh)
    monkeypatch.setattr(runner.clock, "monotonic", lambda: Fresh.now)
    return Fresh


CASES = grid(["lif@eager"], T=[1, 2, 3], B=[1], N=[1])
LATENCY = Settings(metrics=("latency",))


def test_resume_leaves_out_whatever_is_recorded_and_retry_redoes_what_is_not_ok(
    fake: type[FakeSession], tmp_path: Path
) -> None:
    out = tmp_path / "r.jsonl"
    fake.statuses = {2: "timeout"}
    list(runner.run(CASES, LATENCY, out))
    fake.measured.clear()
    list(runner.run(CASES, LATENCY, out, resume=True))
    assert fake.measured == []
    list(runner.run(CASES, LATENCY, out, resume=True, retry=True))
    assert [t for _, t, _ in fake.measured] == [2]


def test_resume_measures_again_when_metrics_versions_or_commit_differ(fake: type[FakeSession], tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    list(runner.run(CASES, LATENCY, out))
    fake.measured.clear()
    list(runner.run(CASES, Settings(metrics=("latency", "peak_memory")), out, resume=True))
    assert len(fake.measured) == 3
    other = out.read_text().replace('"commit":"c"', '"commit":"before"')
    out.write_text(other)
    fake.measured.clear()
    list(runner.run(CASES, LATENCY, out, resume=True))
    assert len(fake.measured) == 3


def test_the_budget_stops_in_time_and_resume_takes_up_the_rest(fake: type[FakeSession], tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    records = list(runner.run(CASES, Settings(metrics=("latency",), budget=2.0), out))
    assert [r.status for r in records] == ["ok", "ok", "skipped"]
    assert "budget of 2 s" in (records[2].reason or "")
    fake.measured.clear()
    assert [r.status for r in runner.run(CASES, LATENCY, out, resume=True)] == ["ok"]
    assert [t for _, t, _ in fake.measured] == [3]


@pytest.mark.parametrize("seconds, status", [(0.0, "timeout"), (300.0, "ok")])
def test_every_record_of_a_shared_machine_says_so(seconds: float, status: Status) -> None:
    """Of layers and of trainings, from a pool that gives no samples: where a gate ends too late, and where it passes."""
    for shared in (True, False):
        pool = gpu.Forecast()
        pool.budget = gpu.Budget.of(seconds, pool.now)
        session = Session(Settings(("latency",), processes=1, shared=shared), pool)
        records = session.block([Case("lif@eager", T=8, B=2, N=4)])
        assert [r.status for r in records] == [status]
        records.append(session.train(Training("lif@eager", task="digits"), None))
        assert [Flag.SHARED in r.flags for r in records] == [shared] * 2


def test_every_case_is_measured_once_before_any_is_repeated(fake: type[FakeSession]) -> None:
    list(runner.run(CASES, Settings(metrics=("latency",), repeats=2)))
    assert [(t, r) for _, t, r in fake.measured] == [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (3, 1)]


def test_pairs_hold_every_subject_once_in_random_order(fake: type[FakeSession]) -> None:
    subjects = ["lif@eager", "lif@indexed"]
    session: Any = fake(LATENCY)
    (row,) = in_pairs(session, subjects, CASES[0], 20)
    blocks = [tuple(s for s, _, _ in fake.measured[k : k + 2]) for k in range(0, 40, 2)]
    assert all(sorted(b) == subjects for b in blocks)
    assert 3 <= sum(b[0] == "lif@eager" for b in blocks) <= 17
    assert row.ratio is not None
    assert (row.ratio.estimate, row.ratio.n, row.verdict) == (1.0, 20, "same")


def test_pairs_end_when_the_verdict_is_clear_and_a_decided_subject_leaves_the_blocks(fake: type[FakeSession]) -> None:
    times = {("lif@eager", k): 1.0 + 0.1 * (k % 3) for k in range(20)}
    fake.seconds = times | {("lif@cpu", k): 0.1 * times["lif@eager", k] for k in range(20)}
    fake.seconds |= {("lif@indexed", k): 1.0 + 0.1 * ((k + 1) % 3) for k in range(20)}
    session: Any = fake(LATENCY)
    kept: list[Record] = []
    rows = in_pairs(session, ["lif@eager", "lif@cpu", "lif@indexed"], CASES[0], keep=kept.append)
    assert {r.pairs for r in kept} == {"5-20"}
    assert [(r.verdict, r.ratio and r.ratio.n) for r in rows] == [("faster", 5), ("inconclusive", 20)]
    subjects = [s for s, _, _ in fake.measured]
    assert [subjects.count(s) for s in ("lif@eager", "lif@cpu", "lif@indexed")] == [20, 5, 20]


def test_a_side_that_is_not_ok_gives_a_row_without_a_ratio(fake: type[FakeSession]) -> None:
    fake.statuses = {1: "oom"}
    session: Any = fake(LATENCY)
    (row,) = in_pairs(session, ["lif@eager", "lif@eager"], CASES[0], 5)
    assert (row.ratio, row.verdict, row.status) == (None, None, "oom")
    assert len(fake.measured) == 2  # not tried again


def test_warm_up_goes_on_while_the_time_falls() -> None:
    falling = [10.0, 6.0, 3.0, 2.0, 1.5, 1.5, 1.5, 1.5]
    assert warm_up(lambda: None, FakeClock(falling), Plan(warmup_seconds=100)) == falling[:7]


def test_warm_up_lasts_a_while_however_fast_the_calls() -> None:
    assert 0.2 <= sum(warm_up(lambda: None, FakeClock([0.01]), Plan())) < 0.23


def test_warm_up_ends_at_its_limit() -> None:
    times = warm_up(lambda: None, FakeClock([4.0, 3.0, 2.0, 1.0, 0.5]), Plan(warmup_seconds=8.0))
    assert times == [4.0, 3.0, 2.0]


class FakeWork:
    """A launcher that counts."""

    launches = 0

    def launch(self) -> None:
        self.launches += 1


@pytest.mark.parametrize(("duration", "samples", "group"), [(0.01, 20, 1), (0.3, 5, 1), (2e-5, 20, 10)])
def test_twenty_samples_five_when_slow_and_groups_when_fast(duration: float, samples: int, group: int) -> None:
    work: Any = FakeWork()
    running = Running(work, FakeClock([duration]), Plan(warmup_least=0.0))
    found = latency.sample(running)
    assert len(found) == samples
    assert running.detail["group"] == group
    assert found[0] == pytest.approx(duration / group)
    assert work.launches == len(running.detail["warmup"]) + samples * group


def test_who_measures_beside_others_lets_them_work_before_each_sample_and_settles_after() -> None:
    work, turns = FakeWork(), list[int]()
    running = Running(work, FakeClock([0.004]), Plan(warmup_least=0.0), turn=lambda: turns.append(work.launches))  # pyright: ignore[reportArgumentType]
    assert len(latency.sample(running)) == 20
    first = len(running.detail["warmup"])
    assert turns == [first + k * (turns[1] - first) for k in range(20)]
    assert turns[1] - first >= 1 + latency.SETTLE / 0.004 - 1


def test_turns_go_round_and_pass_over_who_has_left() -> None:
    turns, order, lock = Interleaving(3), list[int](), threading.Lock()

    def part(who: int) -> None:
        for _ in range(3 if who else 1):
            turns.wait(who)
            with lock:
                order.append(who)
        turns.leave(who)

    with ThreadPoolExecutor(3) as threads:
        for done in [threads.submit(part, who) for who in (2, 0, 1)]:
            done.result(10)
    assert order == [0, 1, 2, 1, 2, 1, 2]


BESIDE = """
import os, signal, time
from torch import nn


class Tells(nn.Module):
    def forward(self, x):
        start = time.monotonic()
        time.sleep(0.002)
        with open({log!r}, "a") as log:
            print(os.getpid(), start, time.monotonic(), file=log)
        return (x > 0.5).to(x.dtype) + 0 * x


class Dies(Tells):
    calls = 0

    def forward(self, x):
        self.calls += 1
        if self.calls > 130:  # while it is sampled
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x)


class Hangs(Tells):
    calls = 0

    def forward(self, x):
        self.calls += 1
        time.sleep(60 if self.calls > 130 else 0)
        return super().forward(x)
"""


@pytest.fixture(scope="module")
def kept() -> Iterator[Session]:
    """A session for several tests: each place in its blocks has a process that has loaded torch."""
    with Session(Settings(metrics=("latency",), timeout=6.0)) as session:
        yield session


@pytest.mark.parametrize("fork", [True, False])
@pytest.mark.long
def test_processes_of_a_block_are_there_at_once_and_are_interleaved(
    tmp_path: Path, fork: bool, request: pytest.FixtureRequest
) -> None:
    log = tmp_path / "log"
    (tmp_path / "beside.py").write_text(BESIDE.format(log=str(log)))
    cases = grid([f"{tmp_path}/beside.py:Tells"] * 2, T=[8], B=[2], N=[8])
    forked = nullcontext(request.getfixturevalue("kept")) if fork else None
    with forked or Session(Settings(metrics=("latency",), fork=False)) as session:
        session.gate(cases[0])
        log.unlink()
        records = session.block([cases[0], cases[0]])
    assert [r.status for r in records] == ["ok", "ok"]
    calls = [(int(pid), float(start), float(end)) for pid, start, end in map(str.split, log.read_text().splitlines())]
    assert len({pid for pid, _, _ in calls}) == 2
    assert all(before[2] <= after[1] for before, after in itertools.pairwise(calls))
    assert sum(a[0] != b[0] for a, b in itertools.pairwise(calls)) >= 2 * 20


@pytest.mark.parametrize(("bad", "status"), [("Dies", "failed"), ("Hangs", "timeout")])
@pytest.mark.long
def test_who_dies_or_hangs_does_not_take_the_others_of_its_block_along(
    tmp_path: Path, kept: Session, bad: str, status: str
) -> None:
    (tmp_path / "beside.py").write_text(BESIDE.format(log=os.devnull))
    names = [f"{tmp_path}/beside.py:{name}" for name in ("Tells", bad, "Tells")]
    cases = [Case(name, T=8, B=2, N=8) for name in names]
    assert [r.status for r in kept.block(cases)] == ["ok", status, "ok"]
    assert [r.status for r in kept.block(cases[:1])] == ["ok"]


def test_a_bimodal_process_is_flagged() -> None:
    def flag(values: list[float]) -> bool:
        return bimodal([metric.Measurement("latency", "s", samples=values)])

    assert flag([1.0] * 5 + [3.0] * 6)
    assert not flag([1.0] * 10 + [9.0])


def test_a_timed_out_gate_is_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(LATENCY)
    monkeypatch.setattr(session, "ask", lambda *_, **__: Outcome("timeout", "no result after 1 s"))
    record = session.measure(CASES[0])
    session.__exit__()
    assert (record.status, record.reason, record.measurements) == ("timeout", "gate: no result after 1 s", [])
