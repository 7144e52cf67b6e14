"""SATA's estimate, counted once more by hand for one layer after the other, and what its claims say of it."""

import pytest

from spikebench import claim as claims
from spikebench.claims import _sata as sata

# C, K, side of the image; the last one is linear
CONVOLUTIONS = ((3, 64, 32), (64, 128, 16), (128, 128, 16))


def products(of_linear: float = 1.0, of_convolutions: float = 1.0) -> float:
    return of_convolutions * sum(c * 9 * k * e * e for c, k, e in CONVOLUTIONS) + of_linear * 8192 * 1024


def test_the_operations_are_those_of_the_table() -> None:
    neurons = 64 * 1024 + 128 * 256 * 2 + 1024
    fire = 0.00967 + 0.00309 + 2 * 0.00172 + 3 * 0.0301 + 0.00605 + 0.239 + 2 * 0.00967 + 0.00172 + 2 * 0.00605
    for sparse, spikes, gradients in ((False, 1.0, 1.0), (True, 0.1, 0.3)):
        each = 2 * spikes * (0.0389 + 0.000794) + gradients * (0.239 + 0.0389)
        want = 8e-12 * (neurons * fire + products() * each)
        assert sata.spiking(sparse).computation == pytest.approx(want, rel=1e-12)
    public = 8e-12 * (neurons * fire + products(of_convolutions=0) * (2 * 0.039694 + 0.2779))
    assert sata.spiking(True, public=True).computation == pytest.approx(public, rel=1e-12)
    assert sata.spiking(False, public=True) == sata.spiking(True, public=True), (
        "the code as it stands forgets the sparsity"
    )


def test_memory_is_counted_alike_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    w, came, gave = 8192 * 1024, 8192, 1024
    monkeypatch.setattr(sata, "VGG5", (sata.Layer(w, w, gave, came, linear=True),))
    once = (3 * w + 2 * gave + 2 * came, 7 * w + 10 * gave + 5 * came, 9 * w + 2 * gave + 3 * came)
    assert sata.accesses(1, 1) == pytest.approx(55.58 * once[0] + 1.95 * once[1] + 0.2779 * once[2], rel=1e-12)
    many = (3 * w + 16 * gave + 2 * came, 21 * w + 80 * gave + 5 * came, 37 * w + 16 * gave + 3 * came)
    assert sata.accesses(8, 8) == pytest.approx(55.58 * many[0] + 1.95 * many[1] + 0.2779 * many[2], rel=1e-12)


def test_the_claims_say_what_the_estimate_gives() -> None:
    assert "3.89x for the computation, and 1.07x with memory" in claims.load("sata_sparsity").absent
    assert "1.25x, or 1.24x as their code stands" in claims.load("sata_training").absent
