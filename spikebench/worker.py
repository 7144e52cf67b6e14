"""The program of a child process. It takes one job (gate, measure, train, …) and gives one result: `python -m spikebench.worker`.

A server imports torch once and forks a fresh child for each job, so that every measurement has a process of its own
without paying the import. With `--spawn` it does one job itself, with `--stays` one after the other; with `--opened` it
has initialised CUDA before it says that it is ready. Jobs come as JSON lines on stdin; answers on stdout say which process
does it and how it ended; the result goes to the file the job names.
"""

import ctypes
import gc
import json
import math
import os
import resource
import signal
import sys
import traceback
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

import torch

from spikebench import metric as metrics
from spikebench import registry
from spikebench import task as tasks
from spikebench.backend import Refused, module
from spikebench.cases.case import Case, Layer, NetworkStep, Training, expect
from spikebench.cases.subject import parse_subject
from spikebench.errors import Problem
from spikebench.host.clock import Clock, CpuClock, CudaClock, NotAhead
from spikebench.host.traces import Traces, adopt, die_with_parent, end_children
from spikebench.loading import pickles
from spikebench.loading.subject import definition, find_way, load
from spikebench.metric import Plan, Running
from spikebench.records.flags import Flag
from spikebench.records.record import Measurement
from spikebench.run.protocol import (
    CheckJob,
    CheckResult,
    FoundWay,
    GateJob,
    Job,
    JudgeJob,
    MeasureJob,
    ObserveJob,
    Request,
    Result,
    TraceJob,
    TrainJob,
    WayJob,
)
from spikebench.run.zygote import fork_for_each
from spikebench.sampling.observe import observe
from spikebench.sampling.profiler import trace
from spikebench.sampling.timed import Timed
from spikebench.sampling.timed_network import TimedNetwork
from spikebench.sampling.timed_training import TimedTraining
from spikebench.verify import judged_network, network_gate
from spikebench.verify.as_drawn import forged, slowed
from spikebench.verify.check import checks
from spikebench.verify.evidence import Choice, Evidence
from spikebench.verify.gate import gate
from spikebench.verify.judged import Judged, asleep, judged, outside
from spikebench.verify.snapshot import Snapshot
from spikebench.workloads import network as network_workload
from spikebench.workloads.layer import Workload, build
from spikebench.workloads.training import Epoch, Run, recipe_of, train

PR_SET_THP_DISABLE = 41
COPIES = 5
BEYOND = 5e-4  # seconds that a synchronisation may take to come back
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4


def serve(fork: bool, stays: bool = False, opened: bool = False, zygote: int | None = None) -> None:
    """Answer jobs until stdin ends. With `zygote`, a socket, forks of this process do so, one for each request on it."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if fork:
        _load_once()
    _snapshot()
    if opened:
        _open_gpu()
    before = _cpu_seconds() if opened else 0.0  # what was spent before the first job is not the job's
    gc.collect()
    gc.freeze()
    if zygote is not None:
        adopt()
        fork_for_each(zygote)
        die_with_parent()
    if fork:
        adopt()
    say, heard = os.fdopen(os.dup(1), "w", buffering=1), os.dup(0)  # a job takes 0, 1 and 2 for its own
    print(json.dumps({"ready": os.getpid()}), file=say)
    for line in os.fdopen(os.dup(0)):
        data = json.loads(line)
        if "job" not in data:
            continue  # a turn given to a child that was gone
        job = Request.from_json(data)
        if not fork:
            _child(job, Channel(say, heard), alone=True)
            print(json.dumps({"exit": 0, "cpu_seconds": _cpu_seconds() - before}), file=say)
            if not stays:
                os._exit(0)
            continue
        _prepare(job.job)
        pid = os.fork()
        if pid == 0:
            _child(job, Channel(say, heard))
        _, status, usage = os.wait4(pid, 0)
        ended = {"exit": os.waitstatus_to_exitcode(status), "cpu_seconds": usage.ru_utime + usage.ru_stime}
        print(json.dumps(ended | {"left": end_children()}), file=say)


def _load_once() -> None:
    """Load what most jobs need, so that forked children have it. Nothing here may start a thread pool."""
    import_module("torch.fx.experimental.symbolic_shapes")  # torch.autograd.grad loads it at its first call
    if find_spec("numba"):
        import_module("numba")
    for package, load_one in (("metrics", metrics.load), ("neurons", _neuron)):
        for name in registry.names(package):
            load_one(name)


def _prepare(job: Job) -> None:
    """Load what the backend of a job's case requires and takes long, so that the forked child has it.

    The backend itself is never loaded here: it is not to run where later jobs are forked from, and its first call counts it.
    """
    if (case := getattr(job, "case", None)) and "numba" in registry.declared(case.parsed.backend, None, "REQUIRES", ()):
        _load_numba()


@cache
def _load_numba() -> None:
    """Load numba's tables of types and functions, which each process would else load at its first kernel: 0.5 s."""
    if find_spec("numba"):
        target = import_module("numba.core.registry").cpu_target
        for context in (target.typing_context, target.target_context):
            context.refresh()
        gc.collect()
        gc.freeze()


