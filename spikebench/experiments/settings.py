"""The settings of what a person asks for, told from the fields of its cases."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from spikebench.errors import Problem
from spikebench.experiments.sweep import Grid
from spikebench.run.settings import Settings

NAMES = frozenset(f.name for f in fields(Settings))


def settings_of(verb: str, given: Mapping[str, Any], usual: Settings) -> Settings:
    """Settings with the fields that are given, else the usual ones; Problem for what is no field of them."""
    if unknown := [k for k in given if k not in NAMES]:
        raise Problem(f"{verb} takes no {', '.join(unknown)}")
    return replace(usual, **given)


def told_apart(given: Mapping[str, Any], settings: Settings, grid: Grid) -> tuple[Settings, Grid]:
    """Settings and grid with those of the keywords that are fields of each; Problem for what is a field of neither."""
    mine = {k: v for k, v in given.items() if k in NAMES}
    rest = {k: v for k, v in given.items() if k not in NAMES}
    return replace(settings, **mine), Grid.of(rest).over(grid)
