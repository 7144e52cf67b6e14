"""A fused LIF kernel against a PyTorch loop of the same library, 6.9x at 16,384 neurons"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison

_COMPILED = "lif@compiled[chunk=32]"  # the best chunk, see _yarga.py


def _at(N: int, device: str) -> PlannedComparison:
    return PlannedComparison(
        Case("lif", T=500, B=16, N=N, workload="network", network="onm", device=device),
        baseline="lif@indexed",
        candidate="lif@fused",
        strong=(_COMPILED, "lif@fused"),
        steps=("lif@indexed", "lif@eager", _COMPILED, *["lif@cudagraph"] * (device == "cuda"), "lif@fused"),
        scaled=device == "cpu",
        met="a linear layer and LIF, batch 16, 500 steps, forward and backward; a loop that takes x[t], as SpikingJelly's",
        differs="; ".join(
            [
                *[f"{N} neurons for 16,384"] * (N != 16384),
                "our LIF and our kernel in place of SpikingJelly's two; synchronised",
            ]
        ),
    )


CLAIM = Claim(
    paper="Open Neuromorphic, Spiking Neural Network (SNN) Library Benchmarks, open-neuromorphic.org, 2023 and 2024",
    sentence="16,384 neurons, forward and backward: SpikingJelly with CuPy 0.023 + 0.233 s, with PyTorch 0.365 + 1.401 s",
    where="data.csv of the benchmark's repository",
    read="code",
    claimed=Number("6.9x", (0.365 + 1.401) / (0.023 + 0.233)),
    setting="Linear(n, n) and LIF, batch 16, 500 steps, n = 4,096 to 16,384",
    known=True,
    hardware="GPU; RTX 3090, later RTX 4090, according to its text",
    timed="timeit around forward and around backward, without waiting for the GPU; one warm-up",
    caveat="Forward and backward times that do not wait for the GPU may count each other's work; their sum is used here.",
    scaled=(_at(512, "cpu"),),
    full=(_at(16384, "cuda"), _at(4096, "cuda")),
    budget=120.0,
    value=62,
)