def _neuron(name: str) -> None:
    import_module(f"spikebench.neurons.{name}")


class Channel:
    """Lines between a job's process and the parent: it says something, and waits for the answer."""

    def __init__(self, say: TextIO, heard: int) -> None:
        self._say, self._answers = say, os.fdopen(os.dup(heard), "rb", buffering=0)

    def tell(self, **line: object) -> None:
        """Say something that wants no answer."""
        print(json.dumps(line), file=self._say)

    def _ask(self, **line: object) -> dict[str, str]:
        self.tell(**line)
        return json.loads(self._answers.readline() or b"{}")

    def turn(self) -> None:
        """Comes back when the parent gives this process its turn."""
        self._ask(turn=True)

    def draw(self, what: str, event: list[str | int] | None = None) -> str:
        """A seed that the parent draws now, for what it is told; it notes its own clock, too."""
        return self._ask(draw=what, event=event)["seed"]

    def nonce(self) -> str:
        """The number that a result needs to count. Nobody in this process can know it before its work is over."""
        return self._ask(done=True).get("nonce", "")


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


def perform(asked: Request, channel: Channel | None = None) -> Result:
    """The result of a job. Every failure of the subject becomes a status."""
    try:
        _limit(asked.job.memory_limit)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # float32 means float32
        with pickles.allowed(asked.job.unpickle):
            return _perform(asked, channel)
    except Refused as error:
        return Result("refused", str(error))
    except Problem as error:
        return Result("refused", str(error), problem=True)
    except MemoryError:
        return Result("oom", "host memory ran out")
    except Exception as error:  # foreign code may raise anything; it becomes a status
        if _is_oom(error):
            return Result("oom", str(error).strip().splitlines()[0])
        traceback.print_exc()
        return Result("failed", _one_line(error))


def _perform(asked: Request, channel: Channel | None) -> Result:
    job, threads = asked.job, asked.threads
    if isinstance(job, MeasureJob):
        return _measure(job, asked, channel)
    if isinstance(job, GateJob | TrainJob | ObserveJob):
        keep_memory()
    torch.set_num_threads(threads)
    match job:
        case GateJob():
            return _unchanged(_gate(job))
        case JudgeJob():
            return _judge(job)
        case TrainJob():
            return _unchanged(_train(job, asked.evidence))
        case CheckJob():
            return Result(checks=[CheckResult(**vars(c)) for c in checks(job.subject, job.like, job.fixed, job.device)])
        case WayJob():
            return _way(job)
        case TraceJob():
            return Result(trace=trace(build(job.case), job.file))
        case ObserveJob():
            return Result(observed=observe(job.case, job.bias, job.fixed))
        case _:
            raise TypeError(f"no job {job.kind!r}")


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    text = ": ".join([type(error).__name__, *(line[:300] for line in lines[:1])])
    return text.encode(errors="replace").decode()  # half a surrogate pair could not be printed


def _is_oom(error: Exception) -> bool:
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(
        sign in text for sign in ("can't allocate memory", "not enough memory", "std::bad_alloc", "out of memory")
    )


def _limit(bytes_: int | None) -> None:
    """At most this much more address space than the process has now."""
    if bytes_ is not None:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
        top = pages * resource.getpagesize() + bytes_
        resource.setrlimit(resource.RLIMIT_AS, (top, top))


def keep_memory() -> None:
    """Let malloc keep what is freed: fresh pages would cost more than many kernels. glibc only."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)


def return_memory() -> None:
    """Let malloc return every freed tensor at once, in small pages, so that a high-water mark means what it says. glibc only."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, 64 * 2**10)
        libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)


def _gate(job: GateJob) -> Result:
    network = network_gate.compare(job.case) if isinstance(job.case, NetworkStep) else None
    layer = None if network else gate(job.case, job.bias)
    found = network or layer
    wrong = found is not None and found.status == "failed"
    return Result("wrong" if wrong else "ok", found.reason if found and wrong else None, gate=layer, network=network)


def _unchanged(result: Result) -> Result:
    """The result, or that the subject has changed what measures or judges it."""
    changed = _snapshot().changed()
    if not changed or result.status != "ok":
        return result
    return Result("wrong", f"the subject changed {', '.join(changed[:3])}", gate=result.gate, network=result.network)


@cache
def _snapshot() -> Snapshot:
    """What measures and judges, as it was when this process, or the one it was forked from, began."""
    return Snapshot()


