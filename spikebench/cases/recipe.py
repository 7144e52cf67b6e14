"""A recipe says what network a training trains and how. Its words and numbers are checked before anything starts."""

import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, Literal

from spikebench.cases.options import Value, shown
from spikebench.errors import Problem

LEAST = {"state": 1, "epochs": 1, "batch": 1, "dropout": 0.0, "weight_decay": 0.0}
ABOVE = {"lr": 0.0, "seconds": 0.0}
BELOW = {"dropout": 1.0}
DIGITS = 6  # of a size; more make no network


@dataclass(frozen=True)
class Recipe:
    """What is trained and how. "one-cycle" raises the rate to `lr` and lowers it to nearly 0 over all epochs.

    `seconds`: as many epochs as begin within this training time, instead of `epochs`. `curve`: the test split is used
    after every epoch, for the report only. `state`, `ssm`, `norm`, `prenorm`, `residual`, `bidirectional` and
    `dropout` are those of network p_spikessm, whose blocks are as wide as `hidden` says. "psu_shd" is the classifier of
    networks/_stsc.py with this `dropout`: its authors have 0.4, hidden 1024x1024, loss mse, lr 0.005, batch 256, weight decay 0.
    """

    network: Literal["classifier", "p_spikessm", "psu_shd"] = "classifier"
    hidden: tuple[int, ...] = (128,)
    batch_norm: bool = True
    readout: Literal["mean", "leaky", "max"] = "mean"
    weights: Literal["torch", "kaiming"] = "torch"
    state: int = 16
    ssm: Literal["s4d", "dplr"] = "dplr"
    norm: Literal["batch", "layer"] = "batch"
    prenorm: bool = True
    residual: bool = True
    bidirectional: bool = False
    dropout: float = 0.0
    epochs: int = 20
    batch: int = 32
    optimizer: Literal["adamw", "adamax"] = "adamw"
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    lr: float = 6e-3
    weight_decay: float = 0.01  # adamw only
    seconds: float | None = None
    curve: bool = False
    loss: Literal["cross_entropy", "mse"] = "cross_entropy"

    def __post_init__(self) -> None:
        """Raises Problem for what is no recipe."""
        for name, value in vars(self).items():
            object.__setattr__(self, name, checked(name, value))  # while it is made
        if self.seconds is not None and self.schedule != "constant":
            raise Problem("a recipe with seconds needs schedule=constant: how many epochs there will be is not known")
        if self.network == "p_spikessm" and len(set(self.hidden)) > 1:
            raise Problem(
                f"hidden={_written(self.hidden)}: the blocks of p_spikessm have one width; write hidden=128x128"
            )

    def changed(self, changes: Mapping[str, Any]) -> "Recipe":
        """The recipe with these changes; hidden=128x64 is (128, 64). Raises Problem for what is no recipe."""
        return replace(self, **{name: checked(name, value) for name, value in changes.items()})


@cache
def _declared() -> dict[str, object]:
    """The type of every field."""
    hints = typing.get_type_hints(Recipe)
    return {field.name: hints[field.name] for field in fields(Recipe)}


def checked(name: str, value: Any) -> Any:
    """The value of a field of a recipe, in its own type. Raises Problem in one line if it can be none."""
    if name not in _declared():
        raise Problem(f"no field {name} in a recipe; there are {', '.join(sorted(_declared()))}")
    kind = _declared()[name]
    if typing.get_origin(kind) is Literal:
        return _word(name, value, typing.get_args(kind))
    if name == "hidden":
        return _sizes(value)
    if kind is bool:
        if not isinstance(value, bool):
            raise Problem(f"{name}={_written(value)} of a recipe is true or false")
        return value
    if value is None and type(None) in typing.get_args(kind):
        return None
    return _number(name, value, whole=kind is int)


def _word(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """One of some words; "_" is as good as "-"."""
    same = {c.replace("_", "-"): c for c in choices}
    if (found := same.get(str(value).replace("_", "-"))) is None:
        raise Problem(f"no {name} {_written(value)!r} in a recipe; there are {', '.join(choices)}")
    return found


def _number(name: str, value: Any, whole: bool) -> int | float:
    """A number in the range of a field."""
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not _finite(value):
        raise Problem(f"{name}={_written(value)} of a recipe must be a {'whole' if whole else 'finite'} number")
    for limits, wrong, said in (
        (LEAST, lambda least: value < least, "at least"),
        (ABOVE, lambda most: value <= most, "more than"),
        (BELOW, lambda most: value >= most, "less than"),
    ):
        if name in limits and wrong(limits[name]):
            raise Problem(f"{name}={_written(value)} of a recipe must be {said} {limits[name]:g}")
    return value if whole else float(value)


def _finite(value: float) -> bool:
    """Whether a number is finite as a float, too."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _sizes(value: Any) -> tuple[int, ...]:
    """Layers' widths, from a tuple, 128 or 128x64."""
    text = _written(value)
    if not all(part.isdecimal() and part.isascii() and len(part) <= DIGITS and int(part) for part in text.split("x")):
        raise Problem(f"hidden={text} is not a list of sizes; write hidden=128 or hidden=128x64")
    return tuple(int(part) for part in text.split("x"))


def _written(value: Value | tuple[int, ...]) -> str:
    """A value as it was given."""
    return "x".join(map(str, value)) if isinstance(value, tuple | list) else shown(value)
