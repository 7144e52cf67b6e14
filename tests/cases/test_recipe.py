"""A recipe's words and numbers: what is none is said in one line, before anything starts."""

import pytest

from spikebench.cases.options import Options
from spikebench.cases.recipe import Recipe, checked
from spikebench.errors import Problem
from spikebench.experiments.train import changes_of, train, trainings

WRONG = [
    ("optimizer", "sgd", "no optimizer 'sgd' in a recipe; there are adamw, adamax"),
    ("schedule", "cosine", "no schedule 'cosine' in a recipe; there are one-cycle, constant"),
    ("network", "resnet", "no network 'resnet' in a recipe; there are classifier, p_spikessm, psu_shd"),
    ("readout", "last", "no readout 'last' in a recipe; there are mean, leaky, max"),
    ("loss", "hinge", "no loss 'hinge' in a recipe; there are cross_entropy, mse"),
    ("loss", None, "no loss 'none' in a recipe; there are "),
    ("epoch", 3, "no field epoch in a recipe; there are batch, "),
    ("epochs", 0, "epochs=0 of a recipe is not a whole number in [1, inf)"),
    ("epochs", 2.5, "epochs=2.5 of a recipe is not a whole number"),
    ("epochs", True, "epochs=true of a recipe is not a whole number"),
    ("batch", -1, "batch=-1 of a recipe is not a whole number in [1, inf)"),
    ("lr", 0.0, "lr=0.0 of a recipe is not a finite number in (0, inf)"),
    ("lr", float("inf"), "lr=inf of a recipe is not a finite number"),
    ("lr", 10**400, "of a recipe is not a finite number"),
    ("lr", "fast", "lr=fast of a recipe is not a finite number"),
    ("dropout", 1, "dropout=1 of a recipe is not a finite number in [0, 1)"),
    ("weight_decay", float("nan"), "weight_decay=nan of a recipe is not a finite number"),
    ("seconds", 0, "seconds=0 of a recipe is not a finite number in (0, inf)"),
    ("curve", "yes", "curve=yes of a recipe is not True or False"),
    ("hidden", "64,", "hidden=64, is not a list of sizes; write hidden=128 or hidden=128x64"),
    ("hidden", 0, "hidden=0 is not a list of sizes"),
    ("hidden", 1e3, "hidden=1000.0 is not a list of sizes"),
    ("hidden", "9" * 40, "is not a list of sizes"),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_what_is_no_recipe_is_refused_in_one_line(name: str, value: object, said: str) -> None:
    with pytest.raises(Problem) as refused:
        checked(name, value)
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_every_field_is_checked_and_its_default_is_right() -> None:
    for name, value in vars(Recipe()).items():
        assert checked(name, value) == value
        if value is not None:
            with pytest.raises(Problem):
                checked(name, object)


def test_words_are_read_with_either_dash() -> None:
    assert (checked("schedule", "one_cycle"), checked("network", "p-spikessm")) == ("one-cycle", "p_spikessm")
    assert (checked("hidden", "64x32"), checked("hidden", 64), checked("lr", 1)) == ((64, 32), (64,), 1.0)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(Problem, match="needs schedule=constant"):
        Recipe().changed({"seconds": 3.0})
    with pytest.raises(Problem, match="have one width"):
        Recipe().changed({"network": "p_spikessm", "hidden": "8x4"})


@pytest.mark.parametrize("task", ["digits", "shd", "ssc", "listops"])
def test_a_training_is_refused_before_anything_starts(task: str) -> None:
    wrong: tuple[Options, ...] = ({"optimizer": "sgd"}, {"epochs": 0})
    for changes in wrong:
        with pytest.raises(Problem, match=r"(of|in) a recipe"):
            trainings(task, ("lif",), 1, changes, ceiling=False, device="cpu")
    with pytest.raises(Problem, match="no neuron 'lof'"):
        trainings(task, ("lof",), 1, {}, ceiling=False, device="cpu")


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_equal_time_is_positive(seconds: float) -> None:
    with pytest.raises(Problem, match=r"train for longer than 0 seconds|equal_time=(nan|inf) is not a finite number"):
        train("digits", "lif", equal_time=seconds)


def test_epochs_and_equal_time_exclude_each_other() -> None:
    with pytest.raises(Problem, match="--epochs 3 would count for nothing"):
        changes_of(3, None, 5.0)