def _judge(job: JudgeJob) -> Result:
    """What the timed launches of another process are worth; their samples come from what its clock read."""
    evidence, case = Evidence.load(job.evidence), job.case
    if isinstance(case, Layer):
        evidence.compared = not case.parsed.foreign
        coupled = evidence.compared and definition(case.parsed, case.N, case.T).coupled
        lied = forged(evidence, job.draws, Choice(case.T, case.B, case.N, coupled, job.samples))
    else:
        lied = judged_network.forged(evidence, job.draws) if isinstance(case, NetworkStep) else None
    if lied and not evidence.wrong:
        return Result("wrong", lied)
    if isinstance(case, Layer) and case.device == "cpu" and job.bias is not None:
        evidence.renewed(case, job.bias)
    found = _compared(case, evidence)
    late = None if found.wrong else outside(evidence.events, job.marks) or slowed(job.draws, job.marks)
    said: dict[str, object] = {"compared": {k: v for k, v in vars(found).items() if k != "wrong"}}
    if isinstance(case, Layer) and case.device == "cpu":  # by a clock that no subject can have changed
        keep_memory()
        said["copied"] = _copied(torch.empty(case.T, case.B, case.N, dtype=getattr(torch, case.dtype)), CpuClock())
    metrics = dict.fromkeys(e.metric for e in evidence.events)
    samples = {m: [e.seconds for e in evidence.events if e.metric == m] for m in metrics}
    made = [Measurement(m, "s", samples=found, detail=dict(said)) for m, found in samples.items()]
    if isinstance(case, Training):
        made = [Measurement("epoch_time", "s", detail=dict(said))]
    wrong = found.wrong or late
    flags: list[str] = [Flag.ASLEEP] * (job.case.device == "cpu" and asleep(evidence.events, job.marks))
    return Result("wrong" if wrong else "ok", wrong, measurements=made, flags=flags)


def _measure(job: MeasureJob, asked: Request, channel: Channel | None) -> Result:
    case, process = job.case, job.process
    _snapshot()
    turn = channel.turn if channel and asked.turns else None
    if turn:
        turn()
    if process == "memory":
        return_memory()
    elif case.allocator == "kept":
        keep_memory()
    torch.set_num_threads(asked.threads)
    before = Traces.now()
    work = build(case, job.bias) if isinstance(case, Layer) else network_workload.build(case)
    clock: Clock = CudaClock(torch) if case.device == "cuda" else CpuClock()
    plan = Plan(samples=job.samples, fewest=job.fewest, slow=job.slow, warmup_seconds=job.warmup)
    running = Running(work, clock, plan, turn=turn)
    running.watch = timed = _watch(work, running, channel) if work.on and process == "timing" else None
    work.call_number(1)
    if process == "timing":
        running.first_call = clock.measure(work.launch)
    measurements = [metrics.measure(name, running) for name in job.metrics]
    if measurements and (said := _ran(case)):
        measurements[0].detail.update(said)
    flags = _flags(running, asked.threads, before)
    if timed and measurements:
        measurements[0].detail.update(seeds=timed.evidence.seeds)
        if isinstance(case, Layer):
            measurements[0].detail.update(copied=_copied(work.x, clock))
    problem = _check_output(running, job.spikes) if process == "timing" else None
    if timed and not problem:
        problem = _hand_over(timed.finished(), case, asked.evidence, measurements)
    return _unchanged(
        Result("wrong", problem, flags=flags) if problem else Result(measurements=measurements, flags=flags)
    )


def _watch(work: Workload, running: Running, channel: Channel | None) -> Timed:
    """The watch over the timed launches, which asks the parent where there is one."""
    watch = Timed if isinstance(work.case, Layer) else TimedNetwork
    if channel is None:
        return watch(work, running, snapshot=_snapshot())
    return watch(work, running, channel.draw, lambda digest: channel.tell(kept=digest), _snapshot())


def _compared(case: Case, evidence: Evidence) -> Judged:
    return judged(case, evidence) if isinstance(case, Layer) else judged_network.judged(case, evidence)


def _hand_over(evidence: Evidence, case: Case, path: str | None, measurements: list[Measurement]) -> str | None:
    """Leave the evidence to another process, or compare it here where none was asked for."""
    if path is not None:
        evidence.save(path)
        return None
    found = _compared(case, evidence)
    if measurements:
        measurements[0].detail.update(compared={k: v for k, v in vars(found).items() if k != "wrong"})
    return found.wrong


def _flags(running: Running, threads: int, before: Traces) -> list[str]:
    """What the subject did to its process, and what decides how long it takes."""
    after, renewed = Traces.now(), running.medians.get("renewed", 1.0)
    raised = {
        Flag.CHANGED_THREADS: torch.get_num_threads() != threads,
        Flag.HOST_BOUND: running.host_bound,
        Flag.COMPANY: before.company(after),
        Flag.MOVED: before.moved(after),
        Flag.REPLAYED: renewed > Flag.REPLAYED.threshold,
        Flag.OMITTED: running.medians.get("omitted", 1.0) > Flag.OMITTED.threshold,
    }
    return [flag for flag, there in raised.items() if there]


