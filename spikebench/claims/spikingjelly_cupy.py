"""SpikingJelly's Triton backend against its CuPy backend, 1.54x at 32 steps"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison

_SET = "lif[decay=0.5,input_scale=1-decay,reset=hard,surrogate=sigmoid,slope=4.0]"


def _at(lif: str, T: int, B: int, N: int) -> PlannedComparison:
    sizes = f"{T:,} steps, batch {B}, {N:,} neurons"
    as_published = lif == _SET
    return PlannedComparison(
        Case("lif", T=T, B=B, N=N, device="cuda"),
        baseline=f"{lif}@spikingjelly[provider=cuda]",
        candidate=f"{lif}@spikingjelly[provider=triton]",
        strong=(f"{lif}@spikingjelly[provider=triton]", f"{lif}@fused"),
        met=f"{sizes}, both of their own kernels, forward and backward{', LIF as theirs' * as_published}",
        differs="the CUDA extension that came in the place of their CuPy kernels, float32 for float16"
        + "; another size, and a LIF with soft reset" * (not as_published),
    )


CLAIM = Claim(
    paper="SpikingJelly, documentation of the Triton backend",
    sentence="RTX 4090, float16, forward and backward, 32 steps: PyTorch 41.87 ms, CuPy 5.19 ms, Triton 3.37 ms; 4 steps: "
    "0.99, 0.67, 0.77 ms (in short)",
    where="triton_backend.rst in the library's repository",
    read="code",
    claimed=Number("1.54x", 5.19 / 3.37),
    setting="LIFNode as it comes (time constant 2, hard reset), sigmoid of slope 4, 64 x 65,536 neurons, float16",
    known=True,
    hardware="RTX 4090",
    timed="triton's do_bench of forward and backward",
    caveat="Our adapter to the library computes in float32 alone.",
    full=(_at(_SET, 32, 64, 65536), _at("lif", 1024, 32, 512)),
    budget=60.0,
    value=47,
)
