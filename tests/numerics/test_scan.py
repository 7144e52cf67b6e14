"""The recurrences with a decay that varies."""

import pytest
import torch

from spikebench.numerics.scan import Form, causal_convolution, gated, recurrence


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


@pytest.mark.parametrize("steps", [1, 2, 7, 100])
@pytest.mark.parametrize("form", ["doubling", "chunked", "fft"])
def test_forms_of_the_recurrence_are_the_loop(steps: int, form: Form) -> None:
    generator = torch.Generator().manual_seed(steps)
    x, g = torch.randn(2, steps, 2, 3, generator=generator, dtype=torch.float64)
    x.requires_grad_()
    decay = torch.tensor(0.93, dtype=torch.float64, requires_grad=form != "fft")
    wanted = (x, decay) if form != "fft" else (x,)
    a, b = recurrence(x, decay), recurrence(x, decay.detach() if form == "fft" else decay, form)
    torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)
    grads = [torch.autograd.grad(y, wanted, g, materialize_grads=True) for y in (a, b)]
    for want, got in zip(*grads, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-11)


def test_doubling_takes_a_decay_per_series_and_complex_ones() -> None:
    x = torch.randn(50, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.complex128)
    decay = torch.polar(torch.tensor([0.9, 0.99, 0.5], dtype=torch.float64), torch.tensor([0.1, 2.0, 3.0]).double())
    torch.testing.assert_close(recurrence(x, decay, "doubling"), recurrence(x, decay), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(30,), (30, 3)])
def test_a_kernel_that_learns_gets_its_gradient(shape: tuple[int, ...]) -> None:
    x = torch.randn(30, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    kernel = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    whole = kernel if kernel.dim() == 2 else kernel[:, None]
    lag = torch.arange(30)[:, None] - torch.arange(30)
    matrix = torch.where((lag >= 0)[..., None], whole[lag.clamp_min(0)], 0.0)  # [T, T, N or 1]
    want, got = torch.einsum("tjn,jbn->tbn", matrix.expand(30, 30, 3), x), causal_convolution(x, kernel)
    torch.testing.assert_close(got, want, rtol=1e-11, atol=1e-12)
    g = torch.randn(30, 2, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for a, b in zip(*(torch.autograd.grad(y, (x, kernel), g) for y in (got, want)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)
