"""The process that judges: it compares what another process kept of its timed launches, and never had the subject."""

import torch

from spikebench.cases.case import Case, Layer, NetworkStep, Training
from spikebench.host.clock import Clock, CpuClock, NotAhead
from spikebench.host.memory import keep_memory
from spikebench.loading.subject import definition
from spikebench.records.flags import Flag
from spikebench.records.record import Measurement
from spikebench.run.protocol import JudgeJob, Result
from spikebench.verify import judged_network
from spikebench.verify.as_drawn import forged, late, slowed
from spikebench.verify.evidence import Choice, Evidence
from spikebench.verify.judged import Judged, asleep, judged, outside

COPIES = 5


def judge(job: JudgeJob) -> Result:
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
    threads = torch.get_num_threads()
    if isinstance(case, Layer):
        torch.set_num_threads(1)  # the series are few: more threads wait for each other in every step
    found = compared(case, evidence)
    torch.set_num_threads(threads)
    untrue = outside(evidence.events, job.marks) or slowed(job.draws, job.marks) or late(job.draws)
    said: dict[str, object] = {"compared": {k: v for k, v in vars(found).items() if k != "wrong"}}
    if isinstance(case, Layer) and case.device == "cpu":  # by a clock that no subject can have changed
        keep_memory()
        said["copied"] = copied(torch.empty(case.T, case.B, case.N, dtype=getattr(torch, case.dtype)), CpuClock())
    metrics = dict.fromkeys(e.metric for e in evidence.events)
    samples = {m: [e.seconds for e in evidence.events if e.metric == m] for m in metrics}
    made = [Measurement(m, "s", samples=found, detail=dict(said)) for m, found in samples.items()]
    if isinstance(case, Training):
        made = [Measurement("epoch_time", "s", detail=dict(said))]
    wrong = found.wrong or untrue
    flags: list[str] = [Flag.ASLEEP] * (job.case.device == "cpu" and asleep(evidence.events, job.marks))
    return Result("wrong" if wrong else "ok", wrong, measurements=made, flags=flags)


def compared(case: Case, evidence: Evidence) -> Judged:
    """What the comparison of a case's timed launches with the definition gives."""
    return judged(case, evidence) if isinstance(case, Layer) else judged_network.judged(case, evidence)


def hand_over(evidence: Evidence, case: Case, path: str | None, measurements: list[Measurement]) -> str | None:
    """Leave the evidence to another process, or compare it here where none was asked for."""
    if path is not None:
        evidence.save(path)
        return None
    found = compared(case, evidence)
    if measurements:
        measurements[0].detail.update(compared={k: v for k, v in vars(found).items() if k != "wrong"})
    return found.wrong


def copied(x: torch.Tensor, clock: Clock) -> float | None:
    """The fewest seconds of a copy of the input, on a GPU the device's; None where there is no memory for one."""
    x = x.detach()
    try:
        out = torch.empty_like(x)
        return min(clock.on_device(lambda: out.copy_(x)) for _ in range(COPIES))
    except (NotAhead, MemoryError, RuntimeError):
        return None
