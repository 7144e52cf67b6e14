"""FPT's membrane where somebody else computes its filter, as a backend does."""

import pytest
import torch

from spikebench.neurons.fpt import FPT
from spikebench.numerics.scan import recurrence


@pytest.mark.parametrize("threshold", [1.0, 0.7])
def test_a_filter_from_outside_gives_the_same_probabilities(threshold: float) -> None:
    neuron = FPT(24, decay=0.8, threshold=threshold)
    x = torch.randn(24, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = neuron.membrane(x, lambda y: recurrence(y, 0.8, "doubling"))
    torch.testing.assert_close(found, neuron.membrane(x), rtol=1e-12, atol=1e-12)
