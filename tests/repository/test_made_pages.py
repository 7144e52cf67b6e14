"""Pages that are made of results: what was measured where, and the steps over commits."""

import importlib.util
import math
import random
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from spikebench.records import store

ROOT = Path(__file__).parents[2]
needs_asv = pytest.mark.skipif(importlib.util.find_spec("asv") is None, reason="asv is not installed: the extra `asv`")


def loaded(name: str) -> ModuleType:
    """A file of docs/ as mkdocs loads it."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def history() -> ModuleType:
    return loaded("history")


def git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def test_every_record_is_on_the_page_of_what_was_measured_where() -> None:
    text = "\n".join(loaded("measured").page(ROOT / "results"))
    sections = {part.splitlines()[0]: part for part in text.split("\n## ")[1:]}
    for path in sorted((ROOT / "results").glob("*/*.jsonl")):
        records = store.load(path)
        row = next(line for line in sections[path.parent.name].splitlines() if line.startswith(f"| {path.stem} |"))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert int(cells[1]) == len(records) and int(cells[2]) == sum(r.status == "ok" for r in records), path
        assert all((r.environment.get("commit") or "")[:7] in cells[4] for r in records), path
    assert "NVIDIA H100 80GB HBM3" in sections["nvidia-h100-80gb-hbm3-16c"]


def times(levels: list[tuple[int, float]], noise: float) -> list[tuple[str, float]]:
    """A series of commits c0, c1, … at these levels, each so many commits long."""
    draw = random.Random(0)
    flat = [level for count, level in levels for _ in range(count)]
    return [(f"c{k}", level * math.exp(draw.gauss(0, noise))) for k, level in enumerate(flat)]


@needs_asv
@pytest.mark.parametrize(
    ("levels", "noise", "found"),
    [
        ([(12, 1e-3)], 0.02, []),
        ([(6, 1e-3), (6, 0.6e-3)], 0.02, [("c5", "c6")]),
        ([(4, 1e-3), (4, 2e-3), (4, 1e-3)], 0.02, [("c3", "c4"), ("c7", "c8")]),
        ([(6, 1e-3), (1, 3e-3), (5, 1e-3)], 0.02, []),  # one commit is no level
        ([(6, 1e-3), (6, 0.94e-3)], 0.001, []),  # less than a tenth
        ([(6, 1e-3), (6, 0.6e-3)], 0.5, []),  # the noise explains it
    ],
)
def test_a_step_is_what_holds_and_noise_does_not_explain(
    history: ModuleType, levels: list[tuple[int, float]], noise: float, found: list[tuple[str, str]]
) -> None:
    steps = list(history.steps("lif@cpu", (128, 4, 128), times(levels, noise)))
    assert [step.commits for step in steps] == found
    if steps:
        assert steps[0].ratio == pytest.approx(levels[1][1] / levels[0][1], rel=0.05)


def test_what_is_missing_is_said(history: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(history, "find_spec", lambda name: None)
        assert "asv is not installed" in history.published()
    history.published.cache_clear()
    monkeypatch.setattr(history, "git", lambda *words: [])  # a clone without a history
    history.history.cache_clear()
    assert "unshallow" in history.published()
    text = "\n".join(history.page(history.published()))
    assert "not part of this site, because this clone does not have" in text and "no table of steps" in text


@needs_asv
def test_the_committed_history_is_of_this_repository(history: ModuleType) -> None:
    if git("rev-parse", "--is-shallow-repository") != ["false"]:
        pytest.skip("a clone with its history is needed")
    measured = {p.name.partition("-")[0] for p in history.RESULTS.glob("*/*-*.json")}
    assert measured == {c[:8] for c in history.history()}
    for folder in (p for p in history.RESULTS.iterdir() if p.is_dir()):
        values = history.series(folder)
        assert values and all(0 < t < 60 for series in values.values() for _, t in series)


def test_cases_along_an_axis_are_joined_at_commits_that_have_them_all(history: ModuleType) -> None:
    values = {("lif@cpu", T, 4, 128): [("c0", 1e-3 * T), ("c1", 2e-3 * T)] for T in (1, 4, 16)}
    values["lif@cpu", 16, 4, 128].pop()
    values["lif@cpu", 1, 4, 64] = [("c0", 1.0)]  # two lengths are no axis
    assert history.along(values) == {("lif@cpu", "1…16", 4, 128): [("c0", pytest.approx(4e-3))]}
