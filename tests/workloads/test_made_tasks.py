"""Tasks that are made or come with a package: digits, delayed copy, and ListOps against an evaluator of its own."""

import statistics
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from spikebench import task
from spikebench.errors import Problem
from spikebench.neurons.gelu_sampler import GeluSampler
from spikebench.task import Dataset, Sequences
from spikebench.tasks import listops
from spikebench.tasks.listops import TOKENS, OneHot
from spikebench.workloads.training import Epoch, Run, recipe_of, train

SHORT: dict[str, Any] = {"shortest": 6, "longest": 60, "depth": 4, "arguments": 5, "train": 300, "test": 100}


def text_of(samples: OneHot, k: int) -> str:
    """The expression of a sample as the Long Range Arena writes it, read from its one-hot batch."""
    x, _, mask = samples.batch(torch.tensor([k]))
    assert mask is not None and x.sum(-1).eq(mask.float()).all(), "one token a step, none on padding"
    return " ".join(TOKENS[i] for i in x[mask[:, 0], 0].argmax(-1).tolist())


def value_of(text: str) -> int:
    """The value of an expression: it is rewritten as a call of Python's own functions."""
    calls = {"[MIN": "min((", "[MAX": "max((", "[MED": "med((", "[SM": "sm(("}
    python = "".join("))," if t == "]" else calls.get(t, f"{t},") for t in text.split()).rstrip(",")
    names = {"min": min, "max": max, "med": lambda v: int(statistics.median(v)), "sm": lambda v: sum(v) % 10}
    return eval(python, {"__builtins__": {}}, names)  # the text holds digits and four names


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[MAX 2 9 [MIN 4 7 ] 0 ]", 9),
        ("[MED 1 2 9 8 ]", 5),
        ("[MED 4 5 ]", 4),
        ("[MED 0 0 9 ]", 0),
        ("[SM 7 8 [SM 9 9 ] ]", 3),
        ("[MIN [MAX 3 5 ] [MED 6 2 4 ] 8 ]", 4),
    ],
)
def test_the_evaluator_of_these_tests_knows_the_rules(text: str, value: int) -> None:
    assert value_of(text) == value


def test_listops_gives_the_value_of_its_expressions() -> None:
    made = task.load("listops", **SHORT)
    assert (made.channels, made.classes) == (15, 10)
    for split in (made.train, made.test):
        samples = cast(OneHot, split)
        for k, label in enumerate(samples.labels.tolist()):
            assert value_of(text_of(samples, k)) == label
    used = {t for k in range(100) for t in text_of(cast(OneHot, made.test), k).split()}
    assert used == set(TOKENS)


def test_listops_is_deterministic_new_and_as_long_as_asked() -> None:
    made, again, other = (task.load("listops", **SHORT, seed=s) for s in (0, 0, 1))
    texts = [[text_of(cast(OneHot, d.test), k) for k in range(100)] for d in (made, again, other)]
    assert texts[0] == texts[1] != texts[2]
    learned = [text_of(cast(OneHot, made.train), k) for k in range(300)]
    assert len({*learned, *texts[0]}) == 400, "no expression twice, none in both splits"
    lengths = [len(t.split()) for t in learned + texts[0]]
    assert min(lengths) >= 6 and max(lengths) <= 60 and made.steps == max(lengths)
    deep = [max(t[:k].count("[") - t[:k].count("]") for k in range(len(t))) for t in learned]
    assert max(deep) == 3, "depth 4 is three operators deep, and digits"


def test_listops_reaches_2000_steps() -> None:
    made = task.load("listops", train=20, test=10)
    lengths = cast(OneHot, made.train).sequences.lengths
    assert 500 <= int(lengths.min()) and 1000 < made.steps <= 2000
    k = int(lengths.argmax())
    assert value_of(text_of(cast(OneHot, made.train), k)) == int(made.train.labels[k])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"shortest": 3}, "need 4 <= shortest <= longest, got 3 and 2000"),
        ({"shortest": 50, "longest": 40}, "got 50 and 40"),
        ({"depth": 1}, "depth and arguments >= 2"),
        ({"shortest": 900, "longest": 900, "depth": 2}, "hardly any expression of depth 2"),
    ],
)
def test_listops_that_cannot_be(options: dict[str, Any], complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listops, "TRIES", 200)
    with pytest.raises(Problem, match=complaint):
        task.load("listops", **options)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.long
def test_a_network_of_spike_samplers_learns_listops() -> None:
    made = task.load("listops", shortest=4, longest=20, depth=3, arguments=4, train=2000, test=400)
    recipe = recipe_of("listops", {"hidden": "32x32", "state": 8, "ssm": "s4d", "lr": 0.008, "batch": 50, "epochs": 4})
    *epochs, run = train(made, lambda n: GeluSampler(n, ssm="s4d", state=8), recipe, [0])
    assert isinstance(run, Run) and [type(e) for e in epochs] == [Epoch] * 4
    majority = int(made.test.labels.bincount().max()) / 400
    assert majority < 0.16 and run.accuracy > 0.25  # ten classes; a deviation is 0.02
    assert run.losses[-1] < run.losses[0] - 0.2


def scans(samples: Sequences) -> Tensor:
    x, _, mask = samples.batch(torch.arange(len(samples.labels)))
    assert mask is not None and mask.all()
    return x[..., 0].t()


def test_digits_in_order_and_permuted() -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    plain, mixed, other = (task.load("digits", permuted=p, seed=s) for p, s in ((False, 0), (True, 0), (True, 1)))
    assert (plain.channels, plain.classes, plain.steps) == (1, 10, 64)
    assert (len(plain.train.labels), len(plain.test.labels)) == (1438, 359)
    assert plain.test.labels.bincount().min() > 20
    a, b, c = (scans(cast(Sequences, d.test)) for d in (plain, mixed, other))
    assert plain.test.labels.equal(mixed.test.labels) and not a.equal(b) and not b.equal(c)
    torch.testing.assert_close(a.sort(1).values, b.sort(1).values)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(a[:, order], b)


def asked(made: Dataset, k: int) -> tuple[list[int], int]:
    """The symbols that were shown and the place that the cue names, read from the input."""
    o = cast(dict[str, int], made.options)
    x = made.train.batch(torch.tensor([k])).x[:, 0]
    hold, places, symbols = o["hold"], o["places"], o["symbols"]
    shown = [int(x[hold * p, :symbols].argmax()) for p in range(places)]
    for p in range(places):
        assert x[hold * p : hold * (p + 1), shown[p]].eq(1).all()
    assert not x[hold * places : hold * places + o["delay"]].any()
    assert x.sum() == hold * (places + 1)
    return shown, int(x[-1, symbols:].argmax())


@pytest.mark.parametrize("options", [{}, {"symbols": 3, "places": 4, "hold": 1, "delay": 0}])
def test_delayed_copy_asks_for_what_was_shown(options: dict[str, Any]) -> None:
    made = task.load("delayed_copy", **options, train=60, test=20)
    for k, label in enumerate(made.train.labels.tolist()):
        shown, place = asked(made, k)
        assert shown[place] == label
    assert set(made.train.labels.tolist()) == set(range(made.classes))
    assert not made.train.batch(torch.arange(20)).x.equal(made.test.batch(torch.arange(20)).x)
    with pytest.raises(Problem, match="hold=0 is too small"):
        task.load("delayed_copy", hold=0)
