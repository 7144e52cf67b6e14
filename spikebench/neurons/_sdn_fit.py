"""`python -m spikebench.neurons._sdn_fit` trains the network of `sdn` on a LIF and writes `_sdn.json`; half a minute.

The network is asked for 0.125·v_{t-1} of a LIF with hard reset under a Gaussian current, whose mean and spread differ from
series to series. No batch normalisation: the authors' is folded into the weights after training, too.
"""

import json

import torch
from torch import Tensor, nn

from spikebench.neurons.sdn import WEIGHTS, WINDOW, predicted

DECAY, CHANNELS = 0.125, 8
SEED, STEPS, LENGTH, SERIES = 0, 6000, 32, 512
RATE, WEIGHT_DECAY = 0.01, 1e-4
MEAN, SPREAD = (-1.0, 1.5), (0.1, 1.5)


def drive(generator: torch.Generator, series: int) -> Tensor:
    """Currents [T, B, 1] of all kinds."""
    low, high = (torch.tensor(part) for part in zip(MEAN, SPREAD, strict=True))
    mean, spread = (low[:, None] + (high - low)[:, None] * torch.rand(2, series, generator=generator)).unbind()
    return (mean + spread * torch.randn(LENGTH, series, generator=generator))[..., None]


def left(y: Tensor) -> tuple[Tensor, Tensor]:
    """What is left of the membrane before each step, and the spikes, [T, B, 1]."""
    v, before, spikes = torch.zeros_like(y[0]), [], []
    for y_t in y.unbind(0):
        before.append(DECAY * v)
        u = DECAY * v + y_t
        spikes.append((u >= 1).to(y.dtype))
        v = u * (1 - spikes[-1])
    return torch.stack(before), torch.stack(spikes)


def fit(steps: int = STEPS) -> dict[str, object]:
    """The trained numbers, and how they were made."""
    generator = torch.Generator().manual_seed(SEED)
    shapes = {"window": (CHANNELS, WINDOW), "mix": (CHANNELS, CHANNELS), "out": (1, CHANNELS)}
    parts: dict[str, nn.Parameter] = {}
    for name, (rows, columns) in shapes.items():
        wide = columns**-0.5
        parts[name] = nn.Parameter(wide * (2 * torch.rand(rows, columns, generator=generator) - 1))
        parts[f"{name}_bias"] = nn.Parameter(wide * (2 * torch.rand(rows, generator=generator) - 1))
    optimiser = torch.optim.AdamW(parts.values(), lr=RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        y = drive(generator, SERIES)
        loss = nn.functional.smooth_l1_loss(predicted(y, parts), left(y)[0], beta=0.01)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    y = drive(generator, 64 * SERIES)
    with torch.no_grad():
        got = predicted(y, parts)
    wanted, spikes = left(y)
    differ = (got + y >= 1) != spikes.bool()
    made: dict[str, object] = {
        "by": "python -m spikebench.neurons._sdn_fit",
        "torch": torch.__version__,
        "seed": SEED,
        "steps": steps,
        "mean_error": float((got - wanted).abs().mean()),
        "differ": float(differ.sum() / ((got + y >= 1) | spikes.bool()).sum()),
    }
    return {"made": made, "weights": {k: v.detach().tolist() for k, v in parts.items()}}


if __name__ == "__main__":
    torch.set_num_threads(1)  # sums in one order
    WEIGHTS.write_text(json.dumps(fit(), indent=1) + "\n", encoding="utf-8")
