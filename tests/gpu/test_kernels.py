"""Our Triton kernels on a GPU pass the gate: neurons, options, precisions, chunks, sizes."""

import pytest
import torch

from spikebench.cases.case import Case
from spikebench.loading.subject import neuron
from spikebench.verify import gate

SUBJECTS = [
    "lif@triton",
    "lif[reset=none,surrogate=triangle,learn_decay=true,learn_threshold=true]@triton",
    "lif[reset=hard,synapse_decay=0.7,input_scale=1-decay,learn_decay=true,surrogate=sigmoid]@triton",
    "lif[reset=hard,detach_reset=true,strict=true,surrogate=fast_sigmoid]@triton",
    "lif[reset_delay=true,learn_decay=true,learn_threshold=true]@triton",
    "lif@triton[chunk=32]",
    "lif@triton[save=checkpoints]",
    "lif@triton[spikes=bits]",
    "lif@triton[spikes=bits,save=checkpoints]",
    "spsn@triton",
    "spsn@triton[spikes=bits,chunk=32]",
    "spsn[mode=gs,tau=0.7]@triton",
    "spsn[estimator=straight-through]@triton",
    "spsn@triton[chunk=32]",
    "psu@triton",
    "psu[decay=0.7,threshold=0.4]@triton[chunk=32]",
    "exodus@triton",
    "exodus[synapse_decay=0.7,learn_decay=true,norm_input=true,v_min=-0.1,threshold=0.2]@triton",
    "exodus[max_spikes=2,synapse_decay=0.7]@triton[chunk=32]",
    "slayer[synapse_decay=0.7]@triton",
    "spike_sampler[state=4]@triton",
    "spike_sampler[state=64]@triton",
    "spike_sampler[state=6]@triton[form=dot,chunk=32]",
    "spike_sampler[state=64]@triton[form=dot]",
    "spike_sampler[state=64]@triton[form=dot,precision=tf32x3]",
]


def passes(case: Case) -> None:
    result = gate.gate(case)
    assert result.status == "passed", result.reason


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_are_their_definition(subject: str, dtype: str) -> None:
    passes(Case(subject, T=130, B=3, N=67, dtype=dtype, device="cuda"))


@pytest.mark.parametrize(
    "subject", ["lif@triton", "lif@triton[spikes=bits]", "spsn@triton", "psu@triton", "exodus@triton"]
)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(subject: str, dtype: str) -> None:
    passes(Case(subject, T=128, B=4, N=64, dtype=dtype, device="cuda"))


@pytest.mark.parametrize("sizes", [(1, 1, 1), (37, 1, 3), (2048, 1, 512), (128, 64, 1024), (64, 512, 512)])
@pytest.mark.parametrize("subject", ["lif@triton", "spsn@triton"])
def test_every_kernel_shape(subject: str, sizes: tuple[int, int, int]) -> None:
    passes(Case(subject, *sizes, device="cuda"))


def test_more_than_two_billion_numbers() -> None:
    """The last series are those of an input that holds them alone."""
    steps, series = 4200, 524_288
    if torch.cuda.mem_get_info()[0] < 20 * 2**30:
        pytest.skip("needs 20 GiB of free GPU memory")
    x = torch.randn(steps, 1, series, device="cuda", dtype=torch.bfloat16)
    lif = neuron("lif@triton[spikes=uint8]", device="cuda", dtype=torch.bfloat16)
    with torch.no_grad():
        last = x[:, :, -1000:].contiguous()
        assert torch.equal(lif(x)[:, :, -1000:], lif(last))


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (70, 3, 33, 66), (1000, 8, 512, 512)])
@pytest.mark.parametrize("dtype, limit", [(torch.float64, 1e-13), (torch.float32, 1e-6), (torch.bfloat16, 0.02)])
def test_a_linear_reads_bits(sizes: tuple[int, int, int, int], dtype: torch.dtype, limit: float) -> None:
    """Against torch's product in float64: the error of a float32 weight's product is that of float32 numbers."""
    steps, batch, n, out = sizes
    x = torch.randn(steps, batch, n, device="cuda", dtype=dtype) + 0.2
    layer = torch.nn.Linear(n, out, device="cuda", dtype=dtype)
    wide = torch.nn.Linear(n, out, device="cuda", dtype=torch.float64)
    wide.load_state_dict({k: v.double() for k, v in layer.state_dict().items()})
    s = neuron("lif@triton[spikes=bits]", device="cuda", dtype=dtype)(x.requires_grad_())
    dense = neuron("lif@triton", device="cuda", dtype=dtype)(x).detach().double()
    g = torch.randn(steps, batch, out, device="cuda").to(dtype)
    y, want = layer(s), wide(dense)
    found = [y, *torch.autograd.grad(y, [layer.weight, layer.bias], g)]
    expected = [want, *torch.autograd.grad(want, [wide.weight, wide.bias], g.double())]
    for a, b in zip(found, expected, strict=True):
        assert float((a.double() - b).abs().max()) <= limit * float(b.abs().max())
