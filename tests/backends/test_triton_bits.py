"""Spikes sent as bits: kernels that pack, neurons that send and a Linear that reads them, interpreted and compiled."""
# what is imported last needs triton

import importlib
from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("triton")

from interpreted_triton import current
from interpreting import Interpreted
from test_triton_passes import neurons

import spikebench as sb
from spikebench.backend import Refused
from spikebench.backends.triton import _aot, _bits, _launch, lif, psu
from spikebench.cases.case import Case, with_changes
from spikebench.experiments import ahead
from spikebench.neurons.lif import LIF
from spikebench.neurons.psu import PSU
from spikebench.numerics import bits
from spikebench.numerics.bits import Packed
from spikebench.verify.gate import gate

INTERPRETED = _launch.interpreted()
interpreted = pytest.mark.skipif(not INTERPRETED, reason="runs in the process that test_interpreted starts")
compiled = pytest.mark.skipif(INTERPRETED, reason="compiling needs triton as it is")
DTYPES = (torch.float64, torch.float32, torch.bfloat16)
SIZES = [(1, 1, 1), (31, 1, 3), (33, 1, 131), (70, 3, 7)]


def slowly(cases: Iterable[Any]) -> list[Any]:
    """Cases that only --slow runs."""
    return [pytest.param(*case, marks=pytest.mark.slow) for case in cases]


@interpreted
@pytest.mark.parametrize("size, dtype", list(zip(SIZES, (*DTYPES, torch.float32), strict=True)))
def test_kernels_pack_and_unpack_as_torch_does(size: tuple[int, int, int], dtype: torch.dtype) -> None:
    s = (torch.rand(size) < 0.4).to(dtype)
    packed = _bits.pack(s)
    assert torch.equal(packed.words, bits.pack(s)) and torch.equal(_bits.unpack(packed), s)
    assert _bits.unpack(packed).dtype == dtype


def same(run: Any, neuron: Any, x: Tensor, g: Tensor, **how: Any) -> None:
    """The words are those of the spikes that are sent as numbers, and the gradients are the same numbers."""
    wanted = [x, *(p for p in neuron.parameters() if p.requires_grad)]
    neuron.calls = 0
    plain = run(neuron, x, **how)
    neuron.calls = 0
    sent = run(neuron, x, spikes="bits", **how)
    assert (
        type(sent) is Packed
        and torch.equal(sent.words, bits.pack(plain.detach()))
        and 0 < float(plain.detach().mean()) < 1
    )
    found, expected = (torch.autograd.grad(s, wanted, g, retain_graph=True) for s in (sent, plain))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    neuron.calls = 0
    with torch.no_grad():
        assert torch.equal(run(neuron, x, spikes="bits", **how).words, sent.words)


HOW: list[dict[str, Any]] = [{}, {"rows": 8}, {"rows": 1, "stages": 4}, {"save": "checkpoints"}]
HOW += [{"save": "checkpoints", "rows": 8}, {"save": "checkpoints", "chunk": 12}]


STEPS = [(71, torch.float64), (32, torch.float32), (5, torch.bfloat16)]
FEW = [(HOW[n], *STEPS[n % 3]) for n in range(6)]


@interpreted
@pytest.mark.parametrize(
    "how, steps, dtype", [*FEW, *slowly((h, *s) for h in HOW for s in STEPS if (h, *s) not in FEW)]
)
def test_lif_sends_the_same_spikes_and_gets_the_same_gradients(how: Any, steps: int, dtype: torch.dtype) -> None:
    x, g = current(dtype, 0.2, (steps, 3, 11))
    same(lif.run, LIF(learn_decay=True, learn_threshold=True).to(dtype), x, g, block=32, **how)


@interpreted
def test_no_bit_is_set_after_the_last_step() -> None:
    """A neuron that always fires."""
    for how in ({}, {"rows": 8}, {"save": "checkpoints"}):
        sent = lif.run(
            LIF(threshold=-1.0, reset="none"), torch.ones(37, 1, 5, requires_grad=True), spikes="bits", **how
        )
        assert isinstance(sent, Packed) and sent.words.tolist() == [[[-1] * 5], [[31] * 5]]


CHUNKED: list[dict[str, Any]] = [{"rows": 4, "chunk": 0}, {"rows": 16, "chunk": 20}]


@interpreted
@pytest.mark.parametrize("place, how", [(2, CHUNKED[1]), *slowly(product((0, 4, 6, 7, 9), CHUNKED))])
def test_the_other_neurons_send_them_too(place: int, how: dict[str, Any]) -> None:
    """In chunks of whole words, too: that of 20 steps becomes one of 32."""
    torch.manual_seed(3)
    name, neuron, mean = neurons(40)[place]
    x, g = current(torch.float64, mean, (40, 1, 11))
    same(importlib.import_module(f"spikebench.backends.triton.{name}").run, neuron.double(), x, g, **how)


PRECISE = [(torch.float64, 1e-13), (torch.float32, 1e-6), (torch.bfloat16, 0.02)]
SHAPES = [(37, 3, 19, 5), (70, 1, 33, 66), (1, 1, 1, 1)]


