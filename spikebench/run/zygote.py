"""A zygote: a process that has loaded what servers of workers need. They are forked from it, and load nothing."""

import os
import selectors
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from spikebench.host import clock, processes

POSSIBLE = hasattr(os, "pidfd_open") and hasattr(socket, "send_fds")  # Linux
LOADS, FORKS = 120.0, 5.0  # seconds that it may take to load, and after that to fork
BEAT = 1.5  # seconds of silence after which a process is looked at


class Forked:
    """What `subprocess.Popen` is of a child, for a process that the zygote has forked."""

    stderr: IO[bytes] | None = None

    def __init__(self, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self._process = os.fdopen(os.pidfd_open(pid), "rb", buffering=0)

    def poll(self) -> int | None:
        """None while it runs, and 0 after that."""
        return 0 if self._over(0.0) else None

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit code, as long as the zygote has not let it go, or None. Raises TimeoutExpired."""
        if not self._over(timeout):
            raise subprocess.TimeoutExpired("a forked server", timeout or 0.0)
        found = processes.seen(self.pid)
        return os.waitstatus_to_exitcode(found.ended) if found and found.over else None

    def _over(self, timeout: float | None) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._process, selectors.EVENT_READ)
            return bool(selector.select(timeout))


class Zygote:
    """A process that loads once, started with a command, and the servers that are forked from it."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*command, f"--zygote={theirs.fileno()}"],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )
        self._patience, self._one, self._forked = LOADS, threading.Lock(), set[int]()

    def fork(self) -> Forked | None:
        """A server; None, now and from then on, if the zygote does not answer."""
        with self._one:
            return self._fork() if self._process is not None else None

    def _fork(self) -> Forked | None:
        reads, stdin = os.pipe()
        stdout, writes = os.pipe()
        try:
            self._socket.settimeout(BEAT)
            socket.send_fds(self._socket, [b"1"], [reads, writes])
            pid, self._patience = self._answer(), FORKS
            self._forked.add(pid)
            return Forked(pid, os.fdopen(stdin, "wb", buffering=0), os.fdopen(stdout, "rb", buffering=0))
        except (OSError, ValueError):
            os.close(stdin)
            os.close(stdout)
            self.close()
            return None
        finally:
            os.close(reads)
            os.close(writes)

    def _answer(self) -> int:
        """The process that it has forked. Raises TimeoutError if it does not say so in time, or somebody has stopped it."""
        assert self._process is not None
        limit, stopped = clock.monotonic() + self._patience, 0
        while True:
            try:
                return int(self._socket.recv(32))
            except TimeoutError:
                now = processes.seen(self._process.pid)
                stopped = stopped + 1 if now is None or now.stopped else 0
                if stopped > 1 or clock.monotonic() > limit:
                    raise

    def end_strays(self) -> None:
        """End what came to it from servers that are gone: what their jobs had left running."""
        if self._process is not None:
            below = processes.below(self._process.pid)
            processes.end([p for p in below if not self._forked & {p.pid, *processes.above(p)}])

    def close(self) -> None:
        """End it, and what is below it."""
        if self._process is not None:
            below = processes.below(self._process.pid)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            processes.end(below)
            self._process.wait()
            self._process = None
            self._socket.close()


def fork_for_each(requests: int) -> None:
    """Answer requests that come over a socket with forks; come back in each fork, whose standard input and output came along."""
    channel = socket.socket(fileno=requests)
    while True:
        asked, pipes, _, _ = socket.recv_fds(channel, 1, 2)
        if not asked:
            os._exit(0)
        with suppress(ChildProcessError):  # those that have ended meanwhile
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        pid = os.fork()
        if pid == 0:
            break
        for pipe in pipes:
            os.close(pipe)
        channel.send(str(pid).encode())
    channel.close()
    os.setsid()
    for place, pipe in enumerate(pipes):
        os.dup2(pipe, place)
        os.close(pipe)
