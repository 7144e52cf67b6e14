"""The cheats that change the process they run in, and others once more: each measured as anybody would, in processes of its own.

They are put among the backends of a copy of the package, so that nothing here is special to tests. It takes minutes:
`pytest tests/verify/test_corpus.py --slow`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import cast, get_args

import pytest

from spikebench.records import store
from spikebench.records.flags import Flag
from spikebench.records.record import Record, Status
from tests.verify import corpus
from tests.verify.corpus import Cheat

ROOT = Path(__file__).parents[2]
CHEATS = ROOT / "tests" / "cheats"
SIZES = ["-T", "32", "-B", "2", "-N", "16"]
HELD = 64 * 2**20  # bytes that a cheat hides
RIGHT = Cheat("", "right", "", "ok", metrics="latency,peak_memory")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package in which the cheats are backends."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "spikebench", folder / "spikebench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CHEATS, folder / "spikebench" / "backends", dirs_exist_ok=True)
    return folder


def measured(tree: Path, cheat: Cheat, *rivals: str) -> Record:
    """The record of a cheat, which is measured after its rivals."""
    out = tree / "records.jsonl"
    for old in tree.glob("records*.jsonl"):
        old.unlink()
    subjects = [*rivals, f"{cheat.neuron}@{cheat.backend}"]
    asked = ["run", *[w for s in subjects for w in ("--subject", s)], *SIZES, "--mode", cheat.mode, "--samples", "12"]
    asked += ["--threads", "1"]  # on a loaded machine two wait for each other
    asked += [part for metric in cheat.metrics.split(",") for part in ("--metric", metric)]
    command = [sys.executable, "-m", "spikebench", *asked, "--out", str(out)]
    kept = os.environ | {"TMPDIR": str(tree), "PYTHONPATH": str(tree)}  # what one leaves behind goes with the tree
    done = subprocess.run(command, cwd=tree, env=kept, capture_output=True, text=True, timeout=120, check=False)
    found = list(store.read(out)) if out.exists() else []
    assert len(found) == 1, done.stderr
    return found[0]


@pytest.mark.slow
@pytest.mark.parametrize("cheat", corpus.of("run"), ids=lambda c: f"{c.backend}-{c.mode}")
def test_a_cheat_is_caught(cheat: Cheat, tree: Path) -> None:
    record = measured(tree, cheat)
    said = (record.status, record.reason, record.flags)
    if cheat.caught in list(Flag):
        assert cheat.caught in record.flags, said
        return
    assert record.status == cheat.caught and cheat.said in (record.reason or ""), said
    assert cheat.caught in ("ok", "impossible") or not any(m.samples for m in record.measurements)
    if cheat.caught == "ok":
        _is_counted(cheat, record)


def _is_counted(cheat: Cheat, record: Record) -> None:
    """What a cheat hides stands on its record all the same."""
    peak, compiled = record.measurement("peak_memory"), record.measurement("compile_time")
    if "workspace" in cheat.backend:
        assert peak and peak.samples[0] > 0.5 * HELD, json.dumps(record.to_json())
    elif "first" in cheat.backend:
        assert peak and cast(int, peak.detail["left"]) > 0.9 * HELD, json.dumps(record.to_json())
    else:
        assert compiled and compiled.samples[0] > 0.3, json.dumps(record.to_json())


@pytest.mark.slow
def test_the_records_of_rivals_stay_what_they_were(tree: Path) -> None:
    """Who makes their samples ten times as long in the file of the run does it in vain: the run has written them again."""
    cheat = Cheat("", "forged[kind=rivals]", "", "ok", mode="inference")
    measured(tree, cheat, "lif@right")
    first, second = sorted(tree.glob("records*.jsonl"), key=lambda path: path.stat().st_mtime)
    (changed,), kept = store.read(first), list(store.read(second))
    assert [str(r.case["subject"]) for r in kept] == ["lif@right", "lif@forged[kind=rivals]"]
    assert changed.measurements[0].samples[0] > 9 * kept[0].measurements[0].samples[0]


@pytest.mark.slow
def test_what_is_right_has_none_of_the_flags(tree: Path) -> None:
    record = measured(tree, RIGHT)
    assert record.status == "ok" and not {c.caught for c in corpus.CORPUS} & set(record.flags)
    peak = record.measurement("peak_memory")
    assert peak and peak.samples[0] < HELD / 16 and cast(int, peak.detail["reused"]) < HELD / 4


def test_the_page_shows_every_cheat() -> None:
    page = (ROOT / "docs" / "cheats.md").read_text()
    assert page.count("<!-- cheats:") == 1, "docs/pages.py puts the table there"
    files = {p.stem for p in CHEATS.iterdir() if p.suffix == ".py" or any(p.glob("*.py"))}
    shown = set(re.findall(r"`(\w+)(?:\[[^`]*)?`", page)) | corpus.names()
    assert files - {"right"} <= shown, "cheats that the page does not name"
    assert all(c.caught in (*Flag, *get_args(Status)) if c.tests else not c.caught for c in corpus.CORPUS)
