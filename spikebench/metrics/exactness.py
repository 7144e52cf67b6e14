"""Largest error of a scheme's gradient of spike times, against finite differences of the loss, relative to the largest gradient."""

from typing import cast

from spikebench import registry
from spikebench import scheme as schemes
from spikebench.metric import Running, Unavailable
from spikebench.network import Classifier
from spikebench.verify.event_gate import differences

unit = "1"
process = "memory"


def sample(running: Running) -> list[float]:
    """One number, of a few weights of each matrix on the case's input, among them the one with the largest gradient.

    The detail has how many were compared, how many were left out because a spike appears, vanishes or grazes the threshold within
    the difference, and the share of all spikes that graze it.
    """
    work = running.workload
    subject = work.case.parsed
    exact = schemes.takes_events(subject) and registry.scheme_facts(cast(str, subject.scheme)).get("EXACT")
    if not exact or not isinstance(work.module, Classifier):
        raise Unavailable("a scheme is compared whose gradient is that of spike times: fast_and_deep")
    if work.case.dtype != "float64":
        raise Unavailable("finite differences take float64")
    found = schemes.gradients(subject, work.module, work.x, work.g)[1]
    said = differences(subject, work.module, work.x, work.g, found, seed=work.case.seed)
    running.detail |= vars(said)
    if not said.compared:
        raise Unavailable(str(said.wrong))
    return [said.error]
