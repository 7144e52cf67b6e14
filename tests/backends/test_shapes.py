"""Which shape a kernel gets: what was asked for, what was tuned, what the model finds; and the model against an H100."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton", reason="triton is not installed")

from spikebench.backends.triton import _predict, _shapes
from spikebench.backends.triton._shapes import Kernel, Options, Shape

FORWARD = Kernel()
FREE = Options()
TILED = Kernel(rows=(4, 8, 16, 32), cut=True)
CARD = "Test Card 1"
RULE = {"kernel": "some.forward", "dtype": "float32", "M": [1000, 2000], "T": [0, 500]}


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(_shapes, "declared", {"some.forward": TILED}.__getitem__)
    monkeypatch.setattr(_shapes, "TUNED", tmp_path)
    shape = {"block": 64, "warps": 2, "rows": 8, "stages": 1, "chunk": 128}
    monkeypatch.setattr(
        _shapes, "file_of", lambda device: tmp_path / "card.json" if device == CARD else tmp_path / "no"
    )
    (tmp_path / "card.json").write_text(json.dumps({"rules": [RULE | {"shape": shape}]}))
    yield
    for found in (_shapes.chosen, _shapes.modelled, _shapes.rules):
        found.cache_clear()


def given(steps: int, count: int, asked: Options = FREE, dtype: torch.dtype = torch.float32) -> Shape:
    return _shapes.sized("some.forward", torch.empty(steps, count, dtype=dtype, device="meta"), asked)[1]


def test_what_is_asked_comes_before_what_is_tuned_and_that_before_the_model() -> None:
    model = _shapes.modelled("some.forward", torch.float32, 300, 1500)
    best = Shape(64, 2, 8, 1, 128)
    assert given(300, 1500) == model != best
    with _shapes.assumed(CARD):
        assert given(300, 1500, Options(chunk=None, block=0, warps=0)) == best
        assert given(300, 1500, Options(block=32, chunk=0)) == Shape(32, 2, 8, 1, 0)
        assert given(300, 1500, Options(rows=4)) == Shape(64, 2, 4, 1, 128)
        with _shapes.forced({"some.forward": Shape(128, 4, 16)}):
            assert given(300, 1500) == Shape(128, 4, 16)
            assert given(300, 1500, Options(warps=1)) == Shape(128, 1, 16)
        assert given(300, 1500) == best


@pytest.mark.parametrize("size, dtype", [((500, 1500), "float32"), ((300, 2000), "float32"), ((300, 999), "float32")])
def test_a_rule_holds_in_its_ranges_and_not_beyond(size: tuple[int, int], dtype: str) -> None:
    with _shapes.assumed(CARD):
        assert given(*size) == _shapes.modelled("some.forward", torch.float32, *size)
        assert given(300, 1500, dtype=torch.bfloat16) == _shapes.modelled("some.forward", torch.bfloat16, 300, 1500)


def test_a_file_with_an_unknown_field_is_named(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(json.dumps({"rules": [RULE | {"shape": {"lanes": 3}}]}))
    with pytest.raises(ValueError, match=r"card\.json.*lanes.*spikebench tune"), _shapes.assumed(CARD):
        given(300, 1500)


def test_candidates_fit_the_size_and_the_dtype() -> None:
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        found = TILED.shapes(dtype, 300, 64)
        assert len(set(found)) == len(found)
        assert all(s.block // (32 * s.warps) <= min(4, 16 // dtype.itemsize, 2) for s in found)
        assert {s.chunk for s in found} == {0, 64, 128}
    assert {s.stages for s in FORWARD.shapes(torch.float32, 300, 64)} == set(_shapes.DEPTHS)
    own = (Shape(32, 1, 4),)
    assert Kernel(candidates=own).shapes(torch.float32, 9, 9) == own
    assert Kernel(candidates=lambda dtype, steps, count: (Shape(count, 1),)).shapes(torch.float32, 9, 64)[0].block == 64


@pytest.mark.parametrize("steps, count, each, stages, took", _predict.MEASURED)
def test_the_model_says_what_an_h100_took(steps: int, count: int, each: int, stages: int, took: float) -> None:
    assert abs(_predict.loops(steps, count, each, stages) / took - 1) < 0.03


def test_the_model_takes_chunks_where_few_series_run_long_and_none_where_many_do() -> None:
    assert _shapes.modelled("some.forward", torch.float32, 16_384, 512).chunk > 0
    assert _shapes.modelled("some.forward", torch.float32, 1024, 65_536).chunk == 0
