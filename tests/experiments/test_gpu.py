"""The tour of a borrowed GPU: what is asked, in which order, what is kept when time runs out. It runs in miniature here."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spikebench import registry
from spikebench.cases.case import Case
from spikebench.experiments import gpu
from spikebench.experiments.campaign import Campaign
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.run.process import Outcome, Workers
from spikebench.run.session import Session

ROOT = Path(__file__).parents[2]
STAGES = gpu.stages()


def stage(name: str) -> gpu.Stage:
    return next(s for s in STAGES if s.name == name)


def test_every_pair_of_ours_is_gated_first() -> None:
    assert STAGES[0].name == "gates" and not STAGES[0].metrics
    gated = {c.subject for c in STAGES[0].cases}
    assert {f"{n}@triton" for n in registry.names("neurons") if "triton" in registry.backends(n)} <= gated
    assert {f"{n}@eager" for n in registry.names("neurons")} <= gated
    assert not any(c.parsed.backend in gpu.ELSEWHERE for c in STAGES[0].cases)


def test_sweeps_reach_as_far_as_they_should() -> None:
    cases = stage("sweeps").cases
    fused = [c for c in cases if c.subject == "lif@triton" and c.mode == "train"]
    assert {c.T for c in fused if c.B * c.N == 16384} == {128, 512, 1024, 4096, 16384}
    assert {c.B * c.N for c in fused if c.T == 1024} == {512, 4096, 16384, 65536, 262144}
    assert max(c.T for c in cases if c.subject == "lif@indexed") == 512 * 2
    assert len(set(cases)) == len(cases) and all(c.device == "cuda" for c in cases)


def test_few_cases_are_named_for_energy() -> None:
    assert len(gpu.named("cuda", tiny=False)) == 8


class Fake(gpu.Borrowed):
    """A session without processes: every job takes a second of a clock that the test moves."""

    def __init__(self, budget: gpu.Budget) -> None:
        self.budget, self.asked = budget, list[tuple[str, int]]()
        self.settings = gpu.Settings()

    def gates(self, cases: Any, left: Any = None) -> Iterator[tuple[Case, Outcome]]:
        yield from ((c, Outcome("ok")) for c in cases)

    def gate_record(self, case: Case, outcome: Outcome) -> Record:
        return Record("r", case.case_id, case.to_json())

    def measure(self, case: Case, repeat: int = 0, metrics: tuple[str, ...] | None = None) -> Record:
        self.asked.append((case.subject, self.settings.samples))
        NOW[0] += 1
        return self.gate_record(case, Outcome("ok"))


NOW = [0.0]


@pytest.fixture
def moved_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    NOW[0] = 0.0
    monkeypatch.setattr(gpu.clock, "monotonic", lambda: NOW[0])


def test_a_stage_ends_with_its_share_of_the_budget(moved_clock: None) -> None:
    session, kept = Fake(gpu.Budget.of(30)), list[Record]()
    swept = gpu.Stage("some", stage("sweeps").cases, ("latency",), share=0.5)
    assert gpu.measured(session, swept, kept.append) == len(swept.cases) - 15
    assert len(kept) == 15 and session.budget.left == 15
    assert {samples for subject, samples in session.asked if subject in gpu.PATIENT} == {gpu.FEW}
    assert {samples for subject, samples in session.asked if subject not in gpu.PATIENT} == {20}


def test_nothing_is_asked_when_the_budget_is_spent(moved_clock: None) -> None:
    session = Fake(gpu.Budget.of(10))
    NOW[0] = 11
    gpu.measured(session, stage("sweeps"), lambda record: pytest.fail("measured"))
    assert gpu.Borrowed.ask(session, Case("lif"), {}).status == "skipped"


def test_the_summary_tells_medians_and_what_went_wrong() -> None:
    case = Case("lif@triton", T=10, B=2, N=5)
    share = Measurement("bandwidth", "1", samples=[0.5, 0.9, 0.7])
    found = [
        Record("r", case.case_id, case.to_json(), measurements=[share]),
        Record("r", "x", case.to_json(), "oom", "full"),
    ]
    said = gpu.summary(found)
    assert said["records"] == {"ok": 1, "oom": 1}
    assert [n["reason"] for n in said["not_ok"]] == ["full"] and said["medians"][0]["bandwidth"] == 0.7


def test_a_process_of_its_own_is_waited_for_to_its_end() -> None:
    """It says itself how it ended: were the end of its output taken for that, it would be cut off while it works."""
    with Workers(1, fork=False) as workers:
        workers.prepare()
        outcome = workers.ask({"kind": "gate", "case": Case("lif", T=8, B=1, N=4).to_json()}, timeout=100)
    assert outcome.status == "ok" and outcome.cpu_seconds


@pytest.mark.timeout(240)
@pytest.mark.slow
def test_the_whole_tour_in_miniature(tmp_path: Path) -> None:
    """The command that a GPU gets, on the CPU: from the source tree, with records and a summary as they come."""
    command = [sys.executable, "-m", "spikebench", "gpu", "--device", "cpu", "--tiny", "--budget", "15s"]
    command += ["--commit", "abc123", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    records, said = list(store.read(tmp_path / "gpu.jsonl")), json.loads((tmp_path / "summary.json").read_text())
    assert records and sum(said["records"].values()) == len(records)
    assert {r.environment["commit"] for r in records} == {"abc123"}
    assert all(r.status in ("ok", "refused", "skipped", "timeout") for r in records), said["not_ok"]
    assert {p.name for p in tmp_path.iterdir()} == {"gpu.jsonl", "summary.json"}
    assert "report" in said["tests"] and not any("Benchmark" in line for line in said["tests"]["report"])


def test_processes_that_wait_alternate_between_the_halves_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is begun while one measures is never on its half."""
    made: list[int] = []

    class Workers:
        def __init__(self, *_: Any, **__: Any) -> None:
            self.half = min(os.sched_getaffinity(0))
            made.append(self.half)

        def prepare(self) -> None:
            pass

        def close(self) -> None:
            pass

    monkeypatch.setattr(gpu, "Workers", Workers)
    ready = gpu.Ready({})
    if len(ready._pools) < 2:
        pytest.skip("one core has no halves")
    for _ in range(6):
        taken: Any = ready.take()
        begun: Any = ready._waiting[-1].result()
        assert begun.half != taken.half
    ready.close()
    assert len(made) == 6 + gpu.AHEAD


