"""SpikingJelly's Triton backend against its PyTorch backend, 12.4x at 32 steps"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison

_LIF = "lif[decay=0.5,input_scale=1-decay,reset=hard,surrogate=sigmoid,slope=4.0]"
_CLAIMED = {32: Number("12.4x", 41.87 / 3.37), 4: Number("1.3x", 0.99 / 0.77)}


def _at(T: int, device: str) -> PlannedComparison:
    cpu = device == "cpu"
    return PlannedComparison(
        Case("lif", T=T, B=64, N=1024 if cpu else 65536, device=device, dtype="float32" if cpu else "float16"),
        baseline=f"{_LIF}@indexed",
        candidate=f"{_LIF}@fused",
        strong=(f"{_LIF}@eager", f"{_LIF}@fused"),
        claimed=_CLAIMED[T],
        scaled=cpu,
        met=f"{T} steps, batch 64, LIF with time constant 2, hard reset and a sigmoid of slope 4, forward and backward; a loop "
        "that takes x[t], as theirs",
        differs="; ".join(
            [*["float32 for float16, 1,024 neurons for 65,536"] * cpu, "our loop and kernel in place of theirs"]
        ),
    )


CLAIM = Claim(
    paper="SpikingJelly, documentation of the Triton backend",
    sentence="RTX 4090, float16, forward and backward, 32 steps: PyTorch 41.87 ms, CuPy 5.19 ms, Triton 3.37 ms; 4 steps: "
    "0.99, 0.67, 0.77 ms (in short)",
    where="triton_backend.rst in the library's repository",
    read="code",
    claimed=_CLAIMED[32],
    setting="LIFNode as it comes (time constant 2, hard reset), sigmoid of slope 4, 64 x 65,536 neurons, float16",
    known=True,
    hardware="RTX 4090",
    timed="triton's do_bench of forward and backward",
    scaled=tuple(_at(T, "cpu") for T in _CLAIMED),
    full=tuple(_at(T, "cuda") for T in _CLAIMED),
    budget=90.0,
    value=61,
)
