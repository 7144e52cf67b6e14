"""Faults of files, folders, signals and neighbours, met by the command line: what was finished is on disk, and one line says what happened."""

import itertools
import json
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import faulty
import pytest
from faulty import Command

from spikebench.host import clock, cores
from spikebench.records.locks import Locks

Put = Callable[[faulty.Outcome], faulty.Outcome]
SWEEP = [
    "run",
    "--subject",
    "lif@eager",
    "-B",
    "1",
    "-N",
    "4",
    "--samples",
    "3",
    "--metric",
    "latency",
    "--threads",
    "1",
]


def sweep(count: int, *more: str, out: str = "r.jsonl") -> list[str]:
    return [*SWEEP, "-T", ",".join(str(8 + k) for k in range(count)), "--out", out, *more]


def vanish(path: Path) -> None:
    shutil.rmtree(path.parent)


def rewrite(path: Path) -> None:
    path.write_bytes(b" " * path.stat().st_size)


def truncate(path: Path) -> None:
    os.truncate(path, 10)


@pytest.mark.slow
@pytest.mark.parametrize("happens", [vanish, rewrite, truncate])
def test_the_result_file(tmp_path: Path, row: Put, happens: Callable[[Path], None]) -> None:
    """Its folder vanishes, it is rewritten, or it is truncated while a case is measured."""
    out = tmp_path / "deep" / "r.jsonl"
    command = Command(tmp_path, *sweep(5, out="deep/r.jsonl"))
    command.after(out, 2, signal.SIGCONT)
    happens(out)
    ended = command.ended()
    found = faulty.outcome(tmp_path, [command])
    found.notes.clear()  # of the file that was damaged
    row(found)
    assert ended.code == 0 and "the rest goes to" in ended.err, ended.err
    assert len(found.recorded) == 5


@pytest.mark.slow
def test_the_result_file_of_a_comparison_vanishes(tmp_path: Path, row: Put) -> None:
    out = tmp_path / "r.jsonl"
    sizes = ["-T", "8", "-B", "1", "-N", "4", "--samples", "5", "--pairs", "5", "--threads", "1"]
    command = Command(tmp_path, "compare", "lif@eager", "lif@indexed", *sizes, "--out", "r.jsonl")
    command.after(out, 4, signal.SIGCONT)
    out.unlink()
    ended = command.ended()
    row(faulty.outcome(tmp_path, [command]))
    assert ended.code == 0 and "r.jsonl vanished: the rest goes to r-2.jsonl" in ended.err, ended.err


def test_a_read_only_folder(tmp_path: Path, row: Put) -> None:
    """It is said before the first case. root may write anywhere but into the system's own folders."""
    command = Command(tmp_path, *sweep(2, out="/proc/sys/r.jsonl"))
    ended = command.ended()
    found = row(faulty.outcome(tmp_path, [command]))
    assert ended.code == 2 and not found.finished
    assert (
        ended.err.startswith("spikebench: --out /proc/sys/r.jsonl: permission denied") and ended.err.count("\n") == 1
    ), ended.err


FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))\n"


def test_a_full_disk_at_the_start(tmp_path: Path, row: Put) -> None:
    command = Command(tmp_path, *sweep(2), driver=FULL.format(100_000) + faulty.DRIVER)
    ended = command.ended()
    found = row(faulty.outcome(tmp_path, [command]))
    assert ended.code == 2 and not found.finished
    assert ended.err.startswith("spikebench: cannot write r.jsonl: ") and ended.err.count("\n") == 1, ended.err


@pytest.mark.slow
def test_a_disk_that_fills_up(tmp_path: Path, row: Put) -> None:
    """The record that the file has no more space for is kept elsewhere."""
    (tmp_path / "r.jsonl").write_bytes(b"\n" * (2**20 - 8_000))
    kept = tmp_path / "tmp"
    kept.mkdir()
    driver = FULL.format(2**20) + faulty.DRIVER
    command = Command(tmp_path, *sweep(4), driver=driver, env={"TMPDIR": str(kept)})
    ended = command.ended()
    found = row(faulty.outcome(tmp_path, [command]))
    assert ended.code == 2 and found.finished
    assert f"the last record is in {kept}" in ended.err, ended.err
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 2**20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)]
)
def test_a_signal_then_resume(tmp_path: Path, row: Put, how: signal.Signals, code: int) -> None:
    first = Command(tmp_path, *sweep(4)).after(tmp_path / "r.jsonl", 2, how)
    ended = first.ended()
    assert ended.code == code, ended.err
    if how != signal.SIGKILL:
        assert "kept are 2 records in r.jsonl, of 4" in ended.err or "kept are 3" in ended.err, ended.err
    second = Command(tmp_path, *sweep(4, "--resume"))
    assert second.ended().code == 0
    found = row(faulty.outcome(tmp_path, [first, second]))
    assert len(found.records) == len(found.recorded) == 4, "each once"


@pytest.mark.slow
def test_the_runner_is_stopped_for_a_while(tmp_path: Path, row: Put) -> None:
    """As Ctrl-Z does: what its processes have said meanwhile still counts."""
    command = Command(tmp_path, *sweep(4, "--timeout", "6s")).after(tmp_path / "r.jsonl", 1, signal.SIGSTOP)
    time.sleep(9.0)
    command.process.send_signal(signal.SIGCONT)
    assert command.ended().code == 0
    found = row(faulty.outcome(tmp_path, [command]))
    assert [r.status for r in found.records] == ["ok"] * 4, [r.reason for r in found.records]


