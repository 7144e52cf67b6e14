"""Faults of the processes that measure: what was finished is on disk, and innocent subjects are measured as if nothing had been."""

import resource
import signal
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import faulty
import psutil
import pytest

from spikebench.cases.case import Case
from spikebench.records.record import Record
from spikebench.run.process import Workers
from spikebench.run.protocol import GateJob
from spikebench.run.session import Session

Put = Callable[[faulty.Outcome], faulty.Outcome]


def statuses(found: faulty.Outcome) -> list[str]:
    return [r.status for r in found.records]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., faulty.Outcome]:
    """Measures subjects by name, one after the other."""

    def measured(*names: str, **more: object) -> faulty.Outcome:
        cases = faulty.subjects(tmp_path, *names)
        found = faulty.run(cases, tmp_path / "r.jsonl", monkeypatch, **more)  # pyright: ignore[reportArgumentType]
        assert {p.name for p in tmp_path.glob("did-*")} >= {f"did-{name}" for name in names} - {"did-Fine"}, "it struck"
        return found

    return measured


def servers() -> list[psutil.Process]:
    """The worker servers below this process, and what they are forked from."""
    return [p for p in psutil.Process().children(recursive=True) if "spikebench.worker" in p.cmdline()]


def signalled(how: signal.Signals) -> Callable[[int], None]:
    """Sends a signal to every server before the second case."""

    def happens(done: int) -> None:
        for server in servers() if done == 1 else ():
            server.send_signal(how)

    return happens


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["SIGSTOP", "SIGKILL"])
def test_the_fork_server_is_hit_between_two_cases(
    run: Callable[..., faulty.Outcome], row: Put, how: signal.Signals
) -> None:
    start = time.monotonic()
    found = row(run("Fine", "Fine", "Fine", happens=signalled(how)))
    assert statuses(found) == ["ok", "ok", "ok"]
    assert time.monotonic() - start < 60.0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["StopsServer", "KillsServer", "Stops"])
def test_a_subject_strikes_its_server_or_itself_once(run: Callable[..., faulty.Outcome], row: Put, name: str) -> None:
    assert statuses(row(run(name, "Fine"))) == ["ok", "ok"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Garbles", "Floods", "Swears"])
def test_protocol_garbage_on_the_pipe(run: Callable[..., faulty.Outcome], row: Put, name: str) -> None:
    found = row(run("Fine", name, "Fine", "Fine"))
    assert statuses(found) == ["ok", "failed", "ok", "ok"], [r.reason for r in found.records]


@pytest.mark.slow
def test_two_gigabytes_of_log(run: Callable[..., faulty.Outcome], row: Put) -> None:
    before, most = psutil.disk_usage("/tmp").free, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = row(run("Prints", "Fine"))
    assert statuses(found) == ["ok", "ok"], [r.reason for r in found.records]
    assert before - psutil.disk_usage("/tmp").free < 2**28
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most < 2**17, "in KiB"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fork"),
    [("LeavesBehind", True), ("LeavesBehind", False), ("LeavesAndKills", True)],
    ids=["forked", "spawned", "whose server was killed"],
)
def test_grandchildren_with_a_session_of_their_own(
    run: Callable[..., faulty.Outcome], row: Put, name: str, fork: bool
) -> None:
    """They are gone before the next case begins."""
    left = list[int]()
    settings = replace(faulty.QUICK, fork=fork)
    found = row(run(name, "Fine", settings=settings, happens=lambda done: left.extend(faulty.alive("61.375") * done)))
    assert statuses(found) == ["ok", "ok"] and left == []


HANGS = {
    "before its answer": "sys.stdin = type('Deaf', (), {'__iter__': lambda s: s, '__next__': lambda s: time.sleep(999)})()",
    "after a job": "os.wait4 = lambda *_: time.sleep(999)",
}


@pytest.mark.slow
@pytest.mark.parametrize("when", HANGS)
def test_the_fork_server_hangs(tmp_path: Path, row: Put, when: str) -> None:
    """A server that sleeps is replaced within ten seconds. The job that ended meanwhile is not done again."""
    python, mark = tmp_path / "python", tmp_path / "hung"
    code = f"import os, runpy, sys, time; {HANGS[when]}; runpy.run_module('spikebench.worker', run_name='__main__')"
    python.write_text(
        f'#!/bin/sh\nif [ ! -e "{mark}" ]; then touch "{mark}"; exec "{sys.executable}" -c "{code}"; fi\n'
        f'exec "{sys.executable}" "$@"\n'
    )
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    found = faulty.Outcome()
    with Workers(1, python=str(python)) as workers:
        for k in range(3):
            case = Case("lif", T=8 + k, B=1, N=4)
            if k == 0:
                workers.prepare()
            start = time.monotonic()
            result = workers.ask(GateJob(case), timeout=60.0, watch=lambda _: None)
            taken = time.monotonic() - start
            found.finished.add((case.case_id, 0))
            if result.status == "ok":
                found.recorded.add((case.case_id, 0))
            assert taken < 12.0, taken
    row(found)


@pytest.mark.slow
def test_sigstop_of_one_side_of_a_comparison(tmp_path: Path, row: Put) -> None:
    cases = faulty.subjects(tmp_path, "Fine", "Stops")
    cases = [replace(c, T=16) for c in cases]
    found = faulty.Outcome()
    with Session(faulty.QUICK) as session:
        for case in cases:
            session.gate(case.gated)
        (tmp_path / "did-Stops").unlink()  # so that it stops while it is timed
        records: list[Record] = session.block(cases)
    found.records, found.finished = records, {(r.case_id, r.repeat) for r in records}
    found.recorded = {(r.case_id, r.repeat) for r in records if r.status == "ok"}
    row(found)
