"""Flags: each says what it means and what to do, and its threshold is the one that is applied."""

import importlib
import re
import sys
from pathlib import Path

import pytest

from spikebench.records import store
from spikebench.records.flags import Flag, told

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"


@pytest.mark.parametrize("flag", list(Flag))
def test_a_flag_has_a_meaning_and_a_remedy_with_their_numbers(flag: Flag) -> None:
    assert flag.meaning[0].islower() and flag.remedy[0].islower() and not flag.remedy.endswith(".")
    assert "{" not in flag.meaning + flag.remedy
    assert told(flag) == f"{flag.meaning}: {flag.remedy}", "what is printed ends with what to do"
    if flag.threshold:
        assert re.search(rf"{flag.threshold:g}\b|{flag.threshold:.0%}", flag.meaning), "it says from which threshold on"


def test_every_recorded_flag_is_known_and_an_unknown_one_is_no_error() -> None:
    recorded = {f for path in RESULTS.rglob("*.jsonl") for r in store.read(path) for f in r.flags}
    assert recorded <= set(Flag) and len(recorded) > 4
    assert told("of a later version") == ""


def test_the_glossary_has_a_line_of_each() -> None:
    for name in ("jupytext", "mkdocs", "nbclient"):
        pytest.importorskip(name, reason="the extra `docs` is not installed")
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        pages = importlib.import_module("pages")
    finally:
        sys.path.remove(str(ROOT / "docs"))
    rows = list(pages.flags())[1:]
    assert len(rows) == len(Flag)
    assert all(row.startswith(f"| {flag} | ") and flag.remedy in row for row, flag in zip(rows, Flag, strict=True))
