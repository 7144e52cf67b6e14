"""What is quoted of a record: its permalink, its BibTeX entry, and cells as LaTeX."""

import hashlib
import json
import re
from datetime import UTC, datetime

from spikebench.cases.subject import shown
from spikebench.records.record import Record

LATEX = {"\\": r"\textbackslash{}", "µ": r"\textmu{}", "×": r"$\times$", "—": "---", "^": r"\^{}", "~": r"\~{}"}
LATEX |= {c: f"\\{c}" for c in "&%$#_{}"}


def permalink(record: Record) -> str:
    """The name of a record that never changes: its case's id, and 12 hexadecimal digits of the SHA-256 of its canonical JSON."""
    text = json.dumps(record.to_json(), sort_keys=True, separators=(",", ":"))
    return f"{plain(record.case_id)}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def plain(text: object) -> str:
    """A text as the name of a file, the same for the same text."""
    whole = str(text)
    short = re.sub(r"[^a-z0-9_]+", "-", whole.lower()).strip("-")[:80]
    same = short == whole.lower() and short
    return short if same else f"{short or 'x'}-{hashlib.sha256(whole.encode()).hexdigest()[:6]}"


def bibtex(record: Record, link: str, doi: str | None = None) -> str:
    """The entry of a record as a data set; `link` is its permalink, `doi` that of the results it is part of."""
    case, e = record.case, record.environment
    seconds = e.get("time")
    year = f"{datetime.fromtimestamp(seconds, UTC):%Y}" if isinstance(seconds, int | float) else "unknown"
    sizes = ", ".join(f"{k} = {case[k]}" for k in "TBN")
    what = f"{shown(str(case['subject']))}, {case['mode']}, {sizes}, {case['dtype']}, on {e.get('machine')}"
    fields = {
        "author": "{The spikebench maintainers}",
        "title": f"spikebench record {link}: {_text(what)}",
        "year": year,
        "version": f"commit {e.get('commit') or 'unknown'}",
        "note": f"rules {record.rules or 'before 1.0'}, run {_text(record.run)}, block {record.repeat}",
    }
    lines = [f"  {k} = {{{v}}}," for k, v in (fields | ({"doi": doi} if doi else {})).items()]
    return "\n".join([f"@misc{{spikebench-{link},", *lines, "}"])


def _text(text: str) -> str:
    """A text without what would end a field of BibTeX."""
    return latex(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text))


def latex(text: str) -> str:
    """A text as LaTeX has it."""
    return "".join(LATEX.get(c, c) for c in text)
