"""Subjects that crash, hang, lie or eat memory become records, and the sweep goes on."""

import errno
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import commands
import pytest

from spikebench.cases.case import Case
from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.records.schema import CaseJson, EnvironmentJson
from spikebench.run import runner
from spikebench.run.session import Session
from spikebench.run.settings import Settings

pytestmark = pytest.mark.long  # processes or compiled loops

SUBJECTS = """
import ctypes, os, signal, subprocess, sys, time
import torch
from torch import nn


class Fine(nn.Module):
    def forward(self, x):
        return (x > 0.5).to(x.dtype) + 0 * x


class Raises(Fine):
    def forward(self, x):
        raise LookupError("I have lost my weights")


class Exits(Fine):
    def forward(self, x):
        os._exit(3)


class Segfaults(Fine):
    def forward(self, x):
        ctypes.string_at(0)


class Kills(Fine):
    def forward(self, x):
        os.kill(os.getpid(), signal.SIGKILL)


class Hangs(Fine):
    def forward(self, x):
        time.sleep(60)


class NotANumber(Fine):
    def forward(self, x):
        return x * float("nan")


class Prints(Fine):
    def forward(self, x):
        print("x" * 100_000)
        return super().forward(x)


class Threads(Fine):
    def forward(self, x):
        torch.set_num_threads(1)
        return super().forward(x)


class Forks(Fine):
    def forward(self, x):
        if os.fork() == 0:
            os._exit(0)
        os.wait()
        return super().forward(x)


class Eats(Fine):
    def forward(self, x):
        torch.ones(40_000_000_000)
        return super().forward(x)


class Unbuildable(Fine):
    def __init__(self, needs_this, and_that):
        super().__init__()


class Torn(Fine):
    def forward(self, x):
        return super().forward(x)[:-1]


class Leaves(Fine):
    def forward(self, x):
        sys.exit(4)


class Unprintable(Fine):
    def forward(self, x):
        raise ValueError("half a pair \\ud800")


class KillsServer(Fine):
    def forward(self, x):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)


class LeavesBehind(Fine):
    def forward(self, x):
        subprocess.Popen(["sleep", "59.731"])
        return super().forward(x)


class NoModule:
    pass


def factory(n):
    return Fine()


class Seeds(Fine):
    def forward(self, x):
        torch.manual_seed(123)
        torch.set_default_dtype(torch.float64)
        return super().forward(x)
"""

EXPECTED = {
    "Raises": ("failed", "LookupError: I have lost my weights"),
    "Exits": ("failed", "exit code 3"),
    "Segfaults": ("failed", "SIGSEGV"),
    "Kills": ("failed", "SIGKILL"),
    "Hangs": ("timeout", "no result after 6 s"),
    "NotANumber": ("wrong", "not finite"),
    "Prints": ("ok", None),
    "Forks": ("ok", None),
    "Eats": ("oom", "allocate"),
    "Unbuildable": ("refused", "needs_this"),
    "Absent": ("refused", "no Absent in"),
    "Torn": ("wrong", "spikes [15, 2, 8] for input [16, 2, 8]"),
    "Leaves": ("failed", "exit code 4"),
    "Unprintable": ("failed", "ValueError: half a pair ?"),
    "KillsServer": ("failed", "SIGKILL"),
    "LeavesBehind": ("ok", None),
    "NoModule": ("refused", "NoModule gives a NoModule, not a torch.nn.Module"),
    "factory": ("ok", None),
    "Seeds": ("ok", None),
    "Threads": ("ok", None),
    "Fine": ("ok", None),
}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Record]]:
    """One sweep over all of them."""
    path = tmp_path_factory.mktemp("subjects") / "paper.py"
    path.write_text(SUBJECTS)
    cases = [Case(f"{path}:{name}", T=16, B=2, N=8, mode="inference") for name in EXPECTED]
    settings = Settings(metrics=("latency",), samples=3, timeout=6.0, memory_limit=4_000_000_000)
    out = path.parent / "r.jsonl"
    found = list(runner.run(cases, settings, out))
    yield dict(zip(EXPECTED, found, strict=True))


