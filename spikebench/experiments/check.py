"""`sb.check` tests what a neuron computes: is it causal, deterministic, differentiable, and equal to its definition?"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from spikebench import registry
from spikebench.cases.subject import parse_subject
from spikebench.errors import Problem
from spikebench.host import environment
from spikebench.run.process import Workers
from spikebench.run.protocol import CheckJob, CheckResult


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


def check(
    *subjects: str, like: str | None = None, timeout: float | None = 120.0, threads: int | None = None
) -> list[Check]:
    """Check what neurons compute, each in a process of its own; `all` stands for every neuron of ours.

    The checks: shape, dtype, determinism, causality, state, gradient, the definition of the neuron (or of the one that
    `like` names), edges of the input, and the facts that its file declares. `timeout` is in seconds for each subject.
    A foreign subject's code is executed. Raises Problem if a subject cannot be built.
    """
    wanted = registry.names("neurons") if subjects == ("all",) else subjects
    names = [str(parse_subject(s)) for s in wanted]
    with Workers(threads or environment.threads()) as workers:
        return [row for name in names for row in _checked(workers, name, like, timeout)]


def _checked(workers: Workers, name: str, like: str | None, timeout: float | None) -> Iterator[Check]:
    outcome = workers.ask(CheckJob(name, like), timeout)
    if outcome.result.problem:
        raise Problem(str(outcome.reason))
    found = outcome.result.checks
    if found is None:
        found = [CheckResult("run", False, f"{outcome.status}: {outcome.reason}")]
    yield from (Check(name, row.check, row.passed, row.detail) for row in found)
