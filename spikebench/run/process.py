"""The parent's side of its child processes: it starts them, gives them jobs, and kills them after a time limit.

The child's program, `spikebench/worker.py`, is named as text and never imported, so that the parent needs no torch.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from spikebench.errors import Problem
from spikebench.host import clock, cores, environment, processes
from spikebench.host.cgroup import Group
from spikebench.host.scratch import Scratch
from spikebench.run.printed import Printed
from spikebench.run.protocol import Drawn, Job, Outcome, Request, Result
from spikebench.run.server import Line, Server
from spikebench.run.zygote import Zygote

FALL_ASLEEP = 0.01  # CPU seconds that idle threads of GNU OpenMP wait in a busy loop after a call: some 7 ms
STARTS = 2  # of a server that does not come up


class Workers:
    """Fresh worker processes, one job each. `fork` serves them from one that has torch loaded; False starts each anew.

    CUDA cannot be used after a fork: cases on a GPU need fork=False. `more` are further environment variables. With
    `stays` a process that was not forked takes the next job too, as long as its jobs end well: for gates, never for what
    is timed. With `opened` a process has initialised CUDA before it is ready. With a `zygote` the server is forked from it.
    `cores` are the only ones that processes may use. `sampling` is told of a job whose first sample comes.
    """

    def __init__(
        self,
        threads: int,
        fork: bool = True,
        python: str = sys.executable,
        more: dict[str, str] | None = None,
        allocator: str = "kept",
        stays: bool = False,
        opened: bool = False,
        zygote: "Zygote | None" = None,
        cores: Collection[int] = (),
        sampling: Callable[[Job], None] = lambda _: None,
    ) -> None:
        self.threads, self.fork, self.python, self.more, self.allocator = threads, fork, python, more or {}, allocator
        self._flags = ["--spawn"] * (not fork) + ["--stays"] * stays + ["--opened"] * opened
        self._stays, self.done, self._zygote, self._cores, self._sampling = stays, 0, zygote, cores, sampling
        self._server: Server | None = None
        self._scratch, self._shared = Scratch(), Scratch(memory=True)
        self._nonce, self._marks, self._draws = "", list[list[float]](), list[Drawn]()
        self._count = 0
        self._job: Job | None = None
        self._ran_on = list[int]()
        self._waited = self._worked = 0.0  # seconds while others had their turn, and CPU seconds that the job used then

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server and remove the scratch folders."""
        self._stop()
        self._scratch.close()
        self._shared.close()

    def kill(self) -> None:
        """End the server and the job it has, from another thread; the one that waits for the job sees it die."""
        if self._server is not None:
            self._server.kill()

    def begin(self) -> None:
        """Start the process that takes the next job, and do not wait until it has loaded what it needs."""
        if self._zygote is None and (self._server is None or self._server.gone):
            self._spawn()

    def prepare(self) -> None:
        """Start the process that takes the next job, so that it has loaded what it needs when the job comes."""
        self._start()

    def ask(
        self,
        job: Job,
        timeout: float | None = None,
        watch: Callable[[str], None] | None = None,
        turn: Callable[[], float] | None = None,
        judged: bool = False,
    ) -> Outcome:
        """Do one job in a fresh process. A crash, a kill and a time-out are outcomes, not errors.

        `watch` is called twice a second with the end of what the job has printed. With `turn` the process asks before it
        works, and in between; `turn` comes back when it may, with the seconds that took, which are not the job's. With
        `judged` the process leaves what it kept of timed launches in a file, for a JudgeJob. If the server was killed,
        stopped or hung, or the process of the job was stopped by somebody, the job is asked once more.
        """
        outcome = self._ask(job, timeout, watch, turn, judged)
        if outcome.disturbed:
            outcome = replace(self._ask(job, timeout, watch, turn, judged), repeated=True)
        return outcome

    def _ask(
        self,
        job: Job,
        timeout: float | None,
        watch: Callable[[str], None] | None,
        turn: Callable[[], float] | None,
        judged: bool,
    ) -> Outcome:
        self._count += 1
        result = self._scratch.file(f"{self._count}.json")
        evidence = str(self._shared.file(f"{self._count}.evidence")) if judged else None
        self._nonce, self._marks, self._draws = "", [], []
        self._waited = self._worked = 0.0
        self._ran_on = list[int]()
        printed, started = Printed(self._scratch.file(f"{self._count}.log")), clock.monotonic()
        server: Server | None = None
        group = None if self._stays else Group.made()  # who stays for the next job has nothing that is to end
        try:
            server = self._start()
            server.job = None
            folder = str(group.folder) if group else None
            request = Request(job, str(result), str(printed.path), self.threads, turn is not None, evidence, folder)
            outcome = self._done(server, request, timeout, watch, turn, printed)
        except BaseException:
            self._stop()
            raise
        finally:
            printed.close()
            left = group.end() if group else 0
        outcome.left += left
        outcome.log, outcome.printed = printed.text(), printed.count
        outcome.wall_seconds = clock.monotonic() - started
        outcome.waited, outcome.worked, outcome.cores = self._waited, self._worked, self._ran_on
        outcome.marks, outcome.draws = self._marks, self._draws
        outcome.evidence = evidence if evidence and Path(evidence).exists() else None
        result.unlink(missing_ok=True)
        self._leave(outcome, server)
        return outcome

    def _done(
        self,
        server: Server,
        request: Request,
        timeout: float | None,
        watch: Callable[[str], None] | None,
        turn: Callable[[], float] | None,
        printed: Printed,
    ) -> Outcome:
        """Give the server a job, and wait for its end."""
        try:
            server.tell(request.to_json())
            ended = server.hear(60.0, printed)
            pid = ended.get("pid") if ended else None
            if pid is None or not server.ours(pid):
                server.usable = False
                return Outcome("failed", "the server of the worker did not answer", disturbed=True)
            server.job = pid
            self._job = request.job
            ended = self._wait(server, timeout, watch, printed, turn)
        except BrokenPipeError:
            ended = Line()
        if ended is None:
            self._kill(server.job)
            server.usable = "exit" in (server.hear(10.0, printed) or {}) and server.usable
            return Outcome("timeout", f"no result after {timeout:g} s" if timeout else "the worker did not answer")
        return self._ended(server, ended, Path(request.result))

    def _leave(self, outcome: Outcome, server: Server) -> None:
        """Let the process stay for the next job where it may, else end it and what it left running."""
        stays = self._stays and outcome.status == "ok"
        self.done = self.done + 1 if stays else 0
        if not stays and server.job is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(server.job, signal.SIGKILL)  # what it left running would take time from the next one
        if not server.usable or not (stays or self.fork):
            self._stop()

    def _wait(
        self,
        server: Server,
        timeout: float | None,
        watch: Callable[[str], None] | None,
        printed: Printed,
        turn: Callable[[], float] | None,
    ) -> Line | None:
        limit, absent = clock.monotonic() + (timeout or float("inf")), server.absent
        while (left := limit + self._waited + server.absent - absent - clock.monotonic()) > 0:
            line = server.hear(0.5 if watch else None if left == float("inf") else left, printed)
            if line is None and watch:
                watch(printed.text())
            elif line is not None and self._answered(line, server, turn):
                continue
            elif line is not None:
                return line
        return None

    def _answered(self, line: Line, server: Server, turn: Callable[[], float] | None) -> bool:
        """Answer a process that waits for an answer; False for a line that wants none."""
        pid = server.job or 0
        if "draw" in line:
            server.tell({"seed": self._drawn(pid, line)})
        elif "kept" in line:
            self._draws.append(Drawn("kept", digest=str(line["kept"]), at=clock.monotonic()))
        elif "turn" in line and turn:
            before = clock.of_process(pid)[0]
            self._waited += turn()
            self._worked += max(0.0, clock.of_process(pid)[0] - before - FALL_ASLEEP)
            server.tell({})
        elif "done" in line:
            self._mark(pid)
            self._ran_on = cores.of_process(pid)
            self._nonce = secrets.token_hex(16)
            server.tell({"nonce": self._nonce})
        else:
            return False
        return True

    def _drawn(self, pid: int, line: Line) -> str:
        """Draw a seed that nobody in the process can know before it asks, and note what it is for."""
        what = str(line.get("draw"))
        if what == "sample" and not self._marks and self._job is not None:
            self._sampling(self._job)
        seed, at, held_up = secrets.token_hex(16), clock.monotonic(), clock.held_up(pid)
        if what == "sample":
            self._mark(pid)
        self._draws.append(Drawn(what, seed, line.get("event"), at=at, held_up=held_up))
        return seed

    def _mark(self, pid: int) -> None:
        """Note what the time is when a sample is announced, how much the process has worked or wanted to, and when it goes on."""
        announced, busy = clock.monotonic(), sum(clock.of_process(pid))
        self._marks.append([announced, clock.monotonic(), busy])

    def _ended(self, server: Server, ended: Line, path: Path) -> Outcome:
        """The outcome of a process that is gone: its result, or how it died."""
        if "stopped" in ended:
            server.usable = False
            return Outcome("failed", "somebody stopped the process of the worker (SIGSTOP)", disturbed=True)
        code = ended.get("exit")
        if code is not None and server.job is not None and _alive(server, self.fork):
            code, ended = None, Line(garbled=True)
        if "garbled" in ended or (ended and code is None):
            server.usable = False
            return Outcome(
                "failed", "the process of the worker wrote on the pipe to its parent what is no message of ours"
            )
        crashed = self.fork and code is None  # the server, and not the job
        if code is None:
            server.usable = False
            with suppress(subprocess.TimeoutExpired):
                code = server.process.wait(10)
            if self._zygote is not None:
                self._zygote.end_strays()
        cpu, left = ended.get("cpu_seconds"), ended.get("left", 0)
        if path.exists() and code == 0:
            with suppress(ValueError):
                written = json.loads(path.read_text(encoding="utf-8"))
                if not self._nonce or written.pop("nonce", None) != self._nonce:
                    return Outcome("failed", "the result was not written by the worker", cpu_seconds=cpu, left=left)
                result = Result.from_json(written)
                return Outcome(result.status, result.reason, result, cpu_seconds=cpu, left=left)
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in list(signal.Signals) else str(-code)
            hint = " (perhaps by the kernel: out of memory)" if name == "SIGKILL" else ""
            return Outcome("failed", f"the worker was killed by {name}{hint}", cpu_seconds=cpu, disturbed=crashed)
        reason = f"the worker left with exit code {code} and no result"
        if crashed and code is None:  # it was no child of this process, so that nobody knows more
            reason = "the server of the worker ended during the job, as after SIGKILL or where memory runs out"
        return Outcome("failed", reason, cpu_seconds=cpu, disturbed=crashed)

    def _start(self) -> Server:
        """The server, once it can take a job. Raises Problem if none comes up."""
        why = ""
        for _ in range(STARTS):
            server = self._server
            if server is None or (server.ready and (server.gone or server.talkative)):
                server = self._spawn()  # what a job said in the server's name would be taken for its answer
            if server.ready or "ready" in (server.hear(120.0) or {}):
                server.ready = True
                return server
            why = server.last_words()
            self._stop()
        raise Problem(f"the worker did not start: {why}; try {' '.join(program(self.python))}")

    def _spawn(self) -> Server:
        self._stop()
        forked = self._zygote and self._zygote.fork()
        if forked is not None:
            self._server = Server(forked)
        else:
            env = environment.for_worker(self.threads, self.allocator) | self.more
            with cores.only(self._cores):
                self._server = Server.start([*program(self.python, not self.fork), *self._flags], os.environ | env)
        return self._server

    def _stop(self) -> None:
        if self._server is not None:
            self._server.end()
            self._server = None

    def _kill(self, pid: int | None) -> None:
        """Kill a job's process and its group."""
        if pid is not None:
            for kill in (os.killpg, os.kill):
                with suppress(ProcessLookupError, PermissionError):
                    kill(pid, signal.SIGKILL)


def program(python: str, guarded: bool = False) -> list[str]:
    """The command of a worker in an interpreter; `guarded` as guard.py does it."""
    return [python, "-m", "spikebench.run.guard" if guarded else "spikebench.run.start", "spikebench.worker"]


def _alive(server: Server, fork: bool) -> bool:
    """Whether the process of a job that is said to have ended is still there: it said so itself."""
    found = processes.seen(server.job or 0) if fork else None
    return found is not None and not found.over and found.parent == server.pid
