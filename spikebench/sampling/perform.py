"""What a process does for a job of any kind. Whatever a subject raises becomes a status."""

import traceback
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from spikebench.backend import Refused
from spikebench.cases.case import NetworkStep
from spikebench.cases.subject import foreign_file, parse_subject
from spikebench.errors import Problem
from spikebench.host.enclosure import enclose, trial
from spikebench.host.memory import keep_memory, limit
from spikebench.loading import pickles
from spikebench.loading.subject import find_way
from spikebench.run.channel import Channel
from spikebench.run.protocol import (
    CheckJob,
    CheckResult,
    FoundWay,
    GateJob,
    JudgeJob,
    MeasureJob,
    ObserveJob,
    Request,
    Result,
    TraceJob,
    TrainJob,
    WayJob,
)
from spikebench.sampling.measured import measured
from spikebench.sampling.observe import observe
from spikebench.sampling.profiler import trace
from spikebench.sampling.trained import trained
from spikebench.verify import network_gate, scheme_gate
from spikebench.verify.check import checks
from spikebench.verify.clocks import watched
from spikebench.verify.gate import gate
from spikebench.verify.judge import judge
from spikebench.verify.snapshot import at_start
from spikebench.workloads.layer import build


def perform(asked: Request, channel: Channel | None = None) -> Result:
    """The result of a job. Every failure of the subject becomes a status."""
    try:
        limit(asked.job.memory_limit)
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
        return _unchanged(measured(job, asked, channel))
    if isinstance(job, GateJob | TrainJob | ObserveJob):
        keep_memory()
    torch.set_num_threads(threads)
    match job:
        case GateJob():
            return _unchanged(_gate(job))
        case JudgeJob():
            return judge(job)
        case TrainJob():
            return _unchanged(trained(job, asked.evidence))
        case CheckJob():
            return Result(checks=_enclosed(job, Path(asked.result).parent) if job.enclosed else _checks(job))
        case WayJob():
            return _way(job)
        case TraceJob():
            return Result(trace=trace(build(job.case), job.file))
        case ObserveJob():
            return Result(observed=observe(job.case, job.bias, job.fixed))
        case _:
            raise TypeError(f"no job {job.kind!r}")


def _checks(job: CheckJob) -> list[CheckResult]:
    return [CheckResult(**vars(c)) for c in checks(job.subject, job.like, job.fixed, job.device)]


def _enclosed(job: CheckJob, folder: Path) -> list[CheckResult]:
    """The checks of a subject that is not trusted, and whether it was shut in and read no clock meanwhile."""
    held = enclose(folder)
    broken = trial(folder) if held.whole else []
    inside = False if broken else held.whole or None
    rows = [CheckResult("enclosure", inside, f"{', '.join(broken)} was still possible" if broken else held.told)]
    file = foreign_file(parse_subject(job.subject))
    with watched(file) if file else nullcontext([]) as seen:
        rows += _checks(job)
    return [*rows, CheckResult("clock", not seen, "; ".join(seen[:3]) or "no clock was read")]


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    text = ": ".join([type(error).__name__, *(line[:300] for line in lines[:1])])
    return text.encode(errors="replace").decode()  # half a surrogate pair could not be printed


def _is_oom(error: Exception) -> bool:
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(
        sign in text for sign in ("can't allocate memory", "not enough memory", "std::bad_alloc", "out of memory")
    )


def _gate(job: GateJob) -> Result:
    compare = scheme_gate.compare if job.case.parsed.scheme else network_gate.compare
    network = compare(job.case) if isinstance(job.case, NetworkStep) else None
    layer = None if network else gate(job.case, job.bias)
    found = network or layer
    wrong = found is not None and found.status == "failed"
    return Result("wrong" if wrong else "ok", found.reason if found and wrong else None, gate=layer, network=network)


def _unchanged(result: Result) -> Result:
    """The result, or that the subject has changed what measures or judges it."""
    changed = at_start().changed()
    if not changed or result.status != "ok":
        return result
    return Result("wrong", f"the subject changed {', '.join(changed[:3])}", gate=result.gate, network=result.network)


def _way(job: WayJob) -> Result:
    """How a foreign module is to be called, found out by calling it."""
    subject = replace(parse_subject(job.subject), how=job.how)  # also what is as usual may be fixed
    if job.device == "cuda" and not torch.cuda.is_available():
        raise Refused("no CUDA device: torch.cuda.is_available() is false")
    found, made, fixed = find_way(subject, job.n, job.lengths, device=job.device)
    return Result(way=FoundWay(str(subject.called(found.way)), made, list(found.notes), found.way, fixed))
