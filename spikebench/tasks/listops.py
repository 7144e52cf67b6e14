"""ListOps of the Long Range Arena: nested MIN, MAX, MED and SM of digits; which digit is it? Made here."""

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from spikebench.errors import Problem
from spikebench.task import Batch, Dataset, Sequences
from spikebench.units import Count, Natural

LICENCE = "made here; no data"
URL = "https://github.com/google-research/long-range-arena"
SOURCE = (
    "@inproceedings{tay2021long, author={Tay, Yi and Dehghani, Mostafa and Abnar, Samira and Shen, Yikang and Bahri, Dara"
    " and Pham, Philip and Rao, Jinfeng and Yang, Liu and Ruder, Sebastian and Metzler, Donald}, title={Long Range Arena:"
    " A Benchmark for Efficient Transformers}, booktitle={ICLR}, year={2021}}"
)
DATA = "generated"
RECIPE = {
    "network": "p_spikessm",
    "hidden": (128, 128, 128, 128),
    "state": 16,
    "prenorm": False,
    "batch": 32,
    "lr": 8e-4,
    "weight_decay": 0.01,
    "epochs": 200,
}
TOKENS = (*"0123456789", "[MIN", "[MAX", "[MED", "[SM", "]")
_MIN, _MAX, _MED, _SM, _END = range(10, 15)
_NESTED = 0.25
TRIES = 200_000  # expressions of another length in a row before we give up


def load(
    data_root: object = None,
    *,
    shortest: Count = 500,
    longest: Count = 2000,
    depth: Count = 10,
    arguments: Count = 10,
    train: Count = 2000,
    test: Count = 500,
    seed: Natural = 0,
) -> Dataset:
    """Different expressions of `shortest` to `longest` tokens, one-hot over 15, padded with zeros at the end.

    They are drawn as in the Long Range Arena (there 96,000 to train): an operator takes 2 to `arguments` arguments, each
    with probability ¼ an operator again, down to `depth`; what has another length is thrown away. MED is the median,
    rounded down between two; SM the sum modulo 10. The classes are not even: compare with the largest one's share.
    """
    if not 4 <= shortest <= longest or depth < 2 or arguments < 2:
        raise Problem(f"listops: need 4 <= shortest <= longest, got {shortest} and {longest}; depth and arguments >= 2")
    drawn, seen = random.Random(seed), set[tuple[int, ...]]()
    splits: list[OneHot] = []
    for count in (train, test):
        found = [_draw(drawn, seen, shortest, longest, depth, arguments) for _ in range(count)]
        values = [torch.tensor(tokens, dtype=torch.int8)[:, None] for tokens, _ in found]
        steps = max(len(tokens) for tokens, _ in found)
        splits.append(OneHot(Sequences.of(values, (label for _, label in found), steps), len(TOKENS)))
    options = {"shortest": shortest, "longest": longest, "depth": depth, "arguments": arguments}
    steps = max(split.sequences.steps for split in splits)
    learned, held = splits
    return Dataset(
        "listops", learned, held, len(TOKENS), 10, steps, options | {"train": train, "test": test, "seed": seed}
    )


@dataclass(frozen=True)
class OneHot:
    """Sequences of token numbers [L, 1] as one-hot batches."""

    sequences: Sequences
    kinds: int

    @property
    def labels(self) -> Tensor:
        return self.sequences.labels

    def batch(self, index: Tensor) -> Batch:
        x, y, mask = self.sequences.batch(index)
        assert mask is not None
        return Batch(torch.nn.functional.one_hot(x[..., 0].long(), self.kinds) * mask[..., None].float(), y, mask)


def _draw(
    drawn: random.Random, seen: set[tuple[int, ...]], shortest: int, longest: int, depth: int, arguments: int
) -> tuple[tuple[int, ...], int]:
    """A new expression of the wanted length, and its value. Problem if there are hardly any."""
    for _ in range(TRIES):
        tokens: list[int] = []
        value = _expression(drawn, tokens, depth - 1, arguments, longest)
        if value is not None and shortest <= len(tokens) <= longest and (made := tuple(tokens)) not in seen:
            seen.add(made)
            return made, value
    raise Problem(
        f"listops: hardly any expression of depth {depth} with up to {arguments} arguments has {shortest} to {longest}"
        " tokens that were not drawn yet; allow other lengths"
    )


def _expression(drawn: random.Random, tokens: list[int], depth: int, most: int, longest: int) -> int | None:
    """Appends an operator with its arguments and gives its value; None as soon as there are more than `longest` tokens."""
    operator = drawn.randrange(_MIN, _END)
    tokens.append(operator)
    values: list[int] = []
    for _ in range(drawn.randint(2, most)):
        if len(tokens) >= longest:
            return None
        if depth > 1 and drawn.random() < _NESTED:
            inner = _expression(drawn, tokens, depth - 1, most, longest)
            if inner is None:
                return None
            values.append(inner)
        else:
            values.append(drawn.randrange(10))
            tokens.append(values[-1])
    tokens.append(_END)
    return _apply(operator, values)


def _apply(operator: int, values: list[int]) -> int:
    if operator == _SM:
        return sum(values) % 10
    if operator == _MED:
        ranked, middle = sorted(values), len(values) // 2
        return ranked[middle] if len(values) % 2 else (ranked[middle - 1] + ranked[middle]) // 2
    return min(values) if operator == _MIN else max(values)