@interpreted
@pytest.mark.parametrize("precise, shape", [*zip(PRECISE, SHAPES, strict=True), *slowly(product(PRECISE, SHAPES))])
def test_a_linear_reads_bits(precise: tuple[torch.dtype, float], shape: tuple[int, int, int, int]) -> None:
    """Against torch's product in float64: the error of a float32 weight's product is that of float32 numbers."""
    torch.manual_seed(1)
    (dtype, limit), (steps, batch, n, out) = precise, shape
    x, _ = current(dtype, 0.6, (steps, batch, n))
    layer, neuron = nn.Linear(n, out, dtype=dtype), LIF().to(dtype)
    wide = nn.Linear(n, out, dtype=torch.float64)
    wide.load_state_dict({k: v.double() for k, v in layer.state_dict().items()})
    s = lif.run(neuron, x, spikes="bits")
    y, want_s = layer(s), lif.run(neuron, x).detach().double().requires_grad_()
    want, g = wide(want_s), torch.randn(steps, batch, out).to(dtype)
    assert y.dtype == dtype and near(y, want, limit)
    found = torch.autograd.grad(y, [s, layer.weight, layer.bias], g)
    expected = torch.autograd.grad(want, [want_s, wide.weight, wide.bias], g.double())
    assert all(a.dtype == dtype and near(a, b, limit) for a, b in zip(found, expected, strict=True))


def near(found: Tensor, wanted: Tensor, limit: float) -> bool:
    found, wanted = found.detach().double(), wanted.detach()
    return float((found - wanted).abs().max()) <= limit * float(wanted.abs().max())


@interpreted
def test_a_network_learns_the_same_with_bits_between_its_layers() -> None:
    """The gradient of the first weights comes through the second Linear, the neuron's surrogate and the first Linear."""
    grads = []
    for sent in ("same", "bits"):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Linear(5, 7), sb.neuron(f"lif@triton[spikes={sent}]", N=7, T=40), nn.Linear(7, 3)
        ).double()
        out = net(torch.randn(40, 2, 5, dtype=torch.float64) * 3)
        grads.append([out, *torch.autograd.grad(out.square().sum(), list(net.parameters()))])
    assert all(near(a, b, 1e-12) and float(b.detach().abs().max()) > 0 for a, b in zip(*grads, strict=True))


CASES = [
    ("lif@triton[spikes=bits,save=checkpoints]", "train", "bfloat16"),
    ("lif@triton[spikes=bits]", "train", "float32"),
]
CASES += [("psu@triton[spikes=bits]", "train", "float64"), ("spsn@triton[spikes=bits]", "train", "bfloat16")]


@interpreted
@pytest.mark.parametrize("subject, mode, dtype", [("lif@triton[spikes=uint8]", "inference", "float32"), *slowly(CASES)])
def test_the_gate_compares_what_is_sent(subject: str, mode: Any, dtype: Any) -> None:
    found = gate(Case(subject, T=40, B=2, N=9, mode=mode, dtype=dtype), seed=3)
    assert found.status == "passed" and found.probes, found.reason


@interpreted
def test_the_gate_sees_wrong_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    right = _bits.packed

    def wrong(words: Tensor, like: Tensor) -> Packed:
        return right(words | 1, like)

    monkeypatch.setattr(_bits, "packed", wrong)
    found = gate(Case("lif@triton[spikes=bits]", T=40, B=2, N=9), seed=3)
    assert found.status == "failed" and "spike differs" in str(found.reason)


@pytest.mark.parametrize("subject", ["lif@triton[spikes=bits]", "psu@triton[spikes=bits]"])
@pytest.mark.parametrize("steps", [130, 128])
def test_declared_bytes_are_those_of_the_tensors(subject: str, steps: int) -> None:
    made = LIF() if subject.startswith("lif") else PSU()
    run = lif.run if subject.startswith("lif") else psu.run
    touched = 0
    for launch in _aot.launches(run, made, (steps, 3, 67), torch.float32, spikes="bits"):
        for name, v in launch.arguments.items():
            if isinstance(v, Tensor) and (v.numel() == steps * 3 * 67 or name in ("kept", "words")):
                touched += v.nbytes
    case = Case(subject, steps, 3, 67)
    declared = importlib.import_module(f"spikebench.backends.triton.{case.parsed.name}").moves
    assert touched == declared(case) + declared(with_changes(case, mode="inference"))


def test_the_words_that_are_sent_are_those_that_are_kept() -> None:
    case = Case("lif@triton[spikes=bits,save=checkpoints]", 128, 4, 64)
    kept = 2 * 4 * 4 * 4 * 64  # a state of every tile, written and read
    assert lif.moves(case) == 4 * 4 * 128 * 4 * 64 + kept + 2 * 4 * 4 * 4 * 64
    made = _aot.launches(lif.run, LIF(), (128, 4, 64), torch.float32, spikes="bits", save="checkpoints")[0].arguments
    assert made["words"] is None and made["s"] is None and isinstance(made["bits"], Tensor)


def test_the_kernels_of_the_next_layer_are_compiled_ahead() -> None:
    """Of a case that sends bits: those of a Linear as wide, too, so that a visit to a GPU compiles nothing."""
    found = ahead.launches(Case("lif@triton[spikes=bits]", 64, 2, 16, device="cuda"))
    assert {"product_kernel", "by_weight_kernel"} <= {launch.kernel.__name__ for launch in found}


def test_what_cannot_be_sent_is_refused() -> None:
    with pytest.raises(Refused, match="take 1, 2, 4, 8, 16 or 32"), _launch.recording():
        lif.run(LIF(), torch.zeros(3, 1, 2, device="meta"), spikes="bits", rows=5)
    with pytest.raises(Refused, match="takes 3 neurons, not 2"), _launch.recording():
        nn.Linear(3, 1, device="meta")(lif.run(LIF(), torch.zeros(3, 1, 2, device="meta"), spikes="bits"))


@pytest.mark.timeout(300)
@pytest.mark.interprets("backends/test_triton_bits.py")
@compiled
@pytest.mark.long
def test_interpreted(interpreted: Interpreted) -> None:
    """The tests above in a process of their own."""
    passed, _ = interpreted.passed("test_triton_bits")
    assert passed > 0
