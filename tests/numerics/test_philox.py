"""Philox: the published test vectors, and the same bits from every implementation."""

import subprocess
import sys

import pytest
import torch

from spikebench.neurons.spsn import SPSN
from spikebench.numerics import philox

VECTORS = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0), "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_known_answers_of_random123(counter: tuple[int, ...], key: tuple[int, ...], expected: str) -> None:
    index = torch.tensor(
        [counter[0] | counter[1] << 32 if counter[1] < 2**31 else (counter[0] | counter[1] << 32) - 2**64]
    )
    words = philox.words(key[0] | key[1] << 32, counter[3], counter[2], index)
    assert " ".join(f"{int(w):08x}" for w in words) == expected


@pytest.mark.parametrize(("steps", "series"), [(1, 1), (4, 3), (7, 2050), (129, 33)])
def test_compiled_and_plain_draw_the_same_bits(steps: int, series: int) -> None:
    pytest.importorskip("numba")
    seed = 0x0123_4567_89AB_CDEF
    drawn = philox.uniforms(seed, 5, 2, (steps, series))
    assert torch.equal(drawn, philox.plain(seed, 5, 2, steps, series, "cpu"))


def test_uniforms_are_uniform_and_never_one() -> None:
    drawn = philox.uniforms(1, 0, 0, (1000, 200)).double()
    assert 0 <= float(drawn.min()) and float(drawn.max()) < 1
    assert abs(float(drawn.mean()) - 0.5) < 4 * (1 / 12 / drawn.numel()) ** 0.5
    assert abs(float(drawn.var()) - 1 / 12) < 1e-3


def test_calls_sites_and_seeds_name_different_noise() -> None:
    shape = (64, 64)
    first = philox.uniforms(1, 0, 0, shape)
    for other in (philox.uniforms(1, 1, 0, shape), philox.uniforms(1, 0, 1, shape), philox.uniforms(2, 0, 0, shape)):
        assert int((first == other).sum()) < 5


@pytest.mark.long
def test_drawing_leaves_torch_its_threads() -> None:
    """In a fresh process, because only numba's first parallel call ever changed them."""
    program = """
import torch
from spikebench.neurons.spsn import SPSN
from spikebench.numerics import philox
for wanted in (1, 2):
    torch.set_num_threads(wanted)
    philox.uniforms(1, 0, 0, (8, 8))
    assert torch.get_num_threads() == wanted, torch.get_num_threads()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_uniforms_of_half_the_precision_are_never_one_either() -> None:
    drawn = torch.tensor([0.0, 0.5, 0.998, 1 - 2**-24])
    for dtype in (torch.bfloat16, torch.float16):
        found = philox.narrowed(drawn, dtype)
        assert found.dtype == dtype and bool((found < 1).all()) and float(found[2]) > 0.99
        assert torch.equal(found[:2].float(), drawn[:2])
    assert torch.equal(philox.narrowed(drawn, torch.float32), drawn)


def test_a_neuron_whose_probability_is_one_fires_in_half_precision() -> None:
    """One uniform in 500 rounds to 1 in bfloat16, and would not be below a probability of 1."""
    neuron = SPSN()
    drawn = neuron.draw(torch.empty(64, 8, 64, dtype=torch.bfloat16))
    assert drawn.dtype == torch.bfloat16 and bool((drawn < 1).all())
    assert bool((philox.uniforms(neuron.seed, 0, neuron.site, (64, 8, 64)).bfloat16() == 1).any())
