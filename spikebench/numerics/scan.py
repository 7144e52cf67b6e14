"""First-order linear recurrence over time, y_t = decay·y_{t-1} + x_t with y_{-1} = 0: the primitive under neurons without reset.

`gated` is the same with a decay that varies: the primitive under a reset whose spikes are known.
Every form gives the same y and the same gradients; they differ in work, depth and memory.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

Form = Literal["sequential", "doubling", "chunked", "fft"]


def recurrence(x: Tensor, decay: float | Tensor, form: Form = "sequential", chunk: int = 32) -> Tensor:
    """y_t = decay·y_{t-1} + x_t along the first axis of x [T, ...]; decay is a scalar (float, or a tensor that may learn).

    sequential: a loop of T steps, plain autograd. doubling: ⌈log₂ T⌉ passes, work O(T log T); its decay may also be [N],
    and x and decay may be complex. chunked: matrix products inside chunks and a carry between them by doubling, work
    O(T·chunk). fft: a causal convolution, work O(T log T), for a decay that does not learn.
    """
    match form:
        case "sequential":
            return _sequential(x, decay)
        case "doubling":
            return _doubling(x, decay)
        case "chunked":
            return _chunked(x, torch.as_tensor(decay, dtype=x.dtype, device=x.device), chunk)
        case "fft":
            powers = float(decay) ** torch.arange(x.shape[0], dtype=torch.float64)
            return causal_convolution(x, powers)
    raise ValueError(f"no form {form!r}; there are sequential, doubling, chunked, fft")


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


def _doubling(x: Tensor, decay: float | Tensor) -> Tensor:
    y, reach = x, 1
    while reach < x.shape[0]:
        y = torch.cat([y[:reach], y[reach:] + _power(decay, reach, x.dtype) * y[:-reach]])
        reach *= 2
    return y


def _power(decay: float | Tensor, exponent: int, dtype: torch.dtype) -> float | Tensor:
    """decay**exponent, in double precision: repeated squaring in float32 would lose as many epsilons as steps."""
    if not isinstance(decay, Tensor):
        return decay**exponent
    wide = torch.complex128 if decay.is_complex() else torch.float64
    return (decay.to(wide) ** exponent).to(dtype)


def _chunked(x: Tensor, decay: Tensor, chunk: int) -> Tensor:
    steps = x.shape[0]
    count = -(-steps // chunk)
    flat = x.reshape(steps, -1)  # [T, M]
    if count * chunk != steps:
        flat = torch.cat([flat, flat.new_zeros(count * chunk - steps, flat.shape[1])])
    lag = torch.arange(chunk, device=x.device)
    power = decay ** (lag[:, None] - lag[None, :]).clamp_min(0)
    inside = torch.matmul(power.tril(), flat.view(count, chunk, -1))  # [K, C, M]
    carry = _doubling(inside[:, -1], _power(decay, chunk, decay.dtype))  # state at the end of each chunk
    before = torch.cat([torch.zeros_like(carry[:1]), carry[:-1]])
    y = inside + (decay ** (lag + 1))[None, :, None] * before[:, None, :]
    return y.reshape(count * chunk, -1)[:steps].reshape(x.shape)


def two_filters(first: float | Tensor, second: float | Tensor, steps: int, device: Any = None) -> Tensor:
    """Kernel (1 − second)·Σ_{i ≤ k} firstⁱ·second^{k−i} of two filters in a row: [T] float64, or [T, N] for decays [N].

    By doubling, for the closed form is 0/0 at equal decays; a decay that is a tensor gets its gradient.
    """
    a, b = (torch.as_tensor(d, dtype=torch.float64, device=device) for d in (first, second))
    lag = torch.arange(steps, dtype=torch.float64, device=a.device)
    return _doubling((1 - b) * a ** lag.view(-1, *[1] * max(a.dim(), b.dim())), b)


@dataclass(frozen=True)
class Response:
    """What `causal_convolution` needs of a kernel: its spectrum, and its response to a constant 1."""

    spectrum: Tensor  # [F], or [N, F] where every neuron has its own
    step: Tensor  # [T], or [T, N]
    size: int  # of the transforms

    @staticmethod
    def of(kernel: Tensor, dtype: torch.dtype) -> "Response":
        """Of a kernel [T] or [T, N] in float64, for inputs of a dtype on the kernel's device; no wrap-around."""
        size = _fast_size(2 * kernel.shape[0] - 1)
        spectrum = torch.fft.rfft(kernel.movedim(0, -1), n=size)
        narrow = torch.complex64 if dtype == torch.float32 else torch.complex128
        return Response(spectrum.to(narrow), kernel.cumsum(0).to(dtype), size)


def causal_convolution(x: Tensor, kernel: Tensor | Response) -> Tensor:
    """y_t = Σ_{j ≤ t} kernel_j·x_{t-j} along the first axis of x [T, ...]; kernel [T] or, by neuron, [T, N] in float64.

    Work O(T log T), nothing wraps around. The transforms run along a contiguous time axis; the backward pass is the
    correlation, with the kernel's spectrum shared by both. Each series' mean goes past the transform, where rounding
    would be relative to the mean times T. A kernel that learns gets its gradient, by a third spectrum; a `Response`
    made once saves making it at every call, and is a constant.
    """
    if isinstance(kernel, Tensor):
        made = Response.of(kernel.detach().to(x.device, torch.float64), x.dtype)
        return _Convolution.apply(x, kernel, made)  # pyright: ignore[reportReturnType]
    return _Convolution.apply(x, None, kernel)  # pyright: ignore[reportReturnType]


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor | None, made: Response) -> Tensor:
        learns = kernel is not None and kernel.requires_grad
        ctx.save_for_backward(made.spectrum, made.step, x if learns else None)
        ctx.size, ctx.kernel = made.size, (kernel.dtype, kernel.dim()) if learns and kernel is not None else None
        return _multiply(x, made.spectrum, made.size, made.step)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        spectrum, step, x = ctx.saved_tensors
        by_kernel = None if x is None else _correlated(x, grad, ctx.size, *ctx.kernel)
        if not ctx.needs_input_grad[0]:
            return None, by_kernel, None
        return _multiply(grad, spectrum.conj(), ctx.size, step.flip(0)), by_kernel, None


def _series(x: Tensor) -> Tensor:
    """x [T, ..., N] as series [..., N, T] with a contiguous time axis."""
    return x.movedim(0, -1).contiguous()


def _multiply(x: Tensor, spectrum: Tensor, size: int, step: Tensor) -> Tensor:
    """Multiply by a spectrum of `size`; `step` [T] or [T, N] is the response to a constant 1."""
    series = _series(x)
    mean = series.mean(-1, keepdim=True)
    y = torch.fft.irfft(torch.fft.rfft(series - mean, n=size) * spectrum, n=size)[..., : x.shape[0]]
    return (y + mean * step.movedim(0, -1)).movedim(-1, 0).contiguous()


def _correlated(x: Tensor, grad: Tensor, size: int, dtype: torch.dtype, axes: int) -> Tensor:
    """The kernel's gradient Σ_t grad_t·x_{t-j} over all series it serves: [T], or [T, N] if it has two axes."""
    product = torch.fft.rfft(_series(grad), n=size) * torch.fft.rfft(_series(x), n=size).conj()
    whole = product.flatten(0, -axes - 1).sum(0) if product.dim() > axes else product
    return torch.fft.irfft(whole, n=size)[..., : x.shape[0]].movedim(-1, 0).to(dtype)


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
