"""`sb.check` tests what a neuron computes: is it causal, deterministic, differentiable, and equal to its definition?"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from spikebench import registry
from spikebench.cases.arguments import asked
from spikebench.cases.subject import ANYWHERE, defined, parse_subject, there
from spikebench.errors import Problem
from spikebench.host import environment
from spikebench.run.process import Workers
from spikebench.run.protocol import CheckJob, CheckResult
from spikebench.units import Count, Positive


@dataclass(frozen=True)
class Check:
    """One check of one subject: whether it passed (None: it does not apply), and what was seen."""

    subject: str
    check: str
    passed: bool | None
    detail: str

    def to_json(self) -> dict[str, object]:
        """The row that `check --json` prints."""
        return asdict(self)


@asked
def check(
    *subjects: str,
    like: str | None = None,
    timeout: Positive | None = 120.0,
    threads: Count | None = None,
    unpickle: bool = False,
    enclosed: bool = False,
) -> list[Check]:
    """Check what neurons compute, each in a process of its own; `all` stands for every neuron of ours.

    The checks: shape, dtype, determinism, causality, repeats (the same call again and again), state (does any leak from
    one sequence to the next), carried (pieces of a sequence against the whole, with their gradients), gradient, the
    definition of the neuron (or of the one that `like` names), edges of the input, and the facts that its file declares.
    `timeout` is in seconds for each subject.
    A foreign subject's code is executed; a pickle is read, which executes what is in it, only with `unpickle`. `enclosed`
    executes it without a network and without writing outside a scratch folder, as far as the kernel allows it, and
    notices if it reads a clock; the rows "enclosure" and "clock" say so. Raises Problem if a subject cannot be built.
    """
    wanted = registry.names("neurons") if subjects == ("all",) else subjects
    if not wanted:
        raise Problem("check: name a subject, as lif@cpu, or `all`")
    names = [str(there(parse_subject(s))) for s in wanted]
    with Workers(threads or environment.threads()) as workers:
        jobs = [
            CheckJob(name, defined(like), unpickle=ANYWHERE if unpickle else None, enclosed=enclosed) for name in names
        ]
        return [row for job in jobs for row in _checked(workers, job, timeout)]


def _checked(workers: Workers, job: CheckJob, timeout: float | None) -> Iterator[Check]:
    outcome = workers.ask(job, timeout)
    if outcome.result.problem:
        raise Problem(str(outcome.reason))
    found = outcome.result.checks
    if found is None:
        found = [CheckResult("run", False, f"{outcome.status}: {outcome.reason}")]
    yield from (Check(job.subject, row.check, row.passed, row.detail) for row in found)
