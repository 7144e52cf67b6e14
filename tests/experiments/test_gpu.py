"""A GPU session with a budget: what it measures, in which order, and what is kept when time runs out; in miniature here."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import commands
import pytest

from spikebench import registry
from spikebench.cases.case import Case
from spikebench.experiments import gpu, gpu_plan, gpu_summary
from spikebench.experiments.claim_blocks import ClaimBlocks
from spikebench.host.monitor import Gpu, Reading
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.run import beside
from spikebench.run.beside import side_by_side
from spikebench.run.process import Workers
from spikebench.run.protocol import CheckJob, GateJob, Job, MeasureJob, Outcome
from spikebench.run.session import Session
from spikebench.run.settings import Settings

ROOT = Path(__file__).parents[2]
STAGES = gpu_plan.stages()
LIBRARIES = ("snntorch", "spikingjelly", "norse", "sinabs", "sinabs_exodus")


def stage(name: str) -> gpu_plan.Stage:
    return next(s for s in STAGES if s.name == name)


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every library is installed."""
    monkeypatch.setattr(registry, "lacks", lambda *_: [])


def test_every_pair_of_ours_is_gated() -> None:
    gated = {c.subject for c in gpu_plan.gates("cuda")}
    assert {f"{n}@triton" for n in registry.names("neurons") if "triton" in registry.backends(n)} <= gated
    assert {f"{n}@eager" for n in registry.names("neurons")} <= gated
    assert not any(s.endswith(("@cpu", "@compiled")) for s in gated), "no GPU, or a minute for each"
    for form in gpu_plan.FORMS:
        assert {c.dtype for c in gpu_plan.gates("cuda") if c.subject == form} == {"float32", "float64", "bfloat16"}


def test_libraries_are_gated_and_timed_where_they_are_installed(everything: None) -> None:
    gated = {c.parsed.backend for c in gpu_plan.gates("cuda")}
    timed = {c.parsed.backend for c in gpu_plan.libraries("cuda")}
    assert set(LIBRARIES) <= gated and set(LIBRARIES) | {"eager", "indexed", "cudagraph"} <= timed


def test_libraries_are_left_out_where_they_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "lacks", lambda backend, _: ["it"] if backend in LIBRARIES else [])
    cases = [*gpu_plan.gates("cuda"), *gpu_plan.libraries("cuda")]
    assert cases and not {c.parsed.backend for c in cases} & set(LIBRARIES)


def test_the_most_valuable_comes_first_and_nothing_twice() -> None:
    assert [s.name for s in STAGES] == ["claims", "bounds", "libraries", "energy", "memory", "rest"]
    first = stage("claims").blocks[0]
    assert first.cases[0].T == 10000 and first.fewest == 1
    bounds = stage("bounds").cases
    assert len(bounds) == len(stage("bounds").blocks)
    layers = [c for c in bounds if c.workload == "layer"]
    own = [(c.T, c.B, c.N) for c in layers if c.subject == "lif@triton" and c.mode == "train" and c.dtype == "float32"]
    assert len(own) == 6 and {b * n for _, b, n in own} == {2048, 4096, 16384, 65536}
    fused = {f"{n}@triton" for n in registry.names("neurons") if "triton" in registry.backends(n)}
    below = {(c.subject, c.dtype) for c in layers if c.parsed.name == "lif" and (c.dtype != "float32" or c.parsed.how)}
    kept, sent, both = (
        f"lif@triton[{how}]" for how in ("save=checkpoints", "spikes=bits", "spikes=bits,save=checkpoints")
    )
    assert below == {(s, "float32") for s in (kept, both)} | {(s, "bfloat16") for s in ("lif@triton", kept, both)}
    assert {c.subject for c in bounds if c.workload != "layer"} == {"lif@triton", sent}
    assert fused == {str(c.parsed) for c in layers if not c.parsed.how}
    products = [b for b in stage("bounds").blocks if "product" in b.metrics]
    assert [c.parsed.how.get("form") for b in products for c in b.cases] == [None, "dot"]


def test_the_claims_have_five_pairs_and_few_slow_loops() -> None:
    blocks = stage("claims").blocks
    for T in (10000, 1000):
        at = [b for b in blocks if b.cases[0].T == T]
        assert len(at) == 5
        backends = [[c.parsed.backend for c in b.cases] for b in at]
        assert all("indexed" in b and "fft" in b and b.count("triton") >= 2 for b in backends)
        assert sum("eager" in b for b in backends) == 1 and not any("compiled" in b for b in backends)