def _copied(x: torch.Tensor, clock: Clock) -> float | None:
    """The fewest seconds of a copy of the input, on a GPU the device's; None where there is no room for one."""
    x = x.detach()
    try:
        out = torch.empty_like(x)
        return min(clock.on_device(lambda: out.copy_(x)) for _ in range(COPIES))
    except (NotAhead, MemoryError, RuntimeError):
        return None


def _ran(case: Case) -> dict[str, object]:
    """What a backend says of the way that it computed, where it chooses one: its `ran(device)`."""
    subject = case.parsed
    say = None if subject.foreign else getattr(module(subject.backend, subject.name), "ran", None)
    return say(case.device) if say else {}


def _train(job: TrainJob, evidence: str | None) -> Result:
    """Train one seed; progress goes to the log, one line per epoch."""
    _snapshot()
    case = expect(job.case, Training)
    wanted, recipe = case.asked, recipe_of(case.asked.name, case.changes)
    dataset = tasks.load(wanted.name, job.data_root, **wanted.options)

    def make(n: int) -> torch.nn.Module:
        return load(case.parsed, n, dataset.steps, getattr(torch, case.dtype), case.device)

    done, checkpoints = None, Path(job.checkpoints) if job.checkpoints else None
    many = recipe.epochs if recipe.seconds is None else f"{recipe.seconds:g}s"
    watch = TimedTraining(case)
    for done in train(dataset, make, recipe, [case.seed], case.device, checkpoints=checkpoints, watch=watch):
        if watch.evidence.wrong:
            return Result("wrong", watch.evidence.wrong)
        if isinstance(done, Epoch):
            sys.stdout.write(f"epoch {done.number}/{many} loss {done.loss:.4g} {done.seconds:.2f} s\n")
            sys.stdout.flush()
    if not isinstance(done, Run):
        raise RuntimeError("training gave no result")
    sizes = {"steps": dataset.steps, "channels": dataset.channels, "classes": dataset.classes}
    detail = {"recipe": vars(recipe), "task": {**sizes, **dataset.options}, "losses": done.losses}
    counted: dict[str, object] = {"correct": done.correct, "total": done.total}
    counted |= {"majority": int(dataset.test.labels.bincount().max()) / done.total}  # share of the most frequent class
    samples = [
        Measurement("accuracy", "1", samples=[done.accuracy], detail=counted),
        Measurement("epoch_time", "s", samples=list(done.seconds), detail=detail),
        Measurement("spike_rate", "1", samples=list(done.spike_rates), detail={"samples": "one per hidden layer"}),
    ]
    if done.curve:
        note = {"samples": "test accuracy after each epoch, for the report only", "seconds": done.seconds}
        samples.append(Measurement("accuracy_curve", "1", samples=list(done.curve), detail=note))
    problem = _hand_over(watch.evidence, case, evidence, samples[1:2])
    return Result("wrong", problem) if problem else Result(measurements=samples)


def _way(job: WayJob) -> Result:
    """How a foreign module is to be called, found out by calling it."""
    subject = replace(parse_subject(job.subject), how=job.how)  # also what is as usual may be fixed
    if job.device == "cuda" and not torch.cuda.is_available():
        raise Refused("no CUDA device: torch.cuda.is_available() is false")
    found, made, fixed = find_way(subject, job.n, job.lengths, device=job.device)
    return Result(way=FoundWay(str(subject.called(found.way)), made, list(found.notes), found.way, fixed))


def _check_output(running: Running, expected: float | None) -> str | None:
    """What is wrong with one more launch, on the noise that the gate counted spikes with; None if nothing is.

    Where the gate counted none, the last launch tells as much.
    """
    work = running.workload
    if running.medians.get("beyond", 0.0) > running.medians.get("latency", 0.0) / 2 + BEYOND:
        return "the work outlasts the events that time it: it runs on another stream"
    if work.case.mode == "stream":
        return None
    out = running.last_output if expected is None else None
    if out is None:
        work.call_number(0)
        out = work.launch()
    count = float(out.detach().double().sum())
    if not math.isfinite(count):
        return "the timed output is not finite"
    if expected is not None and count != expected:
        return f"the timed output has {count:.0f} spikes, the gate counted {expected:.0f}"
    return None


if __name__ == "__main__":
    sockets = [int(flag.removeprefix("--zygote=")) for flag in sys.argv if flag.startswith("--zygote=")]
    serve("--spawn" not in sys.argv, "--stays" in sys.argv, "--opened" in sys.argv, *sockets)
