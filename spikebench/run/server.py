"""A child process that does jobs, or has them done by children of its own, as its parent sees it: what it is told and says.

Whoever is silent is looked at. A server that is stopped, hung or gone says nothing of a job that has ended: then the system
is asked how it ended, and the server is of no use any more.
"""

import json
import os
import selectors
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TypedDict, cast

from spikebench.host import clock, processes
from spikebench.run.printed import Printed
from spikebench.run.zygote import BEAT, Forked

SILENT = 5.0  # seconds that a server may sleep when it has to answer
LONGEST = 2**20  # bytes of a line


class Line(TypedDict, total=False):
    """What a worker says on its standard output, a line of JSON each; the last two are what the parent found out itself."""

    ready: int  # its process id, once it can take a job
    pid: int  # of the process that does the job
    turn: bool  # it asks for its turn
    draw: str  # it asks for a seed, and says for what: see Drawn
    event: list[str | int] | None  # what its clock read before that
    kept: str  # the digest of what it has copied of a launch
    done: bool  # its work is over, and it asks for the number that its result needs
    exit: int
    cpu_seconds: float
    left: int  # processes that the job left running, which were ended
    stopped: bool  # somebody has stopped the process that does the job
    garbled: bool  # what came is no line of this kind


class Server:
    """One process. A child of it does each job, or it does them itself."""

    def __init__(self, process: "subprocess.Popen[bytes] | Forked") -> None:
        self.process = process
        self.ready, self.usable = False, True
        self.job: int | None = None  # the process that does the job it has
        self.absent = 0.0  # seconds in which this process itself was stopped
        self._buffer, self._looked = b"", clock.monotonic()
        self._symptom, self._since, self._cpu = "", 0.0, -1.0

    @staticmethod
    def start(command: Sequence[str], env: Mapping[str, str]) -> "Server":
        """A process that a command starts."""
        pipe = subprocess.PIPE
        return Server(
            subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=env, start_new_session=True, bufsize=0)
        )

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    @property
    def talkative(self) -> bool:
        """Whether it has said something that nobody asked for: a job has spoken in its name."""
        return bool(self._buffer) or bool(_readable(self.process))

    def tell(self, line: Mapping[str, object]) -> None:
        """Say a line to the process. Raises BrokenPipeError if it is gone."""
        assert self.process.stdin is not None
        left = (json.dumps(line) + "\n").encode()
        while left:
            left = left[self.process.stdin.write(left) or 0 :]

    def hear(self, timeout: float | None, printed: Printed | None = None) -> Line | None:
        """The next line; {} if the server is of no use any more; None after the time-out. What a job prints is read meanwhile."""
        limit = float("inf") if timeout is None else clock.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            assert self.process.stdout is not None
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if printed is not None:
                selector.register(printed, selectors.EVENT_READ, printed)
            while b"\n" not in self._buffer:
                before = clock.monotonic()
                ready = selector.select(max(0.0, min(limit - before, BEAT)))
                now = clock.monotonic()
                if (beyond := now - before - 2 * BEAT) > 0:
                    self.absent, limit = self.absent + beyond, limit + beyond
                for key, _ in ready:
                    if key.data is not None:
                        key.data.take()
                    elif not self._read():
                        return {}
                if now - self._looked >= BEAT and b"\n" not in self._buffer:
                    self._looked = now
                    if (found := self._look(now)) is not None:
                        return found
                if now >= limit and b"\n" not in self._buffer:
                    return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        self._symptom = ""
        return _line(line)

    def _read(self) -> bool:
        """Read what the process says; False when it has ended."""
        assert self.process.stdout is not None
        data = os.read(self.process.stdout.fileno(), 65536)
        self._buffer += data
        if len(self._buffer) > LONGEST and b"\n" not in self._buffer:
            self._buffer = b"too long\n"
        return bool(data)

    def _look(self, now: float) -> Line | None:
        """What a look at the silent processes gives, once the same has been seen for long enough."""
        symptom, patience = self._symptoms()
        if symptom != self._symptom:
            self._symptom, self._since = symptom, now
        if not symptom or now - self._since < patience:
            return None
        if symptom == "the job is stopped":
            return {"stopped": True}
        self.usable = False
        job = processes.seen(self.job) if self.job is not None else None
        if job is not None and job.over:
            return {"exit": os.waitstatus_to_exitcode(job.ended), "cpu_seconds": job.cpu_seconds}
        return {}

    def _symptoms(self) -> tuple[str, float]:
        """What is wrong with the process or with that of its job, if anything, and for how many seconds that may be so."""
        server = processes.seen(self.pid)
        if server is None or server.over:
            return "the server is gone", BEAT
        asleep = self.ready and server.state == "S" and server.cpu_seconds == self._cpu
        self._cpu = server.cpu_seconds
        if self.job is None:
            return ("the server is stopped", BEAT) if server.stopped else ("it sleeps" if asleep else "", SILENT)
        job = processes.seen(self.job)
        if job is None or job.over:
            return "the job has ended", BEAT if server.stopped else SILENT
        return "the job is stopped" if job.stopped else "", BEAT

    def ours(self, pid: int) -> bool:
        """Whether a process is this one or a child of it. A job may say any number."""
        found = processes.seen(pid)
        return found is not None and self.pid in (pid, found.parent)

    def kill(self) -> None:
        """End the process and all below it, also what has a session of its own."""
        below = processes.below(self.pid)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        processes.end(below)

    def end(self) -> None:
        """End the process and close the pipes to it."""
        self.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def last_words(self) -> str:
        """The last line that a process which did not come up left on stderr."""
        self.kill()
        text = self.process.stderr.read().decode(errors="replace").strip() if self.process.stderr else ""
        return text.splitlines()[-1] if text else "it printed nothing"


def _readable(process: "subprocess.Popen[bytes] | Forked") -> list[object]:
    with selectors.DefaultSelector() as selector:
        assert process.stdout is not None
        selector.register(process.stdout, selectors.EVENT_READ)
        return list(selector.select(0))


def _line(text: bytes) -> Line:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {"garbled": True}
    plain = (
        isinstance(found, dict)
        and found
        and all(isinstance(v, int | float | str | list | None) for v in found.values())
    )
    return cast(Line, found) if plain else {"garbled": True}