def test_ten_minutes_are_enough_for_all_but_the_rest(everything: None) -> None:
    """Predicted with the durations measured on an H100: tests, shapes, and every stage but the last in full."""
    visit = gpu.forecast(600.0, "cuda", False, gpu_plan.stages(), ("tests", "tuned"))
    assert visit.spent["tuned"] > 60 and set(visit.left_out) <= {"rest", "gates of rest"}
    assert sum(visit.spent.values()) <= 600
    assert visit.planned["libraries"] > 20 and visit.spent["claims"] > 100


def test_a_short_session_leaves_the_least_valuable_out_and_names_it(everything: None) -> None:
    visit = gpu.forecast(200.0, "cuda", False, gpu_plan.stages())
    assert visit.spent["gates"] > 10 and visit.planned["gates"] > 150 and "gates" not in visit.left_out
    assert "claims" in visit.left_out and all("T=" in name for names in visit.left_out.values() for name in names)
    assert sum(visit.spent.values()) <= 200 * 1.02


class Stuck(gpu.Forecast):
    """A pool whose processes of one backend never end."""

    def ask(self, case: Case, job: Job, seconds: float | None, watch: Any = None) -> Outcome:
        if case.parsed.backend != "indexed":
            return super().ask(case, job, seconds, watch)
        left = min(seconds or self.budget.left, self.budget.left)
        self.time += left
        return Outcome("timeout", f"no result after {left:g} s")


def test_a_stage_that_is_stuck_cannot_eat_the_next_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "Forecast", Stuck)
    visit = gpu.forecast(600.0, "cuda", False, gpu_plan.stages())
    assert "bounds" not in visit.left_out and "energy" not in visit.left_out
    assert visit.spent["claims"] < 250, "each stuck case once, and not for long"


def session(budget: float) -> tuple[gpu.Visit, list[Record], list[str]]:
    pool, kept, said = gpu.Forecast(), list[Record](), list[str]()
    pool.budget = gpu.Budget.of(budget, pool.now)
    found = Session(Settings(("latency",), processes=1), pool)
    return gpu.Visit(found, pool, pool.budget, kept.append, said.append), kept, said


def test_records_of_rounds_are_repeats_of_one_case() -> None:
    visit, kept, said = session(300)
    visit.stage(stage("energy"))
    visit.stage(stage("energy"))
    assert [r.repeat for r in kept if r.case["subject"] == "lif@triton"] == [0, 1]
    assert said[0] == "energy: 3 blocks in at most 240 s"


def test_nothing_is_asked_when_the_budget_is_spent() -> None:
    visit, kept, _ = session(10)
    visit.pool.prepare = lambda *_: pytest.fail("a process was started")  # pyright: ignore[reportAttributeAccessIssue]
    visit.pool.time = 11.0  # pyright: ignore[reportAttributeAccessIssue]
    visit.stage(stage("bounds"))
    assert not kept and len(visit.left_out["bounds"]) == len(stage("bounds").blocks)


def test_the_summary_tells_medians_and_what_went_wrong() -> None:
    case = Case("lif@triton", T=10, B=2, N=5)
    share = Measurement("bandwidth", "1", samples=[0.5, 0.9, 0.7])
    good = Record("r", case.case_id, case.to_json(), measurements=[share])
    bad = Record("r", "x", case.to_json(), "oom", "full")
    other = Record("r", case.case_id, case.to_json(), measurements=[replace(share, samples=[0.9])], repeat=1)
    said = gpu_summary.summary([good, bad, other])
    assert said.records == {"ok": 2, "oom": 1}
    assert [n.reason for n in said.not_ok] == ["full"]
    (row,) = said.medians
    assert row.medians["bandwidth"] == pytest.approx(0.8) and row.processes == 2
    assert list(row.to_json()) == ["subject", "mode", "T", "B", "N", "dtype", "processes", "bandwidth"]
    text = gpu_summary.lines(said, {"gates": 3.0}, {"rest": ["lif@eager T=8 B=1 N=1"]})
    assert text[2].startswith("not reached of rest: 1") and "oom: lif@triton (full)" in text


