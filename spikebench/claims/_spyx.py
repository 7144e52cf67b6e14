"""What the claims on spyx's profile of a layer share."""

from typing import Literal

from spikebench.cases.case import Case, Mode
from spikebench.claim import Claim, Statement

SIZES: dict[str, tuple[tuple[int, int], ...]] = {  # N and T; on a CPU the smaller of theirs
    "cpu": ((64, 64), (64, 256), (64, 1024), (256, 64), (256, 256), (1024, 64)),
    "cuda": tuple((n, T) for n in (64, 256, 1024) for T in (64, 256, 1024)),
}


def at_most(number: float, mode: Mode, device: Literal["cpu", "cuda"]) -> Statement:
    """Whether the neurons add at most so much of the Linear's time at every one of their sizes."""
    return Statement(
        tuple(Case("lif@fused", T, 64, n, mode, workload="projection", device=device) for n, T in SIZES[device]),
        "neuron_share",
        "over_linear",
        at_most=number,
        met=f"{len(SIZES[device])} of their nine sizes, B = 64, Linear(N, N) and LIF",
        differs="our fused kernel for their compiled scan; a Linear with a bias; what the neurons add to the layer, where "
        "theirs is the time of the neurons alone",
    )


def claim(sentence: str, mode: Mode, on_cpu: float, on_gpu: float) -> Claim:
    """A claim about one mode: the largest ratio that they print for a CPU, and for a GPU."""
    return Claim(
        paper="spyx, a profile of matrix product and neuron before writing a Pallas kernel, pull requests 57 and 58, 2026",
        sentence=sentence,
        where="descriptions of the pull requests, and the recorded times in research/new/pallas_neurons",
        read="primary",
        claimed=None,
        setting="Linear(N, N) without bias and LIF through jax.lax.scan, batch 64, N and T 64, 256 and 1,024",
        known=True,
        hardware="Radeon 8060S; a CPU whose model was not read",
        timed="medians of 20 calls, the Linear and the neuron apart, compiled",
        scaled=(at_most(on_cpu, mode, "cpu"),),
        full=(at_most(on_gpu, mode, "cuda"),),
        caveat="The largest ratio of their table stands for the statement. Their Linear runs once for each time step.",
        device="any",
        budget=90.0,
        value=45,
    )
