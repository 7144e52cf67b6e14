"""Forty cases on two pretend accelerators: one flaky, one that kills its worker, the run killed and taken up again."""

import itertools
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import commands
import pytest

from spikebench.records import store
from spikebench.records.record import Record

HERE = Path(__file__).parents[2]
SUBJECTS = """
import os, signal
from pathlib import Path
import psutil
from torch import nn


class Fine(nn.Module):
    def forward(self, x):
        return (x > 0.5).to(x.dtype) + 0 * x


def first(name):
    try:
        Path(__file__).with_name(name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class Flaky(Fine):
    def forward(self, x):
        if first("flaky"):
            raise OSError("not today")
        return super().forward(x)


class Killer(Fine):
    def forward(self, x):
        if first("killed"):
            line = psutil.Process().parents()
            ours = [k for k, p in enumerate(line) if "spikebench.worker" in p.cmdline()]
            os.kill(line[ours[-1] + 1].pid, signal.SIGKILL)
        return super().forward(x)
"""
SCRIPT = """
import sys
from pathlib import Path
from spikebench.cases.case import Case
from spikebench.run.cluster import Cluster
from spikebench.run.runner import run
from spikebench.run.settings import Settings

paper, out = sys.argv[1:3]
names = ["Flaky", "Killer"] + ["Fine"] * 38
cases = [Case(f"{paper}:{name}", T=8 + k, B=1, N=4, mode="inference") for k, name in enumerate(names)]
settings = Settings(metrics=("latency",), samples=3, threads=1)
print(len(list(run(cases, settings, Path(out), resume=True, executor=Cluster(settings, ["0", "1"])))))
"""


@pytest.mark.timeout(300)
@pytest.mark.skipif(find_spec("parsl") is None, reason="parsl is not installed: pip install 'spikebench[cluster]'")
def test_forty_cases_killed_and_resumed_are_forty_records_and_no_accelerator_is_shared(tmp_path: Path) -> None:
    (tmp_path / "paper.py").write_text(SUBJECTS)
    out = tmp_path / "r.jsonl"
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "paper.py"), str(out)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": HERE}
    process = subprocess.Popen(command, **quiet)  # pyright: ignore[reportCallIssue, reportArgumentType]
    deadline = time.monotonic() + 120
    while (out.read_bytes().count(b"\n") if out.exists() else 0) < 15 and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = list(store.read(out))
    assert 15 <= len(before) < 40
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    notes: list[str] = []
    records = list(store.read(out, notes))
    assert int(done.stdout) == 40 - len(before)
    assert (len(records), len({r.case_id for r in records}), notes) == (40, 40, [])
    assert {r.status for r in records} == {"ok"}, [r.reason for r in records]
    assert (tmp_path / "flaky").exists()
    assert (tmp_path / "killed").exists()
    assert_no_overlap(records)


def assert_no_overlap(records: list[Record]) -> None:
    """Each accelerator measured one case at a time."""
    spans: dict[str, list[tuple[float, float]]] = {}
    for r in records:
        e: Any = r.environment
        spans.setdefault(e["accelerator"], []).append((e["started"], e["ended"]))
    assert set(spans) == {"0", "1"}
    for found in spans.values():
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(sorted(found)))


def test_an_executor_that_is_not_there_is_one_line() -> None:
    for name, said in (
        ("ray", "--executor: there is no 'ray'; there are local, parsl"),
        ("parsl", "pip install 'spikebench[cluster]'"),
    ):
        if name == "parsl" and find_spec("parsl"):
            continue
        done = commands.run("run", "--subject", "lif", "--executor", name)
        assert done.returncode == 2
        assert said in done.stderr.replace("\n", " ")
