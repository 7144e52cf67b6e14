"""The gate of a network: what the neuron's own gate cannot see is caught, and right networks pass."""

import pytest
import torch

from spikebench.cases.case import Case
from spikebench.run.session import Session
from spikebench.run.settings import Settings
from spikebench.verify import network_gate
from spikebench.verify.network_gate import compare

SHD = Case("lif@indexed", T=40, B=3, workload="network", network="shd[width=16]")


@pytest.mark.parametrize("subject", ["lif@indexed", "lif@cpu", "spsn@fft", "spsn@cpu", "exodus[decay=0.99999]@cpu"])
@pytest.mark.parametrize("mode", ["inference", "train"])
def test_right_networks_pass(subject: str, mode: str) -> None:
    found = compare(Case(subject, T=40, B=8, workload="network", network="shd[width=16]", mode=mode))  # pyright: ignore[reportArgumentType]  # checked at run time
    assert (found.status, found.dtype, found.B) == ("passed", "float64", 4), found.reason
    assert found.output_error is not None and found.output_error < 1e-10
    assert (found.gradient_error is None) == (mode == "inference")


def test_eager_is_the_definition_itself() -> None:
    assert compare(Case("lif@eager", T=8, B=1, workload="network", network="shd[width=8]")).output_error is None


def test_a_network_under_autocast_is_compared_in_float64_without_it() -> None:
    fields = {"workload": "network", "network": "onm", "autocast": "bfloat16"}
    found = compare(Case("lif@indexed", T=4, B=2, N=16, **fields))  # pyright: ignore[reportArgumentType]  # as above
    assert (found.status, found.dtype) == ("passed", "float64")


@pytest.mark.parametrize("what", ["output", "gradient"])
def test_a_network_that_is_wrong_is_caught(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A neuron that is wrong in a network alone, here for its layer of 16, passes the gate of a layer of another width."""
    from spikebench.backends import indexed

    right = indexed.run

    def wrong(neuron: object, x: torch.Tensor, seed: int | None = None) -> torch.Tensor:
        if what == "output":
            return right(neuron, x + 0.01, seed)  # pyright: ignore[reportArgumentType]  # as above
        return right(neuron, x * 0.5 + x.detach() * 0.5, seed)  # pyright: ignore[reportArgumentType]  # as above

    monkeypatch.setattr(indexed, "run", wrong)
    found = compare(SHD)
    assert found.status == "failed" and found.reason
    assert found.reason.startswith("the output" if what == "output" else "the gradient of a weight")


@pytest.mark.long
def test_the_record_has_what_was_compared() -> None:
    with Session(Settings(metrics=("latency",), samples=2, fewest=2)) as session:
        record = session.measure(SHD)
    assert record.status == "ok" and record.gate is not None
    found = record.gate.network
    assert (
        found
        and found.status == "passed"
        and found.gradient_error is not None
        and found.gradient_error < network_gate.WIDE
    )
