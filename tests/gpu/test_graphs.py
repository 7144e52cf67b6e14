"""CUDA graphs of the definitions: they pass the gate, follow their parameters, and say when they were overwritten."""

import pytest
import torch

from spikebench import registry
from spikebench.backend import Refused
from spikebench.cases.case import Case
from spikebench.loading.subject import neuron
from spikebench.verify import gate


@pytest.mark.parametrize("name", registry.names("neurons"))
def test_graph_is_the_definition(name: str) -> None:
    try:
        result = gate.gate(Case(f"{name}@cudagraph", T=64, B=4, N=32, device="cuda"))
    except Refused as reason:
        assert name != "lif"
        pytest.skip(str(reason))
    assert result.status == "passed", result.reason


def test_graph_reads_parameters_where_they_are() -> None:
    made = neuron("lif[learn_threshold=true]@cudagraph", N=32, device="cuda")
    x = torch.randn(64, 4, 32, device="cuda", requires_grad=True)
    first = made(x).sum()
    with torch.no_grad():
        for p in made.parameters():
            p.mul_(2)
    assert made(x).sum() < first


def test_a_backward_pass_that_comes_too_late_says_so() -> None:
    made = neuron("lif@cudagraph", device="cuda")
    x = torch.randn(16, 2, 8, device="cuda", requires_grad=True)
    first = made(x)
    made(x)
    with pytest.raises(RuntimeError, match="overwritten"):
        first.sum().backward()
