"""CUDA graphs refuse what they cannot record; what they record is tested on a GPU, in gpu/."""

import pytest
import torch

from spikebench.backend import Refused
from spikebench.backends import cudagraph
from spikebench.cases.case import Case
from spikebench.loading.subject import neuron


def test_refusals_name_their_reason() -> None:
    assert "CUDA" in str(cudagraph.refuses(Case("lif@cudagraph")))
    assert cudagraph.refuses(Case("lif@cudagraph", device="cuda")) is None
    assert "T=16384" in str(cudagraph.refuses(Case("lif@cudagraph", T=16384, device="cuda")))
    assert "stream" in str(cudagraph.refuses(Case("lif@cudagraph", device="cuda", mode="stream")))


@pytest.mark.parametrize("name", ["lif", "spsn", "psn"])
def test_nothing_runs_on_another_device_instead(name: str) -> None:
    with pytest.raises(Refused, match="the input is on cpu"):
        neuron(f"{name}@cudagraph", N=4, T=2)(torch.zeros(2, 1, 4))
