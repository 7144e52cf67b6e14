"""Names from elsewhere do no harm: in tables, in pages, in captions, in exports."""

import contextlib
import csv
import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import fake_engine
import pytest

import spikebench as sb
from spikebench.cli import _print
from spikebench.cli.app import app

NAMES = (
    "=1+1",
    "+1",
    "-1+1",
    "@SUM(1)",
    "\x9b31mred",
    "\x1b[2J",
    "x" * 5000,
    "<script>alert(1)</script>",
    "a\nb",
    "$x_1$",
)


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Records whose subjects, reasons and machines are such names, at two lengths each."""
    monkeypatch.chdir(tmp_path)
    fake_engine.put(monkeypatch)
    plain: list[Any] = [r.to_json() for r in sb.run(sb.grid(["lif@eager"], T=[64, 128], B=[2], N=[3]))]
    with Path("r.jsonl").open("w", encoding="utf-8") as file:
        for name in NAMES:
            for k, record in enumerate(plain):
                case = record["case"] | {"subject": name, "neuron": name}
                bad = {"status": "failed", "reason": name} if k else {}
                made = record | {"case": case, "environment": record["environment"] | {"cpu": name}} | bad
                for _ in range(2):
                    print(json.dumps(made), file=file)
    return Path("r.jsonl")


def printed(*words: str) -> str:
    """What a command prints."""
    out = io.StringIO()
    _print.stdout.cache_clear()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        app(list(words), standalone_mode=False)
    _print.stdout.cache_clear()
    return out.getvalue()


def harmless(text: str) -> bool:
    """Whether a text has no control character but the ends of lines."""
    return all(unicodedata.category(c) != "Cc" or c in "\n\t" for c in text)


def test_terminal(records: Path) -> None:
    for words in (["show"], ["show", "--each"], ["show", "--json"], ["diff", "r.jsonl"]):
        assert harmless(printed(*words, str(records))), words


def test_a_file_that_is_named_twice_is_said(records: Path) -> None:
    notes: list[str] = []
    assert len(sb.load("r.jsonl", "r.jsonl", warnings=notes)) == len(sb.load("r.jsonl")) == 4 * len(NAMES)
    assert notes == ["r.jsonl is named twice, and read once"]


def test_page(records: Path) -> None:
    printed("report", str(records), "-o", "report.html")
    page = Path("report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page
    assert harmless(page)


def test_captions(records: Path) -> None:
    printed("plot", "scaling", str(records), "-o", "figures", "--formats", "svg")
    captions = list(Path("figures").glob("*.txt"))
    assert captions and all(harmless(p.read_text(encoding="utf-8")) and len(p.name) < 255 for p in captions)


def test_exports(records: Path) -> None:
    printed("export", str(records), "-o", "r.csv")
    with Path("r.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert {"'=1+1", "'@SUM(1)", "'-1+1"} <= set(cells) and all(map(harmless, cells))
    formulas = [c for c in cells if c.startswith(("=", "+", "-", "@"))]
    assert all(float(c) < 0 for c in formulas), "only numbers begin like formulas"
    for to in ("bencher", "github"):
        printed("export", str(records), "--to", to, "-o", f"{to}.json")
        assert harmless(Path(f"{to}.json").read_text(encoding="utf-8"))
