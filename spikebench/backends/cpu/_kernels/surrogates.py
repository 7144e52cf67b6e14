"""Surrogate derivatives in compiled loops: where the kind is a constant, one branch is left."""

import math
from collections.abc import Callable
from typing import Any, get_args

import numpy as np

from spikebench.backends.cpu._kernels.elementary import exp
from spikebench.backends.cpu._kernels.primitives import inlined
from spikebench.numerics.surrogate import Surrogate

KINDS: tuple[Any, ...] = get_args(Surrogate)
ATAN, FAST_SIGMOID, SIGMOID, TRIANGLE, EXPONENTIAL, RECTANGLE = range(6)

Scalar = np.floating


@inlined
def derivative(u: Scalar, kind: int, threshold: Scalar, k: Scalar, inner: Scalar, one: Scalar, zero: Scalar) -> Scalar:
    """The surrogate derivative at membrane u, from the kind and the two numbers of `shape`."""
    away = abs(u - threshold)
    if kind == ATAN:
        z = inner * away
        return k / (one + z * z)
    if kind == FAST_SIGMOID:
        z = k * away + one
        return one / (z * z)
    if kind == SIGMOID:
        e = exp(-k * away)
        return k * e / ((one + e) * (one + e))
    if kind == TRIANGLE:
        z = one - k * away
        return k * (zero if z < zero else z)
    if kind == RECTANGLE:
        return k if k * away < inner else zero
    return k * exp(-k * away)


def by_kind(make: Callable[[int], Any]) -> Any:
    """A compiled function (kind, …) that does what `make(kind)` does, compiled for each kind apart."""
    atan, fast_sigmoid, sigmoid, triangle, exponential, rectangle = (make(kind) for kind in range(len(KINDS)))

    @inlined
    def choose(kind: int, *given: Any) -> None:
        if kind == ATAN:
            atan(*given)
        elif kind == FAST_SIGMOID:
            fast_sigmoid(*given)
        elif kind == SIGMOID:
            sigmoid(*given)
        elif kind == TRIANGLE:
            triangle(*given)
        elif kind == EXPONENTIAL:
            exponential(*given)
        else:
            rectangle(*given)

    return choose


def _slopes_with(kind: int) -> Any:
    @inlined
    def slopes(
        u: np.ndarray, d: np.ndarray, threshold: Scalar, k: Scalar, inner: Scalar, one: Scalar, zero: Scalar
    ) -> None:
        for m in range(u.size):
            d[m] = derivative(u[m], kind, threshold, k, inner, one, zero)

    return slopes


# one row d of derivatives at the membranes u: what else a step does is then compiled once, and not for every kind
slopes = by_kind(_slopes_with)


def shape(surrogate: Surrogate, k: float) -> tuple[int, float, float]:
    """Kind, k and inner of a surrogate with slope k, for `derivative`."""
    kind = KINDS.index(surrogate)
    return kind, k / 2 if kind == ATAN else k, 0.5 if kind == RECTANGLE else math.pi / 2 * k
