"""A recipe says what network a training trains and how. Its words and numbers are checked before anything starts."""

import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Annotated, Any, Literal

from spikebench.cases.arguments import expected
from spikebench.cases.options import Value, shown
from spikebench.errors import Problem
from spikebench.units import Count, Positive

NORMS = {"classifier": ("batch", "tdbn", "tebn", "bntt"), "p_spikessm": ("batch", "layer"), "psu_shd": ("batch",)}
DIGITS = 6  # of a size; more make no network


@dataclass(frozen=True)
class Recipe:
    """What is trained and how. "one-cycle" raises the rate to `lr` and lowers it to nearly 0 over all epochs.

    `seconds`: as many epochs as begin within this training time, instead of `epochs`. `curve`: the test split is used
    after every epoch, for the report only. `state`, `ssm`, `prenorm`, `residual`, `bidirectional` and
    `dropout` are those of network p_spikessm, whose blocks are as wide as `hidden` says, and whose `norm` is batch or layer.
    That of a classifier with batch_norm is batch, tdbn, tebn or bntt; see networks/_norms.py. "psu_shd" is the classifier of
    networks/_stsc.py with this `dropout`: its authors have 0.4, hidden 1024x1024, loss mse, lr 0.005, batch 256, weight decay 0.
    """

    network: Literal["classifier", "p_spikessm", "psu_shd"] = "classifier"
    hidden: tuple[int, ...] = (128,)
    batch_norm: bool = True
    readout: Literal["mean", "leaky", "max"] = "mean"
    weights: Literal["torch", "kaiming", "positive"] = "torch"
    state: Count = 16
    ssm: Literal["s4d", "dplr"] = "dplr"
    norm: Literal["batch", "layer", "tdbn", "tebn", "bntt"] = "batch"
    prenorm: bool = True
    residual: bool = True
    bidirectional: bool = False
    dropout: Annotated[float, "[0, 1)"] = 0.0
    epochs: Count = 20
    batch: Count = 32
    optimizer: Literal["adamw", "adamax"] = "adamw"
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    lr: Positive = 6e-3
    weight_decay: Annotated[float, "[0, inf)"] = 0.01  # adamw only
    seconds: Positive | None = None
    curve: bool = False
    loss: Literal["cross_entropy", "mse"] = "cross_entropy"

    def __post_init__(self) -> None:
        """Raises Problem for what is no recipe."""
        for name, value in vars(self).items():
            object.__setattr__(self, name, checked(name, value))  # while it is made
        if self.seconds is not None and self.schedule != "constant":
            raise Problem("a recipe with seconds needs schedule=constant: how many epochs there will be is not known")
        if self.norm not in NORMS[self.network]:
            there = ", ".join(NORMS[self.network])
            raise Problem(f"norm={self.norm}: network={self.network} has norm={there}")
        if self.network == "classifier" and self.norm != "batch" and not self.batch_norm:
            raise Problem(f"norm={self.norm} has no effect with batch_norm=false; leave one of them out")
        if self.network == "p_spikessm" and len(set(self.hidden)) > 1:
            raise Problem(
                f"hidden={_written(self.hidden)}: the blocks of p_spikessm have one width; write hidden=128x128"
            )

    def changed(self, changes: Mapping[str, Any]) -> "Recipe":
        """The recipe with these changes; hidden=128x64 is (128, 64). Raises Problem for what is no recipe."""
        return replace(self, **{name: checked(name, value) for name, value in changes.items()})


@cache
def _declared() -> dict[str, Any]:
    """The type of every field."""
    hints = typing.get_type_hints(Recipe, include_extras=True)
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
    if why := expected(value, kind):
        raise Problem(f"{name}={_written(value)} of a recipe is not {why}")
    return float(value) if isinstance(value, int) and isinstance(getattr(Recipe, name), float) else value


def _word(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """One of some words; "_" is as good as "-"."""
    same = {c.replace("_", "-"): c for c in choices}
    if (found := same.get(str(value).replace("_", "-"))) is None:
        raise Problem(f"no {name} {_written(value)!r} in a recipe; there are {', '.join(choices)}")
    return found


def _sizes(value: Any) -> tuple[int, ...]:
    """Layers' widths, from a tuple, 128 or 128x64."""
    text = _written(value)
    if not all(part.isdecimal() and part.isascii() and len(part) <= DIGITS and int(part) for part in text.split("x")):
        raise Problem(f"hidden={text} is not a list of sizes; write hidden=128 or hidden=128x64")
    return tuple(int(part) for part in text.split("x"))


def _written(value: Value | tuple[int, ...]) -> str:
    """A value as it was given."""
    return "x".join(map(str, value)) if isinstance(value, tuple | list) else shown(value)
