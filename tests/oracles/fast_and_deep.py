"""Spike times of one sample by integrating the differential equations, with the roots that the integrator finds: no closed form.

u' = −u/τ + κI      I' = −I/τ_s      an event adds its weight to I, a spike takes θ off u      κ = g(1/τ_s − 1/τ)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

Array = NDArray[np.float64]
ACCURACY = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-13}


def spikes(weight: Array, lists: list[Array], end: float, neuron: Any, most: int) -> list[Array]:
    """The spike times of every neuron, by its weights [N, C] and the times of each channel."""
    at = sorted((t, c) for c, times in enumerate(lists) for t in times if t < end)
    return [_of_one(row, at, end, neuron, most) for row in weight]


def _of_one(row: Array, at: list[tuple[float, int]], end: float, neuron: Any, most: int) -> Array:
    kappa = neuron.gain * (1 / neuron.tau_s - 1 / neuron.tau)

    def moves(_: float, y: Array) -> list[float]:
        return [-y[0] / neuron.tau + kappa * y[1], -y[1] / neuron.tau_s]

    def above(_: float, y: Array) -> float:
        return y[0] - neuron.threshold

    above.terminal, above.direction = True, 1  # pyright: ignore[reportFunctionMemberAccess]  # as the integrator reads them
    found, y, now = list[float](), np.zeros(2), 0.0
    for t, channel in [*at, (end, -1)]:
        while now < t:
            passed = solve_ivp(moves, (now, t), y, events=above if len(found) < most else None, **ACCURACY)
            now, y = float(passed.t[-1]), passed.y[:, -1].copy()
            if passed.status == 1:
                found.append(now)
                y[0] -= neuron.threshold
        if channel >= 0:
            y[1] += row[channel]
    return np.array(found)


def loss(
    weights: list[Array], sample: list[Array], label: int, end: float, neuron: Any, most: int, scale: float
) -> float:
    """The loss of the first spikes of the last layer."""
    lists = sample
    for number, weight in enumerate(weights):
        lists = spikes(weight, lists, end, neuron, most if number < len(weights) - 1 else 1)
    logits = -np.array([times[0] if len(times) else end for times in lists]) / scale
    return float(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[label])