def test_a_published_figure_stands_beside_the_pairs_so_far() -> None:
    block = stage("claims").blocks[1]
    times = {"indexed": 5.0, "fft": 0.5, "triton": 0.001}

    def made(case: Case, repeat: int) -> Record:
        latency = Measurement("latency", "s", samples=[times[case.parsed.backend] * (1 + repeat / 100)])
        return Record("r", case.case_id, case.to_json(), measurements=[latency], repeat=repeat)

    rows = gpu_summary.ratios([made(c, k) for k in range(5) for c in block.cases])
    (row,) = [row for row in rows if row.claim == "spsn_4000x T=10000"]
    assert row.says == "4000x" and row.found.startswith("10.0x [") and row.found.endswith("n=5")


def test_the_printed_table_has_at_most_sixty_lines() -> None:
    case = Case("lif@triton", T=10, B=2, N=5)
    rows = [gpu_summary.Measured(case, 1, {"latency": 1e-3})] * 100
    text = gpu_summary.lines(gpu_summary.Summary("here", {"ok": 100}, [], [], rows), {"bounds": 9.0}, {})
    assert len(text) == 60 and text[-1] == "and 43 more cases in the records"


@pytest.mark.timeout(240)
@pytest.mark.slow
def test_the_whole_session_in_miniature(tmp_path: Path) -> None:
    """The command that a GPU gets, on the CPU: from the source tree, with records and a summary as they come."""
    command = [sys.executable, "-m", "spikebench", "gpu", "--device", "cpu", "--tiny", "--budget", "60s"]
    command += ["--commit", "abc123", "--out", str(tmp_path), "--skip", "tests"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    records, said = list(store.read(tmp_path / "gpu.jsonl")), json.loads((tmp_path / "summary.json").read_text())
    assert records and sum(said["records"].values()) == len(records)
    assert {r.environment.get("commit") for r in records} == {"abc123"}
    assert all(r.status in ("ok", "refused", "timeout") for r in records), said["not_ok"]
    assert {p.name for p in tmp_path.iterdir()} == {"gpu.jsonl", "summary.json"}
    order = [
        word.partition(":")[0] for word in done.stderr.splitlines() if "side by side" in word or "blocks in" in word
    ]
    assert order == ["gates", "claims", "gates of bounds", "bounds"]
    assert "s left: lif@eager T=16 B=4 N=8 ok" in done.stderr, "lines of progress where there is no terminal"
    assert len(done.stdout.splitlines()) <= 61


@pytest.mark.long
def test_the_plan_names_every_stage_and_needs_no_gpu() -> None:
    done = commands.run("gpu", "--plan", "--budget", "10m", "--skip", "energy")
    rows = [line.split("  ")[0] for line in done.stdout.splitlines()]
    assert [r for r in rows if r][1:10] == [
        "tests", "tuned", "gates", "claims", "bounds", "libraries", "memory", "gates of rest", "rest",
    ]  # fmt: skip


def test_a_stage_that_is_not_there_is_named() -> None:
    done = commands.run("gpu", "--plan", "--skip", "dinner")
    assert done.returncode == 2 and "no stage 'dinner'" in done.stderr and "claims" in done.stderr


def test_processes_start_side_by_side_before_they_are_needed_and_none_while_one_measures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[str] = []

    class Fake:
        def __init__(self, **_: Any) -> None: ...
        def __enter__(self) -> "Fake":
            return self

        def __exit__(self, *_: object) -> None: ...
        def prepare(self) -> None:
            events.append("start")

        def ask(self, *_: Any) -> Outcome:
            events.append("measure")
            return Outcome("ok")

        def close(self) -> None:
            events.append("close")

    monkeypatch.setattr(gpu, "Workers", Fake)
    ready, job = gpu.Ready(1, {}, gpu.Budget.of(100)), gate_job("lif")
    for left in (10, 9, 8):
        ready.prepare(1, left)
        ready.ask(job.case, job, None)
    assert events == ["start"] * gpu.AHEAD + ["measure"] * 3
    ready.prepare(1, 7)
    assert len(events) == gpu.AHEAD + 3, "there are some left"
    monkeypatch.setattr(gpu, "reading", lambda _: Reading(0.0, 0.0, Gpu(1.0, 1.0, (), gpu.AHEAD - 3 + 1)))
    seen = ready.reading("cuda").gpu
    assert seen and seen.processes == 1, "only the stranger counts"
    ready.budget = gpu.Budget.of(0.0)
    assert ready.ask(job.case, job, None).status == "skipped"
    ready.close()
    assert events.count("close") == gpu.AHEAD - 3


@pytest.mark.long
def test_a_process_of_its_own_is_waited_for_to_its_end() -> None:
    """It says itself how it ended: were the end of its output taken for that, it would be cut off while it works."""
    with Workers(1, fork=False) as workers:
        workers.prepare()
        outcome = workers.ask(gate_job("lif"), timeout=100)
    assert outcome.status == "ok" and outcome.cpu_seconds


def gate_job(subject: str) -> GateJob:
    return GateJob(Case(subject, T=8, B=1, N=4))


@pytest.mark.long
def test_a_process_stays_for_the_next_gate_until_one_ends_badly() -> None:
    pids: list[int] = []
    with Workers(1, fork=False, stays=True, opened=True) as workers:
        for job in (gate_job("lif"), gate_job("psn@eager"), CheckJob("nowhere.py:Nothing"), gate_job("lif")):
            workers.ask(job, timeout=100)
            pids.append(workers._server.pid if workers._server else 0)
    assert pids[0] == pids[1] != 0 and pids[2] == 0 and pids[3] not in pids[:2]


def test_what_a_process_that_stayed_does_not_end_well_is_asked_again_in_a_fresh_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, str]] = []

    class Fake:
        def __init__(self, *_: Any, **__: Any) -> None:
            self.done = 0

        def ask(self, job: CheckJob, _: float | None) -> Outcome:
            asked.append((self.done, job.subject))
            bad = job.subject == "poisoned" and self.done > 0
            self.done = 0 if bad else self.done + 1
            return Outcome("failed" if bad else "ok")

        def close(self) -> None: ...

    monkeypatch.setattr(beside, "Workers", Fake)
    monkeypatch.setattr(beside, "BESIDE", 1)
    jobs = [CheckJob(c) for c in ("fine", "poisoned", "late")]
    limits = iter([None, None, 0.0])
    found = dict(side_by_side(jobs, lambda: next(limits)))
    assert asked == [(0, "fine"), (1, "poisoned"), (0, "poisoned")]
    assert [found[k].status for k in range(3)] == ["ok", "ok", "skipped"]


