"""The program of a child process. It takes one job (gate, measure, train, …) and gives one result: `python -m spikebench.worker`.

A server imports torch once and forks a fresh child for each job, so that every measurement has a process of its own
without paying the import. With `--spawn` it does one job itself, with `--stays` one after the other; with `--opened` it
has initialised CUDA before it says that it is ready. Jobs come as JSON lines on stdin; answers on stdout say which process
does it and how it ended; the result goes to the file the job names.
"""

import gc
import json
import os
import resource
import signal
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch

from spikebench import metric as metrics
from spikebench import registry
from spikebench.host import cgroup
from spikebench.host.traces import adopt, die_with_parent, end_children
from spikebench.run import wanted
from spikebench.run.channel import Channel
from spikebench.run.protocol import Job, JudgeJob, Request
from spikebench.run.zygote import fork_for_each
from spikebench.sampling.perform import perform
from spikebench.verify.snapshot import at_start


def serve(
    fork: bool, stays: bool = False, opened: bool = False, numba: bool = False, zygote: int | None = None
) -> None:
    """Answer jobs until stdin ends. With `zygote`, a socket, forks of this process do so, one for each request on it."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if fork:
        _load_once()
    if numba:
        _load_numba()
    at_start()
    if opened:
        _open_gpu()
    before = _cpu_seconds() if opened else 0.0  # what was spent before the first job is not the job's
    gc.freeze()
    gc.enable()  # start.py has disabled it
    if zygote is not None:
        adopt()
        fork_for_each(zygote)
        die_with_parent()
    if fork:
        adopt()
    channel = Channel(os.fdopen(os.dup(1), "w", buffering=1), 0)  # copies: a job takes 0, 1 and 2 for its own
    channel.tell(ready=os.getpid())
    for line in os.fdopen(os.dup(0)):
        data = json.loads(line)
        if "job" not in data:
            continue  # a turn given to a child that was gone
        job = Request.from_json(data)
        if not fork:
            _child(job, channel, alone=True)
            channel.tell(exit=0, cpu_seconds=_cpu_seconds() - before)
            if not stays:
                os._exit(0)
            continue
        _prepare(job.job)
        pid = os.fork()
        if pid == 0:
            _child(job, channel)
        _, status, usage = os.wait4(pid, 0)
        seconds = usage.ru_utime + usage.ru_stime
        channel.tell(exit=os.waitstatus_to_exitcode(status), cpu_seconds=seconds, left=end_children())


def _load_once() -> None:
    """Load what most jobs need, so that forked children have it. Nothing here may start a thread pool."""
    import_module("torch.fx.experimental.symbolic_shapes")  # torch.autograd.grad loads it at its first call
    for package, load_one in (("metrics", metrics.load), ("neurons", _neuron)):
        for name in registry.names(package):
            load_one(name)


def _prepare(job: Job) -> None:
    """Load what the backend of a job's case requires and takes long, so that the forked child has it.

    The backend itself is never loaded here: it is not to run where later jobs are forked from, and its first call counts it.
    """
    case = None if isinstance(job, JudgeJob) else getattr(job, "case", None)
    if case and wanted.numba(case):
        _load_numba()


@cache
def _load_numba() -> None:
    """Load numba, and its tables of types and functions, which each process would else load at its first kernel: 0.5 s."""
    if find_spec("numba"):
        target = import_module("numba.core.registry").cpu_target
        for context in (target.typing_context, target.target_context):
            context.refresh()
        gc.collect()
        gc.freeze()


def _neuron(name: str) -> None:
    import_module(f"spikebench.neurons.{name}")


def _open_gpu() -> None:
    """Initialise CUDA and load triton, where they are, so that the first job does not wait for them."""
    if torch.cuda.is_available():
        torch.zeros(1, device="cuda")
    if find_spec("triton"):
        import_module("triton")


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _child(asked: Request, channel: Channel, alone: bool = False) -> None:
    """Do a job in this process, write its result, and leave without clean-up.

    Who is `alone`, with no server above, comes back and says itself how it ended.
    """
    if asked.cgroup:
        cgroup.join(asked.cgroup)
    channel.tell(pid=os.getpid())
    if os.getsid(0) != os.getpid():
        os.setsid()
    adopt()
    die_with_parent()
    try:
        log = os.open(asked.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    except OSError:  # somebody has just removed the folder
        log = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    result = perform(asked, channel)
    unfinished = Path(asked.result + ".part")
    unfinished.parent.mkdir(0o700, parents=True, exist_ok=True)  # somebody may have removed it
    unfinished.write_text(json.dumps(result.to_json() | {"nonce": channel.nonce()}), encoding="utf-8")
    unfinished.rename(asked.result)
    sys.stdout.flush()
    sys.stderr.flush()
    if not alone:
        os._exit(0)


if __name__ == "__main__":
    sockets = [int(flag.removeprefix("--zygote=")) for flag in sys.argv if flag.startswith("--zygote=")]
    serve("--spawn" not in sys.argv, "--stays" in sys.argv, "--opened" in sys.argv, "--numba" in sys.argv, *sockets)
