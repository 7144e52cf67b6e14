"""The recurrences with a decay that varies."""

import pytest
import torch

from spikebench.scan import gated, recurrence


@pytest.mark.parametrize("steps", [1, 2, 7, 64, 129])
def test_doubling_is_the_loop(steps: int) -> None:
    generator = torch.Generator().manual_seed(steps)
    x, gates, g = torch.randn(3, steps, 2, 3, generator=generator, dtype=torch.float64)
    gates = (gates * 0.7).requires_grad_()
    x.requires_grad_()
    a, b = gated(x, gates), gated(x, gates, "doubling")
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)
    grads = [torch.autograd.grad(y, (x, gates), g, materialize_grads=True) for y in (b, a)]
    for got, want in zip(*grads, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-11, atol=1e-12)


def test_an_unknown_form_is_refused() -> None:
    x = torch.ones(3, 1)
    with pytest.raises(ValueError, match="halving"):
        gated(x, x, "halving")  # pyright: ignore[reportArgumentType]  # the point of the test


def test_constant_gates_are_the_recurrence() -> None:
    x = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(gated(x, torch.full_like(x, 0.9)), recurrence(x, 0.9), rtol=0, atol=0)
