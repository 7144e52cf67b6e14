"""The settings of what a person asks for, told from the fields of its cases."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from spikebench.run.settings import Settings

NAMES = frozenset(f.name for f in fields(Settings))


def settings_of(given: Mapping[str, Any], usual: Settings | None = None) -> tuple[Settings, dict[str, Any]]:
    """Settings from those of the keywords that are fields of `Settings`, and what else was given.

    The keyword `settings`, whole Settings, takes the place of the usual ones.
    """
    rest = {k: v for k, v in given.items() if k not in NAMES and k != "settings"}
    mine = {k: v for k, v in given.items() if k in NAMES}
    return replace(given.get("settings") or usual or Settings(), **mine), rest