@pytest.mark.parametrize("name", EXPECTED)
def test_every_fault_is_a_record_with_its_status_and_reason(records: dict[str, Record], name: str) -> None:
    status, reason = EXPECTED[name]
    record = records[name]
    assert record.status == status, record.reason
    if reason is None:
        assert record.reason is None
        assert len(record.measurements[0].samples) == 3
        assert "ungated" in record.flags
    else:
        assert reason in (record.reason or "")
        assert not any(m.samples for m in record.measurements)


def test_a_changed_thread_count_is_flagged(records: dict[str, Record]) -> None:
    settings = Settings()
    assert ("changed_threads" in records["Threads"].flags) == (settings.threads != 1)
    assert "changed_threads" not in records["Fine"].flags


def test_who_prints_much_is_flagged(records: dict[str, Record]) -> None:
    assert "printed" in records["Prints"].flags and "printed" not in records["Fine"].flags


def test_what_a_subject_changes_does_not_leak_into_the_next(records: dict[str, Record]) -> None:
    """Fine runs after Seeds and Threads, in a process of its own."""
    assert records["Fine"].measurements[0].detail["threads"] == Settings().threads


def test_what_a_subject_leaves_running_is_killed(records: dict[str, Record]) -> None:
    import psutil

    assert records["LeavesBehind"].status == "ok"
    assert not [p.pid for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "59.731"]]


def test_the_worker_dies_with_its_parent(tmp_path: Path) -> None:
    import time

    import psutil

    code = (
        "import os, signal, time\n"
        "from spikebench.run.process import Workers\n"
        "w = Workers(1); w._start(); print(w._server.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    for _ in range(50):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.1)
    pytest.fail("the server outlived its parent")


class Quick:
    """A session whose cases take no time."""

    deadline: float | None = None

    def __init__(self, settings: Settings) -> None:
        self.settings, self.environment, self.run_id = settings, {"machine": "m"}, f"{runner.clock.wall()}"

    def __enter__(self) -> "Quick":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def measure(self, case: Case, repeat: int = 0) -> Record:
        facts, found = cast(EnvironmentJson, self.environment), [Measurement("latency", "s", samples=[1.0])]
        return Record("r", case.case_id, case.to_json(), measurements=found, environment=facts, repeat=repeat)


CASES = [Case("lif@eager", T=t, B=1, N=1) for t in range(1, 6)]
SETTINGS = Settings(metrics=("latency",))


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_disk_that_is_full_in_the_middle_keeps_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(runner, "Session", Quick)
    out, real, calls = tmp_path / "r.jsonl", getattr(os, call), itertools.count()

    def full(*args: Any) -> Any:
        if next(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(Problem, match=r"No space left on device; name another file with --out"):
            list(runner.run(CASES, SETTINGS, out))
    kept = [r.case["T"] for r in store.read(out)]
    assert kept[:2] == [1, 2]
    list(runner.run(CASES, SETTINGS, out, resume=True))
    notes: list[str] = []
    assert [r.case["T"] for r in store.read(out, notes)] == [1, 2, 3, 4, 5]
    assert notes == []


def test_a_clock_that_jumps_back_and_forth_changes_neither_budget_nor_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "Session", Quick)
    jumps = itertools.cycle([0.0, 4e9, 1.0, -5.0])
    monkeypatch.setattr(runner.clock, "wall", lambda: next(jumps))
    settings = Settings(metrics=("latency",), budget=60.0)
    found = list(runner.run(CASES, settings, tmp_path / "r.jsonl"))
    assert [(r.case["T"], r.status) for r in found] == [(t, "ok") for t in range(1, 6)]
    assert Session(SETTINGS).run_id
    assert list(runner.run(CASES, settings, tmp_path / "r.jsonl", resume=True)) == []


def test_names_from_elsewhere_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    name = "[bold red]x[/bold red]\x1b[2J\x1b]0;mine\x07<script>alert(1)</script>@eager"
    case = cast(CaseJson, {**CASES[0].to_json(), "subject": name})
    path = tmp_path / "r.jsonl"
    store.append(path, Record("r", "c", case, status="failed", reason="\x1b[31mred"))
    done = commands.run("show", str(path))
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "\x07" not in done.stdout
    assert "[bold red]x" in done.stdout
