"""What is kept while launches are timed comes back as it was, from memory that malloc knows nothing of."""

import io
import sys

import pytest
import torch
from torch import Tensor, nn

from spikebench.sampling import pages
from spikebench.sampling.pages import Pages, Slot, copied, raw
from spikebench.verify.evidence import Kept


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool])
def test_a_tensor_comes_back(dtype: torch.dtype) -> None:
    kept = Pages()
    kept.put(torch.rand(5))
    values = [torch.rand(3, 5).mul(9).to(dtype), torch.rand(7, 2).t().mul(9).to(dtype), torch.empty(0, 4, dtype=dtype)]
    slots = [kept.put(v) for v in values]
    copies = [v.clone() for v in values]
    for value in values:
        value.zero_()
    assert all(isinstance(slot, Slot) for slot in slots)
    back = [kept.get(slot) for slot in slots]
    assert all(map(torch.equal, back, copies))
    torch.save(back, io.BytesIO())  # which refuses tensors of several dtypes in one memory


def test_what_is_larger_than_a_part_has_one_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PART", 128)
    kept, values = Pages(), [torch.rand(n) for n in (10, 100, 3, 40, 1)]
    slots = [kept.put(v) for v in values]
    assert all(torch.equal(kept.get(slot), v) for slot, v in zip(slots, values, strict=True))


def test_what_was_copied_of_a_launch_comes_back() -> None:
    made = Kept(torch.arange(3), 7, "ab", "", True, torch.rand(4, 3), None, [torch.rand(2), None], less_seed="cd")
    store = Pages()
    back = store.get_kept(store.put_kept(made))
    assert back.digest == made.digest
    assert (back.call, back.seed, back.whole, back.gradient, back.less, back.less_seed) == (
        7,
        "ab",
        True,
        None,
        [],
        "cd",
    )


def test_nothing_that_python_can_hook_is_asked_for_a_raw_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    value, heard, listening = torch.rand(3, 5), list[str](), [True]

    def hooked(*_: object) -> None:
        heard.append("a method of Tensor")

    sys.addaudithook(lambda event, _: heard.append(event) if listening else None)
    with monkeypatch.context() as patched:
        for name in (
            "data_ptr",
            "numel",
            "nbytes",
            "element_size",
            "is_contiguous",
            "detach",
            "clone",
            "layout",
            "device",
        ):
            patched.setattr(Tensor, name, property(hooked))
        heard.clear()
        taken, said = raw(value), list(heard)
    listening.clear()
    assert said == []
    before = value.clone()
    value.zero_()
    assert torch.equal(copied(value, taken)(), before)


@pytest.mark.parametrize(
    "value", [torch.rand(7, 2).t(), torch.rand(4).to_sparse(), nn.Parameter(torch.rand(2)), None], ids=type
)
def test_what_is_no_plain_contiguous_tensor_has_no_raw_copy(value: object) -> None:
    assert raw(value) is None