def test_gates_of_a_session_run_side_by_side_and_stop_with_the_time() -> None:
    cases = [Case(s, T=8, B=1, N=4) for s in ("lif@eager", "plif@eager", "psn@eager")]
    with Session(gpu.Settings(threads=1)) as session:
        assert list(session.gates(cases, lambda: 0.0)) == []
        found = list(session.gates(cases[:2]))
        assert [(c.subject, o.status) for c, o in found] == [("lif@eager", "ok"), ("plif@eager", "ok")]
        assert list(session.gates(cases[:2])) == [], "once per session"


def test_gates_of_a_gpu_come_before_anything_is_timed_and_those_of_a_cpu_with_their_block(tmp_path: Path) -> None:
    asked: list[str] = []

    class Gating:
        run_id = "r"

        def gates(self, cases: Any) -> Iterator[tuple[Case, Outcome]]:
            for case in cases:
                asked.append(case.subject)
                yield case, Outcome("ok")

    class Question:
        """What a claim asks that is no comparison: its cases."""

        def __init__(self, device: str) -> None:
            self.device = device

        def cases(self) -> list[Case]:
            return [Case("lif@eager", device=self.device), Case("spsn@fft", device=self.device)]

    said: list[str] = []
    questions: list[Any] = [Question("cuda"), Question("cpu")]
    session: Any = Gating()
    campaign = Campaign(session, tmp_path / "r.jsonl", [], None)
    campaign.gates([(q, 0, []) for q in questions], lambda what, case: said.append(f"{case.subject} {what}"))
    assert asked == ["lif@eager", "spsn@fft"] and said == ["lif@eager gate ok", "spsn@fft gate ok"]


def test_a_machine_without_a_gpu_says_so() -> None:
    command = [sys.executable, "-m", "spikebench", "gpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "--device cpu --tiny" in done.stderr and "Traceback" not in done.stderr
