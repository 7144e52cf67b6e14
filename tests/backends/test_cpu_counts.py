"""What SPSN and PSU compute for what they move: instructions read from their compiled loops, and the table of them."""

import pytest

pytest.importorskip("numba")

from spikebench.backends.cpu._kernels import psu, spsn
from spikebench.backends.cpu._runtime import counts

pytestmark = pytest.mark.slow  # kernels are compiled without a cache


def test_instructions_of_a_line_and_a_step() -> None:
    """Four multiplications a round of Philox draw the four steps of a line, but for those of the first round that are known."""
    forward, backward = counts.instructions(spsn.forward, 8), counts.instructions(spsn.backward, 4)
    if not forward:
        pytest.skip("a line of 64 bytes is no register of this processor")
    assert forward["reciprocals"] == counts.instructions(psu.forward, 4)["reciprocals"] == 1
    assert 30 <= forward["integers"] <= 40 and 20 <= forward["arithmetic"] <= 26
    assert backward["arithmetic"] == 4 and backward["integers"] == backward["reciprocals"] == 0


def test_a_loop_that_is_not_there_has_no_instructions() -> None:
    assert counts.instructions(spsn.backward, 1000) == {}


def test_bytes_are_those_of_the_tensors() -> None:
    """x and s, and slopes; g, slopes and x's gradient. PSU keeps two states of 16 steps instead, and reads x again."""
    assert counts.bytes_a_number("spsn") == (12, 12) and counts.bytes_a_number("psu") == (8.5, 12.5)


def test_the_table_has_every_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "seconds_a_number", {"spsn": (2e-9, 1e-12), "psu": (0.0, 0.0)}.__getitem__)
    monkeypatch.setattr(counts, "seconds_a_byte", lambda: 1e-10)
    found = counts.text()
    assert found.count("\n|") == 1 + 4 and "2.000" in found
    assert "spsn: at most 0.75" in found  # 1.2 + 1.2 ns by bytes, 2 + 1.2 with what is computed
    assert "psu: at most 1.00" in found