@pytest.mark.long
def test_gates_of_a_session_run_side_by_side_once() -> None:
    cases = [Case(s, T=8, B=1, N=4) for s in ("lif@eager", "plif@eager")]
    with Session(Settings(threads=1)) as session:
        found = {c.subject: o.status for c, o in session.gates(cases)}
        assert found == {"lif@eager": "ok", "plif@eager": "ok"}
        assert list(session.gates(cases)) == [] and session.gated(cases[0])


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

        def cases(self) -> Sequence[Case]:
            return [Case("lif@eager", device=self.device), Case("spsn@fft", device=self.device)]

    said: list[str] = []
    questions: list[Any] = [Question("cuda"), Question("cpu")]
    session: Any = Gating()
    wanted = ClaimBlocks(session, lambda _: None, [], None)
    wanted.gates([(q, 0, []) for q in questions], lambda what, case: said.append(f"{case.subject} {what}"))
    assert asked == ["lif@eager", "spsn@fft"] and said == ["lif@eager gate ok", "spsn@fft gate ok"]


@pytest.mark.long
def test_a_machine_without_a_gpu_says_so() -> None:
    done = commands.run("gpu")
    assert done.returncode == 2 and "--device cpu --tiny" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.long
def test_what_a_process_that_waited_has_timed_is_judged_in_another_one() -> None:
    case = Case("lif@cpu", T=16, B=2, N=8, mode="inference")
    ready = gpu.Ready(1, {}, gpu.Budget.of(100), opened=False)
    try:
        job = MeasureJob(case, "timing", ["latency"], samples=5, fewest=3, slow=0.2, warmup=0.1, bias=0.2)
        outcome = ready.ask(case, job, None)
    finally:
        ready.close()
    assert outcome.status == "ok", outcome.reason
    compared: Any = outcome.result.measurements[0].detail["compared"]
    assert compared["launches"] >= 3 and compared["differing"] == 0
