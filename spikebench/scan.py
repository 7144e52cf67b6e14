"""First-order linear recurrence over time, y_t = decay·y_{t-1} + x_t with y_{-1} = 0: the primitive under neurons without reset.

`gated` is the same with a decay that varies: the primitive under a reset whose spikes are known.
Every form gives the same y and the same gradients; they differ in work, depth and memory.
"""

from typing import Any, Literal

import torch
from torch import Tensor

Form = Literal["sequential", "chunked", "fft"]


def recurrence(x: Tensor, decay: float | Tensor, form: Form = "sequential", chunk: int = 32) -> Tensor:
    """y_t = decay·y_{t-1} + x_t along the first axis of x [T, ...]; decay is a scalar (float, or a tensor that may learn).

    sequential: a loop of T steps, plain autograd. chunked: matrix products inside chunks and a carry between them,
    work O(T·chunk). fft: a causal convolution, work O(T log T); a decay that learns needs one of the other two.
    """
    match form:
        case "sequential":
            return _sequential(x, decay)
        case "chunked":
            return _chunked(x, torch.as_tensor(decay, dtype=x.dtype, device=x.device), chunk)
        case "fft":
            powers = float(decay) ** torch.arange(x.shape[0], dtype=torch.float64)
            return causal_convolution(x, powers)
    raise ValueError(f"no form {form!r}; there are sequential, chunked, fft")


def gated(x: Tensor, gates: Tensor, form: Literal["sequential", "doubling"] = "sequential") -> Tensor:
    """y_t = gates_t·y_{t-1} + x_t along the first axis, x and gates [T, ...] alike; plain autograd.

    sequential: a loop of T steps. doubling: an associative scan of ⌈log₂ T⌉ passes, work O(T log T).
    """
    if form == "sequential":
        return _gated_steps(x, gates)
    if form != "doubling":
        raise ValueError(f"no form {form!r}; there are sequential, doubling")
    y, product, reach = x, gates, 1
    while reach < x.shape[0]:
        y = torch.cat([y[:reach], y[reach:] + product[reach:] * y[:-reach]])
        product = torch.cat([product[:reach], product[reach:] * product[:-reach]])
        reach *= 2
    return y


def _gated_steps(x: Tensor, gates: Tensor) -> Tensor:
    y, out = None, []
    for x_t, gate in zip(x.unbind(0), gates.unbind(0), strict=True):
        y = x_t if y is None else gate * y + x_t
        out.append(y)
    return torch.stack(out)


def _sequential(x: Tensor, decay: float | Tensor) -> Tensor:
    y, out = None, []
    for x_t in x.unbind(0):
        y = x_t if y is None else decay * y + x_t
        out.append(y)
    return torch.stack(out)


def _chunked(x: Tensor, decay: Tensor, chunk: int) -> Tensor:
    steps = x.shape[0]
    count = -(-steps // chunk)
    flat = x.reshape(steps, -1)  # [T, M]
    if count * chunk != steps:
        flat = torch.cat([flat, flat.new_zeros(count * chunk - steps, flat.shape[1])])
    lag = torch.arange(chunk, device=x.device)
    power = decay ** (lag[:, None] - lag[None, :]).clamp_min(0)
    inside = torch.matmul(power.tril(), flat.view(count, chunk, -1))  # [K, C, M]
    carry = _sequential(inside[:, -1], decay**chunk)  # state at the end of each chunk
    before = torch.cat([torch.zeros_like(carry[:1]), carry[:-1]])
    y = inside + (decay ** (lag + 1))[None, :, None] * before[:, None, :]
    return y.reshape(count * chunk, -1)[:steps].reshape(x.shape)


def causal_convolution(x: Tensor, kernel: Tensor) -> Tensor:
    """y_t = Σ_{j ≤ t} kernel_j·x_{t-j} along the first axis of x [T, ...]; kernel [T] float64, no wrap-around.

    Work O(T log T). The transforms run along a contiguous time axis; the backward pass is the correlation, with the
    kernel's spectrum shared by both. Each series' mean goes past the transform, where rounding would be relative to
    the mean times T.
    """
    return _Convolution.apply(x, kernel)  # pyright: ignore[reportReturnType]


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor) -> Tensor:
        size = _fast_size(2 * x.shape[0] - 1)
        spectrum = torch.fft.rfft(kernel.to(x.device), n=size).to(torch.complex(x.new_zeros(()), x.new_zeros(())).dtype)
        step = kernel.cumsum(0).to(x.device, x.dtype)
        ctx.save_for_backward(spectrum, step)
        ctx.size = size
        return _multiply(x, spectrum, size, step)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        spectrum, step = ctx.saved_tensors
        return _multiply(grad, spectrum.conj(), ctx.size, step.flip(0)), None


def _multiply(x: Tensor, spectrum: Tensor, size: int, step: Tensor) -> Tensor:
    """Multiply by a spectrum of `size`; `step` [T] is the response to a constant 1."""
    series = x.reshape(x.shape[0], -1).t().contiguous()  # [M, T]
    mean = series.mean(1, keepdim=True)
    y = torch.fft.irfft(torch.fft.rfft(series - mean, n=size) * spectrum, n=size)[:, : x.shape[0]]
    return (y + mean * step).t().reshape(x.shape)


def _fast_size(n: int) -> int:
    """The smallest size ≥ n whose only factors are 2, 3 and 5."""
    best = 1 << (n - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            rest = -(-n // three)
            best = min(best, three << (rest - 1).bit_length())
            three *= 3
        five *= 5
    return best
