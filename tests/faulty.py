"""Runs that something happens to, and what became of the cases that they finished: how many there were, and how many are on disk."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from spikebench.cases.case import Case
from spikebench.records import store
from spikebench.records.record import Record
from spikebench.run import runner
from spikebench.run.session import Session
from spikebench.run.settings import Settings

ROOT = Path(__file__).parents[1]
QUICK = Settings(metrics=("latency",), samples=3, warmup=0.1, timeout=60.0, threads=1)

SUBJECTS = """
import os, signal, subprocess, sys, time
from torch import nn


class Fine(nn.Module):
    def forward(self, x):
        return (x > 0.5).to(x.dtype) + 0 * x


def first(name):
    try:
        os.close(os.open(os.path.join(os.path.dirname(__file__), name), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def pipes():
    return [int(fd) for fd in os.listdir("/proc/self/fd") if "pipe" in os.readlink(f"/proc/self/fd/{fd}")]


class StopsServer(Fine):
    def forward(self, x):
        if first("did-StopsServer"):
            os.kill(os.getppid(), signal.SIGSTOP)
        return super().forward(x)


class KillsServer(Fine):
    def forward(self, x):
        if first("did-KillsServer"):
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        return super().forward(x)


class Stops(Fine):
    def forward(self, x):
        if first("did-Stops"):
            os.kill(os.getpid(), signal.SIGSTOP)
        return super().forward(x)


class Prints(Fine):
    text = b"x" * 2**22

    def forward(self, x):
        if first("did-Prints"):
            for _ in range(512):
                os.write(1, self.text)
        return super().forward(x)


class LeavesBehind(Fine):
    line = "import os, time; os.fork() or (os.setsid(), os.fork() or time.sleep({n})); time.sleep({n})"

    def forward(self, x):
        if first("did-LeavesBehind"):
            subprocess.Popen([sys.executable, "-c", self.line.format(n=61.375)], start_new_session=True)
            time.sleep(0.3)
        return super().forward(x)


class LeavesAndKills(LeavesBehind):
    def forward(self, x):
        if first("did-LeavesAndKills"):
            super().forward(x)
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        return x.gt(0.5).to(x.dtype) + 0 * x


class Garbles(Fine):
    lines = b'garbage \\xff\\n[1]\\n{"pid": 1}\\n{"exit": 0}\\n{"exit": "x"}\\n'

    def forward(self, x):
        if first("did-Garbles"):
            for fd in pipes():
                try:
                    os.write(fd, self.lines)
                except OSError:
                    pass
            os._exit(0)
        return super().forward(x)


class Floods(Fine):
    def forward(self, x):
        if first("did-Floods"):
            for fd in pipes():
                try:
                    for _ in range(64):
                        os.write(fd, b"x" * 2**16)
                except OSError:
                    pass
        return super().forward(x)


class Swears(Fine):
    def forward(self, x):
        if first("did-Swears"):
            for fd in pipes():
                try:
                    os.write(fd, b'{"exit": 0, "cpu_seconds": 0.1}\\n')
                except OSError:
                    pass
            time.sleep(60)
        return super().forward(x)


class RemovesTemporary(Fine):
    def forward(self, x):
        import shutil, tempfile
        if first("did-RemovesTemporary"):
            shutil.rmtree(tempfile.gettempdir())
        return super().forward(x)
"""


@dataclass
class Outcome:
    """Cases that a run finished, by id and number of the process, and those that are on disk."""

    finished: set[tuple[str, int]] = field(default_factory=set)
    recorded: set[tuple[str, int]] = field(default_factory=set)
    records: list[Record] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def lost(self) -> set[tuple[str, int]]:
        """Finished, and not on disk."""
        return self.finished - self.recorded

    def read(self, folder: Path) -> "Outcome":
        """With what is in the files of a folder."""
        for path in sorted(folder.rglob("*.jsonl")):
            self.records += store.read(path, self.notes)
        self.recorded = {(r.case_id, r.repeat) for r in self.records}
        return self


def subjects(folder: Path, *names: str) -> list[Case]:
    """A case of each of SUBJECTS that is named, each of another length."""
    path = folder / "paper.py"
    path.write_text(SUBJECTS)
    return [Case(f"{path}:{name}", T=16 + k, B=1, N=4, mode="inference") for k, name in enumerate(names)]


def run(
    cases: Iterable[Case],
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[int], None] = lambda done: None,
    settings: Settings = QUICK,
) -> Outcome:
    """Measure cases here; `happens` is called before each with the number of those that are done."""
    found, measure = Outcome(), Session.measure

    def watched(self: Session, case: Case, repeat: int = 0, metrics: tuple[str, ...] | None = None) -> Record:
        happens(len(found.finished))
        record = measure(self, case, repeat, metrics)
        found.finished.add((record.case_id, repeat))
        return record

    with monkeypatch.context() as patch:
        patch.setattr(Session, "measure", watched)
        list(runner.run(cases, settings, out))
    return found.read(out.parent)


# the command line, which notes every case that it has finished before anything else can happen to it
DRIVER = """
import os, sys
from spikebench import cli
from spikebench.run.session import Session

finished = sys.argv.pop(1)

def watched(name):
    real = getattr(Session, name)
    def noted(self, *args, **kwargs):
        record = real(self, *args, **kwargs)
        with open(finished, "a") as file:
            for r in record if isinstance(record, list) else [record]:
                print(r.case_id, r.repeat, file=file)
        return record
    setattr(Session, name, noted)

for name in ("block", "train"):
    watched(name)
cli.main()
"""


class Command:
    """`spikebench ARGS` as a process of its own in a folder, which may be signalled."""

    def __init__(
        self,
        folder: Path,
        *args: str,
        env: dict[str, str] | None = None,
        driver: str = DRIVER,
        as_module: bool = False,
    ) -> None:
        self.finished = folder / f"finished-{time.monotonic_ns()}"
        self.finished.touch()
        line = [sys.executable, "-P", "-c", driver, str(self.finished), *args]
        if as_module:
            line = [sys.executable, "-m", "spikebench", *args]
        given = os.environ | {"PYTHONPATH": str(ROOT)} | (env or {})
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(line, cwd=folder, env=given, stdout=pipe, stderr=pipe, text=True)

    def after(self, path: Path, count: int, how: signal.Signals) -> "Command":
        """Send a signal once a file has so many lines."""
        limit = time.monotonic() + 60
        while (path.read_bytes().count(b"\n") if path.exists() else 0) < count:
            assert time.monotonic() < limit and self.process.poll() is None, self.process.communicate()
            time.sleep(0.02)
        self.process.send_signal(how)
        return self

    def ended(self) -> "Ended":
        """Its exit code and what it said."""
        out, err = self.process.communicate(timeout=100)
        return Ended(self.process.returncode, out, err)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def outcome(folder: Path, commands: Sequence[Command]) -> Outcome:
    """What commands finished, and what is in the files of a folder."""
    found = Outcome()
    for command in commands:
        words = [line.split() for line in command.finished.read_text().splitlines()]
        found.finished |= {(case, int(repeat)) for case, repeat in words}
    return found.read(folder)


def alive(text: str) -> list[int]:
    """Processes whose command line contains a text."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(int(path.name))
    return found
