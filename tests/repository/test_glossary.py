"""The glossary: every word that the code can print has a line, and the words that it replaced are gone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from spikebench import registry
from spikebench.analysis import agreement, assessment, bottleneck, bound, depth, scaling, stats
from spikebench.cases import case
from spikebench.records import record, store
from spikebench.records.flags import Flag
from spikebench.report import rows

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
RESULTS = ROOT / "results"
STARTED = ("spikebench/backends/triton/",)  # kernels that others write at this time


def table(section: str) -> Iterator[list[str]]:
    """The cells of the rows of every table in a text, without headings and rules."""
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[0] not in ("word", "---"):
            yield cells


def words(cell: str) -> list[str]:
    """The words of a cell, which commas part."""
    return [word.strip(" `") for word in cell.split(",") if word.strip(" `")]


CURRENT, _, KEPT = GLOSSARY.partition("## Old words that stay")
ENTRIES = {word for cells in table(CURRENT) for word in words(cells[0])}
GONE = sorted({word for cells in table(CURRENT) for word in words(cells[2])})
STAY = {word for cells in table(KEPT) for word in words(cells[0])}


def headings() -> Iterator[str]:
    """The headings of the tables that commands and pages print: of calls of `table` and of names that end in COLUMNS."""
    for path in [*(ROOT / "spikebench/cli").glob("*.py"), *(ROOT / "spikebench/report").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            given: ast.expr | None = None
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                given = node.value if node.targets[0].id.lower().endswith("columns") else None
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "table":
                given = node.args[0] if node.args else None
            if isinstance(given, ast.Dict):  # by kind: only what is listed of it
                yield from (str(n.value) for v in given.values for n in ast.walk(v) if isinstance(n, ast.Constant))
            elif isinstance(given, ast.Tuple | ast.List) and not any(isinstance(n, ast.Call) for n in given.elts):
                yield from (
                    str(n.value)
                    for n in ast.walk(given)
                    if isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value
                )


def generated() -> Iterator[str]:
    """Every name that the code can print as a fact of a record, a comparison, a claim or a table."""
    for kind in (record.Status, record.MeasurementStatus, case.Mode, case.Workload, stats.Verdict):
        yield from get_args(kind)
    yield from get_args(assessment.Verdict)
    yield from get_args(assessment.Setting)
    yield from headings()
    yield from bound.bound_rows(store.load(RESULTS / "intel-xeon-f6m167-2c" / "floor.jsonl"))[0].cells
    yield from scaling.scaling_rows(store.load(RESULTS / "amd-epyc-f25m1-2c" / "growth.jsonl"))[0].cells
    yield from bottleneck.ShareRow("", "", "", 1, 1, 1, "", 0.5, None, 1, None).cells
    yield from depth.DepthRow("", "", {}, 2, 4, None, None, None, None, 1, None).cells
    yield from agreement.AgreementRow("", 0.9, 0.1, 1, (0, 0), (0, 0), (0, 0), 1, None).cells
    yield from rows.trainings(store.load(RESULTS / "amd-epyc-f25m1-2c" / "fsdd.jsonl"))[0]


def test_every_name_that_is_printed_has_a_line() -> None:
    names = set(generated())
    assert {"wrong", "unavailable", "train", "reproduced", "speed-up", "x copy"} <= names
    flags = {flag for path in RESULTS.glob("*/*.jsonl") for r in store.load(path) for flag in r.flags}
    sizes = {word for word in ENTRIES if len(word) == 1}  # T, B, N and what else a letter stands for
    assert sorted((names | (flags - {*Flag})) - ENTRIES - sizes) == []


def test_every_metric_says_in_a_line_what_it_is() -> None:
    """Their lines are their docstrings', so that a metric is one file; docs/pages.py puts them into the page."""
    assert "<!-- metrics:" in GLOSSARY
    for name in registry.names("metrics"):
        first = (ast.get_docstring(ast.parse(registry.file("metrics", name).read_text())) or "").partition("\n")[0]
        assert 20 < len(first) < 200, f"{name}: the first line of its docstring is its entry"


def texts() -> Iterator[tuple[str, str]]:
    """The code and pages, with names taken apart at underscores, without the words that stay in quotes or options."""
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    files = [*(ROOT / "spikebench").rglob("*.py"), *(ROOT / "spikebench").rglob("*.html"), *pages]
    kept = "|".join(map(re.escape, sorted(STAY)))
    for path in files:
        where = path.relative_to(ROOT).as_posix()
        if where != "docs/glossary.md" and not where.startswith(STARTED):
            yield where, re.sub(rf"""["'`]({kept})["'`]""", "", path.read_text()).replace("_", " ")


def test_the_words_that_others_replaced_are_gone() -> None:
    assert {"rungs", "weighing", "desk"} <= set(GONE)
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, GONE))})\b", re.IGNORECASE)
    found = [f"{where}: {m[0]}" for where, text in texts() for m in pattern.finditer(text)]
    assert found == []


@pytest.mark.parametrize("word", sorted(STAY))
def test_an_old_word_that_stays_is_still_there(word: str) -> None:
    code = "".join(p.read_text() for p in (ROOT / "spikebench").rglob("*.py"))
    assert re.search(rf"\b{word}\b", code), "take it out of the list"
