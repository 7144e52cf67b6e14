"""The pool of one machine starts the processes of a block beside each other."""

import contextlib
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from spikebench.cases.case import Case
from spikebench.host import clock
from spikebench.run.pool import Fresh
from spikebench.run.process import Workers
from spikebench.run.protocol import GateJob, Outcome
from spikebench.run.server import Line, Server
from spikebench.run.settings import Settings
from spikebench.run.zygote import Zygote

# in a worker's place: it is ready once another one has started, too
FAKE = """#!/bin/sh
touch "{folder}/started.$$"
tries=0
while [ "$(ls "{folder}" | grep -c started)" -lt 2 ]; do
    tries=$((tries + 1)); [ $tries -gt 100 ] && exit 1
    sleep 0.05
done
echo '{{"ready": 1}}'
exec cat > "{folder}/asked.$$"
"""


def test_processes_of_two_interpreters_load_at_the_same_time(tmp_path: Path) -> None:
    folder = tmp_path / "seen"
    folder.mkdir()
    for name in ("python", "other"):
        (tmp_path / name).write_text(FAKE.format(folder=folder))
        (tmp_path / name).chmod(0o755)
    pool = Fresh(Settings(python={"eager": str(tmp_path / "python"), "indexed": str(tmp_path / "other")}))
    try:
        pool.begin([Case("lif@eager"), Case("lif@indexed")])
        end = clock.monotonic() + 10
        while len(list(folder.glob("asked.*"))) < 2 and clock.monotonic() < end:
            time.sleep(0.02)
        assert len(list(folder.glob("started.*"))) == len(list(folder.glob("asked.*"))) == 2  # none was started twice
    finally:
        pool.close()


COLLECTED = """
import gc
from torch import nn

class Collected(nn.Module):
    def forward(self, x):
        assert gc.isenabled() and gc.get_freeze_count() > 1e5
        return (x >= 1).to(x.dtype) + (x - x.detach())
"""


def _parent(workers: Workers) -> int:
    server = workers._start()
    return psutil.Process(server.pid).ppid()


@pytest.mark.long
def test_the_servers_of_a_block_are_forked_from_one_process(tmp_path: Path) -> None:
    pool, cases = Fresh(Settings()), [Case("lif@eager"), Case("lif@indexed")]
    before = set(psutil.Process().children())
    try:
        pool.begin(cases)
        pool.prepare(cases)
        first, second = (pool._workers_for(case, place) for place, case in enumerate(cases))
        parents = {psutil.Process(w._start().pid).parent() for w in (first, second)}
        assert len(parents) == 1
        assert parents.pop() in psutil.Process().children()
        bound = [os.sched_getaffinity(w._start().pid) for w in (first, second)]
        assert bound == [{min(os.sched_getaffinity(0))}] * 2, "OpenMP has bound them, and nobody has let them loose"
        job = GateJob(Case("lif@eager", T=2, B=1, N=2))
        assert [w.ask(job).status for w in (second, first, second)] == ["ok"] * 3  # each has pipes of its own
        (tmp_path / "mine.py").write_text(COLLECTED)
        mine = GateJob(Case(f"{tmp_path}/mine.py:Collected", T=2, B=1, N=2))
        assert second.ask(mine).status == "ok", "Python looks for garbage again when all is loaded"
        first.kill()
        assert [w.ask(job).status for w in (second, first)] == ["ok"] * 2  # and one that is gone is forked again
    finally:
        pool.close()
    assert set(psutil.Process().children()) <= before


@pytest.mark.long
def test_without_an_answer_of_the_zygote_a_server_is_started() -> None:
    with contextlib.closing(Zygote(["sleep", "100"], {})) as zygote:
        zygote._patience = 0.1
        assert zygote.fork() is None
        with Workers(1, zygote=zygote) as workers:
            assert psutil.Process(workers._start().pid).ppid() == os.getpid()


class Deaf(Server):
    """A server without a process."""

    def __init__(self) -> None:
        self.job = 1

    def tell(self, line: Mapping[str, object]) -> None:
        """Nobody hears it."""


@pytest.mark.parametrize(("busy", "disturbs"), [(0.008, False), (0.2, True)])
def test_threads_that_fall_asleep_disturb_nobody(monkeypatch: pytest.MonkeyPatch, busy: float, disturbs: bool) -> None:
    used = itertools.count()
    monkeypatch.setattr(clock, "of_process", lambda _: (busy * next(used), 0.0))
    with Workers(1) as workers:
        for _ in range(20):
            workers._answered(Line(turn=True), Deaf(), lambda: 0.03)
        assert Outcome("ok", waited=workers._waited, worked=workers._worked).disturbing == disturbs


@pytest.mark.long
def test_numba_is_loaded_before_a_fork_without_a_thread_and_without_the_backend() -> None:
    code = (
        "import os, sys; from spikebench import worker; from spikebench.cases.case import Case;"
        "from spikebench.run.protocol import GateJob, JudgeJob;"
        "here = lambda: (len(os.listdir('/proc/self/task')), {m for m in sys.modules if m.startswith('spikebench')});"
        "job = GateJob(Case('lif@cpu')); before = here(); worker._prepare(JudgeJob(job.case, '', None, [], 1, []));"
        "print('numba' in sys.modules); worker._prepare(job);"
        "print('numba.np.arraymath' in sys.modules, here() == before)"
    )
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # its threads are ended before a fork, and made again
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.split() == ["False", "True", "True"], "the judge needs none of it"
