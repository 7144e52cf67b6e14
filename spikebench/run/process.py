"""The parent's side of its child processes: it starts them, gives them jobs, and kills them after a time limit.

The child's program, `spikebench/worker.py`, is named as text and never imported, so that the parent needs no torch.
"""

import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

from spikebench.host import clock, environment
from spikebench.run.protocol import Job, Outcome, Request, Result


class Line(TypedDict, total=False):
    """What a worker says on its standard output, a line of JSON each."""

    ready: int  # its process id, once it can take a job
    pid: int  # of the process that does the job
    turn: bool  # it asks for its turn
    mark: bool  # a sample comes
    done: bool  # its work is over, and it asks for the number that its result needs
    exit: int
    cpu_seconds: float


SHARED = "/dev/shm"  # a folder in memory, where there is one


class Workers:
    """Fresh worker processes, one job each. `fork` serves them from one that has torch loaded; False starts each anew.

    CUDA cannot be used after a fork: cases on a GPU need fork=False. `more` are further environment variables. With
    `stays` a process that was not forked takes the next job too, as long as its jobs end well: for gates, never for what
    is timed. With `opened` a process has initialised CUDA before it is ready.
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
    ) -> None:
        self.threads, self.fork, self.python, self.more, self.allocator = threads, fork, python, more or {}, allocator
        self._flags = ["--spawn"] * (not fork) + ["--stays"] * stays + ["--opened"] * opened
        self._stays, self.done = stays, 0
        self._server: subprocess.Popen[bytes] | None = None
        self._buffer, self._ready = b"", False
        self._folder = tempfile.TemporaryDirectory(prefix="spikebench-")
        memory = SHARED if os.access(SHARED, os.W_OK) else None
        self._shared = tempfile.TemporaryDirectory(prefix="spikebench-", dir=memory)
        self._nonce, self._marks = "", list[list[float]]()
        self._count = 0
        self._waited = self._worked = 0.0  # seconds while others had their turn, and CPU seconds that the job used then

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server and remove the scratch folder."""
        self._stop()
        self._folder.cleanup()
        self._shared.cleanup()

    def kill(self) -> None:
        """End the server and the job it has, from another thread; the one that waits for the job sees it die."""
        if self._server is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)

    def begin(self) -> None:
        """Start the process that takes the next job, and do not wait until it has loaded what it needs."""
        if self._server is None or self._server.poll() is not None:
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
        `judged` the process leaves what it kept of timed launches in a file, for a JudgeJob.
        """
        self._count += 1
        base = Path(self._folder.name) / str(self._count)
        files = {"result": f"{base}.json", "log": f"{base}.log"}
        evidence = f"{self._shared.name}/{self._count}.evidence" if judged else None
        self._nonce, self._marks = "", []
        started = clock.monotonic()
        pid: int | None = None
        self._waited = self._worked = 0.0
        try:
            server = self._start()
            assert server.stdin is not None
            request = Request(job, files["result"], files["log"], self.threads, turn is not None, evidence)
            self._tell(request.to_json())
            ended = self._line(60.0)
            if ended and (pid := ended.get("pid")):
                ended = self._wait(pid, timeout, watch, Path(files["log"]), turn)
        except BrokenPipeError:
            ended = Line()
        except BaseException:
            self._kill(pid)
            self._stop()
            raise
        if ended is None:
            self._kill(pid)
            self._line(10.0)
            outcome = Outcome("timeout", f"no result after {timeout:g} s" if timeout else "the worker did not answer")
        else:
            outcome = self._ended(ended, Path(files["result"]))
        outcome.log = _tail(Path(files["log"]))
        outcome.wall_seconds = clock.monotonic() - started
        outcome.waited, outcome.worked, outcome.marks = self._waited, self._worked, self._marks
        outcome.evidence = evidence if evidence and Path(evidence).exists() else None
        for path in files.values():
            Path(path).unlink(missing_ok=True)
        self._leave(outcome, pid)
        return outcome

    def _leave(self, outcome: Outcome, pid: int | None) -> None:
        """Let the process stay for the next job where it may, else end it and what it left running."""
        stays = self._stays and outcome.status == "ok"
        self.done = self.done + 1 if stays else 0
        if not stays:
            self._sweep(pid)
            if not self.fork:
                self._stop()

    def _wait(
        self,
        pid: int,
        timeout: float | None,
        watch: Callable[[str], None] | None,
        log: Path,
        turn: Callable[[], float] | None,
    ) -> "Line | None":
        limit = clock.monotonic() + (timeout or float("inf"))
        while (left := limit + self._waited - clock.monotonic()) > 0:
            line = self._line(0.5 if watch else None if left == float("inf") else left)
            if line is None and watch:
                watch(_tail(log))
            elif line is not None and self._answered(line, pid, turn):
                continue
            elif line is not None:
                return line
        return None

    def _answered(self, line: "Line", pid: int, turn: Callable[[], float] | None) -> bool:
        """Answer a process that waits for an answer; False for a line that wants none."""
        if "mark" in line:
            self._mark(pid)
            self._tell({})
        elif "turn" in line and turn:
            before = clock.of_process(pid)[0]
            self._waited += turn()
            self._worked += clock.of_process(pid)[0] - before
            self._tell({})
        elif "done" in line:
            self._mark(pid)
            self._nonce = secrets.token_hex(16)
            self._tell({"nonce": self._nonce})
        else:
            return False
        return True

    def _mark(self, pid: int) -> None:
        """Note what the time is when a sample is announced, how much the process has worked or wanted to, and when it goes on."""
        announced, busy = clock.monotonic(), sum(clock.of_process(pid))
        self._marks.append([announced, clock.monotonic(), busy])

    def _tell(self, line: Mapping[str, object]) -> None:
        if self._server and self._server.stdin:
            self._server.stdin.write((json.dumps(line) + "\n").encode())
            self._server.stdin.flush()

    def _ended(self, ended: "Line", path: Path) -> Outcome:
        """The outcome of a process that is gone: its result, or how it died."""
        code = ended.get("exit")
        if code is None and self._server is not None:
            with suppress(subprocess.TimeoutExpired):
                code = self._server.wait(10)
            self._stop()
        cpu = ended.get("cpu_seconds")
        if path.exists() and code == 0:
            with suppress(ValueError):
                written = json.loads(path.read_text())
                if not self._nonce or written.pop("nonce", None) != self._nonce:
                    return Outcome("failed", "the result was not written by the worker", cpu_seconds=cpu)
                result = Result.from_json(written)
                return Outcome(result.status, result.reason, result, cpu_seconds=cpu)
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in list(signal.Signals) else str(-code)
            hint = " (perhaps by the kernel: out of memory)" if name == "SIGKILL" else ""
            return Outcome("failed", f"the worker was killed by {name}{hint}", cpu_seconds=cpu)
        return Outcome("failed", f"the worker left with exit code {code} and no result", cpu_seconds=cpu)

    def _start(self) -> subprocess.Popen[bytes]:
        server = self._server
        if server is None or (self._ready and server.poll() is not None):
            server = self._spawn()
        if not self._ready:
            if "ready" not in (self._line(120.0) or {}):
                why = _last_line(server)
                self._stop()
                raise RuntimeError(f"the worker did not start: {why}")
            self._ready = True
        return server

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._stop()
        command = [self.python, "-m", "spikebench.worker", *self._flags]
        self._server = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | environment.for_worker(self.threads, self.allocator) | self.more,
            start_new_session=True,
        )
        self._buffer, self._ready = b"", False
        return self._server

    def _stop(self) -> None:
        if self._server is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
            for pipe in (self._server.stdin, self._server.stdout, self._server.stderr):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            self._server = None

    def _kill(self, pid: int | None) -> None:
        if pid is not None:
            for kill in (os.killpg, os.kill):
                with suppress(ProcessLookupError, PermissionError):
                    kill(pid, signal.SIGKILL)

    def _sweep(self, pid: int | None) -> None:
        """Kill what a job left running in its process group; it would take time from the next one."""
        if pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def _line(self, timeout: float | None) -> "Line | None":
        """The server's next line; {} if it is gone; None after the time-out."""
        assert self._server is not None and self._server.stdout is not None
        limit = None if timeout is None else clock.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._server.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                left = None if limit is None else max(0.0, limit - clock.monotonic())
                if not selector.select(left):
                    return None
                data = os.read(self._server.stdout.fileno(), 65536)
                if not data:
                    return {}
                self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)


def _tail(path: Path, size: int = 4000) -> str:
    if not path.exists():
        return ""
    return path.read_bytes()[-size:].decode(errors="replace")


def _last_line(server: subprocess.Popen[bytes]) -> str:
    """The last line a server that did not come up left on stderr."""
    server.kill()
    text = server.stderr.read().decode(errors="replace").strip() if server.stderr else ""
    return text.splitlines()[-1] if text else "it printed nothing"