@pytest.mark.slow
def test_two_that_resume_one_file(tmp_path: Path, row: Put) -> None:
    """Their TMPDIRs differ, as on a cluster."""
    both = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        both.append(Command(tmp_path, *sweep(6, "--resume"), env={"TMPDIR": str(tmp_path / name)}))
    assert [c.ended().code for c in both] == [0, 0]
    found = row(faulty.outcome(tmp_path, both))
    assert len(found.records) == 6, "each was measured once"


MODULES = ("triton", "numba", "select", "queue", "random", "torch", "numpy")
MINE = """
import own
from torch import nn


class Neuron(nn.Module):
    def forward(self, x):
        return own.spikes(x)
"""


@pytest.mark.slow
@pytest.mark.parametrize("started", ["module", "script"])
def test_modules_of_the_working_folder(tmp_path: Path, row: Put, started: str) -> None:
    """None in the place of Python's or of a library's is imported; a helper of the subject is."""
    for name in MODULES:
        (tmp_path / f"{name}.py").write_text(
            f"open({str(tmp_path / 'imported')!r}, 'a').write('{name} ')\nraise SystemExit\n"
        )
    (tmp_path / "own.py").write_text("def spikes(x):\n    return (x > 0.5).to(x.dtype) + 0 * x\n")
    (tmp_path / "mine.py").write_text(MINE)
    more = ["--subject", "mine.py:Neuron", "--subject", "mine:Neuron", "--subject", "lif@cpu"]
    command = Command(tmp_path, *sweep(1, *more, "--json"), as_module=started == "module")
    ended = command.ended()
    found = faulty.outcome(tmp_path, [command])
    if started == "module":
        found.finished = {(r["case_id"], r["repeat"]) for r in json.loads(ended.out or "[]")}
    row(found)
    assert not (tmp_path / "imported").exists(), (tmp_path / "imported").read_text()
    assert ended.code == 0, ended.err
    assert [r.status for r in found.records] == ["ok"] * 4, [r.reason for r in found.records]


@pytest.mark.slow
def test_tmpdir_is_deleted(tmp_path: Path, row: Put) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    command = Command(tmp_path, *sweep(5), env={"TMPDIR": str(temporary)})
    command.after(tmp_path / "r.jsonl", 2, signal.SIGCONT)
    shutil.rmtree(temporary)
    ended = command.ended()
    found = row(faulty.outcome(tmp_path, [command]))
    assert ended.code == 0, ended.err
    assert [r.status for r in found.records] == ["ok"] * 5, [r.reason for r in found.records]
    assert not list(temporary.glob("*")), "nothing is left there"


@pytest.mark.slow
def test_a_subject_deletes_tmpdir(tmp_path: Path, row: Put) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    (tmp_path / "paper.py").write_text(faulty.SUBJECTS)
    names = ["--subject", "paper.py:RemovesTemporary", "--subject", "paper.py:Fine"]
    command = Command(tmp_path, *sweep(2, *names), env={"TMPDIR": str(temporary)})
    ended = command.ended()
    found = row(faulty.outcome(tmp_path, [command]))
    assert ended.code == 0 and (tmp_path / "did-RemovesTemporary").exists(), ended.err
    assert [r.status for r in found.records] == ["ok"] * 6, [r.reason for r in found.records]


@pytest.mark.slow
def test_a_checkpoint_is_damaged(tmp_path: Path, row: Put) -> None:
    """The seed of an interrupted training starts anew, and the file is kept beside the others."""
    asked = ["train", "digits", "--neuron", "lif@eager", "--seeds", "1", "--epochs", "400", "--out", "t.jsonl"]
    asked += ["--recipe", "hidden=4", "--recipe", "batch=512"]
    first = Command(tmp_path, *asked)
    limit = time.monotonic() + 60
    while not (kept := list(tmp_path.rglob("0.pt"))) and time.monotonic() < limit:
        time.sleep(0.02)
    first.process.send_signal(signal.SIGINT)
    assert first.ended().code == 130 and kept
    kept[0].write_bytes(kept[0].read_bytes()[:-300])
    second = Command(tmp_path, *asked, "--resume", "--timeout", "8s")
    ended = second.ended()
    row(faulty.outcome(tmp_path, [first, second]))
    assert "its checkpoint is damaged and was set aside as" in ended.err, ended.err
    assert len(list(tmp_path.rglob("*.damaged"))) == 1


@pytest.mark.long
def test_the_clock_of_the_wall_jumps(tmp_path: Path, row: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = itertools.cycle([0.0, 4e9, 1.0, 2e9])  # Linux has no time before 1970
    monkeypatch.setattr(clock, "wall", lambda: next(jumps))
    settings = replace(faulty.QUICK, budget=300.0)
    found = row(
        faulty.run(faulty.subjects(tmp_path, "Fine", "Fine"), tmp_path / "r.jsonl", monkeypatch, settings=settings)
    )
    assert [r.status for r in found.records] == ["ok", "ok"]


def test_two_runs_have_cores_of_their_own(tmp_path: Path) -> None:
    first, second, third = (Locks(tmp_path) for _ in range(3))
    there = len(os.sched_getaffinity(0))
    taken = cores.own(there - 1, first) | cores.own(1, second)
    assert len(taken) == there
    assert cores.own(1, third) == set()
    second.close()
    assert len(cores.own(1, third)) == 1
    assert cores.own(2, Locks(tmp_path)) == set() and cores.own(1, second) == set(), "what was not enough is given back"
