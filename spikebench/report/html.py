"""One self-contained HTML file from records: verdicts, tables, figures, environments, reasons, and how to measure again."""

import base64
import hashlib
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markdown_it import MarkdownIt

from spikebench import units
from spikebench.analysis import noise, paired
from spikebench.analysis.scaling import scaling_rows
from spikebench.analysis.select import medians
from spikebench.errors import Problem
from spikebench.records import flags, store
from spikebench.records.origin import apart, by_origin
from spikebench.records.record import Record
from spikebench.report import rows

BASELINE = "lif@eager"
ROOM_FOR_FIGURES = 2_000_000  # bytes; the rest of a file of 5 MB is for the records


def write(
    records: Sequence[Record],
    path: str | Path,
    title: str = "spikebench report",
    lead: str = "",
    notes: Sequence[str] = (),
    baseline: str | None = None,
) -> Path:
    """Write the report to an HTML file that needs nothing else; the path of it.

    `lead` is Markdown put first, `notes` what was noticed while reading. The baseline of the verdicts is `baseline`,
    else lif@eager, else the slowest subject; each verdict names it. Raises Problem if the file cannot be written.
    """
    where = Path(path)
    text = page(records, title, lead, notes, baseline)
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise Problem(f"cannot write {where}: {error.strerror}; name another file with -o") from error
    return where


def page(
    records: Sequence[Record],
    title: str = "spikebench report",
    lead: str = "",
    notes: Sequence[str] = (),
    baseline: str | None = None,
) -> str:
    """The HTML of the report; see `write`."""
    sound = [r for r in records if _sound(r)]
    odd = [
        f"record {r.case_id} of run {r.run} is not one of a case: it is listed, not drawn"
        for r in records
        if not _sound(r)
    ]
    sections, left_out = _sections(sound, baseline)
    environments, index = rows.environments(records)
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template.filters["sha256"] = lambda text: base64.b64encode(hashlib.sha256(str(text).encode()).digest()).decode()
    return template.from_string(
        resources.files("spikebench.report").joinpath("_report.html").read_text("utf-8")
    ).render(
        title=title,
        lead=_html(lead),
        facts=rows.facts(records),
        sections=sections,
        apart=apart(by_origin(sound)),
        warnings=[*notes, *odd, *left_out, *rows.mixed(records)],
        flags=[(f, n, flags.told(f)) for f, n in Counter(f for r in records for f in r.flags).most_common()],
        reasons=rows.reasons(records),
        environments=environments,
        commands=rows.commands(sound),
        data=rows.table(records, index),
    )


def _sections(records: Sequence[Record], baseline: str | None) -> tuple[list[dict[str, Any]], list[str]]:
    """The sections of the page, one for each origin, the newest first, and the figures that would have made the file too large."""
    made: list[dict[str, Any]] = []
    left_out: list[str] = []
    room = ROOM_FOR_FIGURES
    for where, part in by_origin(records).items():
        figures, missing, room = _figures(part, room)
        left_out += [f"{where}: {text}" for text in missing]
        made.append(
            {
                "name": str(where),
                "told": where.told,
                "days": rows.facts(part)["days"],
                "count": len(part),
                "verdicts": verdicts(part, baseline),
                "claims": _claims(part),
                "growth": scaling_rows([r for r in part if r.case["workload"] == "layer"]),
                "trainings": rows.trainings(part),
                "figures": figures,
            }
        )
    return made, left_out


def _sound(r: Record) -> bool:
    """Whether a record has the types that figures and statistics rely on."""
    sizes = all(isinstance(r.case.get(k), int) for k in "TBN")
    words = all(isinstance(r.case.get(k), str) for k in ("subject", "neuron", "mode", "workload", "device", "dtype"))
    return sizes and words and all(isinstance(v, int | float) for m in r.measurements for v in m.samples)


def _html(markdown: str, down: int = 1) -> str:
    """Markdown as HTML with its headings `down` levels lower; HTML in it stays text."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(markdown)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + down)}"
    return reader.renderer.render(tokens, reader.options, {})


def verdicts(records: Sequence[Record], baseline: str | None = None) -> list[dict[str, Any]]:
    """Every subject against the baseline of its case, within each origin, where both were measured in the same blocks.

    The baseline is `baseline`, else lif@eager, else the slowest subject. The result is that of `paired.compared`.
    """
    found: list[dict[str, Any]] = []
    for where, part in by_origin(r for r in records if r.case["workload"] != "training").items():
        floors, points = noise.floors(part), defaultdict[Any, dict[str, list[Record]]](lambda: defaultdict(list))
        for r in part:
            points[paired.point(r)][str(r.case["subject"])].append(r)
        mine = [row for subjects in points.values() for row in _against(subjects, baseline, floors)]
        for base in dict.fromkeys(row["baseline"] for row in mine):
            family = [row for row in mine if row["baseline"] == base]
            for row, result in zip(family, paired.corrected([row["result"] for row in family]), strict=True):
                row |= {"result": result, "verdict": f"{result.verdict}{row['note']}", "origin": str(where)}
        found += mine
    return found


def _against(
    subjects: dict[str, list[Record]], baseline: str | None, floors: dict[str, float]
) -> Iterator[dict[str, Any]]:
    """The rows of one case: each subject against its baseline."""
    slowest = max(subjects, key=lambda s: max(medians(subjects[s]), default=0.0))
    base = next((b for b in (baseline, BASELINE) if b in subjects), slowest)
    for subject, mine in subjects.items():
        floor = max(floors.get(side[0].case_id, 0.0) for side in (subjects[base], mine))
        result = paired.compared(subjects[base], mine, "latency", floor) if subject != base else None
        if result is None or (r := result.ratio) is None or r.n < 2:
            continue
        yield {
            "case": _where(mine[0]),
            "baseline": base,
            "subject": subject,
            "times": [units.show(median, "s") for median in result.medians],
            "ratio": units.ratio(r.estimate, r.low, r.high, r.n),
            "result": result,
            "note": " (ungated)" if any("ungated" in m.flags for m in mine) else "",
        }


def _where(r: Record) -> str:
    c = r.case
    what = " ".join(str(c[k]) for k in ("network", "task") if c.get(k))
    return f"{what + ', ' if what else ''}{c['mode']}, T = {c['T']:,}, B = {c['B']}, N = {c['N']}, {c['dtype']}, {c['device']}"


def _claims(records: Sequence[Record]) -> list[dict[str, str]]:
    """The pages of the claims that these records of one origin say something about."""
    from spikebench import claim
    from spikebench.analysis import assessment
    from spikebench.report import claim_page as pages

    found: list[dict[str, str]] = []
    for name, c in claim.every():
        f = assessment.assess(name, c, records)
        if f.measured is not None:
            head = {"claim": name.replace("_", "-"), "claimed": f.claimed, "shown": f.shown, "verdict": f.verdict}
            found.append(head | {"setting": f.setting or "", "page": _html(pages.page(f, c), 3)})
    return found


def _figures(records: Sequence[Record], room: int) -> tuple[list[dict[str, str]], list[str], int]:
    """Every figure that the records allow, as SVG inside a data address, what did not find room, and the room left."""
    from spikebench.plots import draw, kinds

    drawn: list[dict[str, str]] = []
    left_out: list[str] = []
    frame = store.frame(records, details=True)
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds() if len(frame) else []:
            try:
                paths = draw(kind, frame, Path(folder) / kind, ("svg",))
            except Problem:
                continue  # these records have nothing that this kind shows
            for path in paths:
                image = base64.b64encode(path.read_bytes()).decode()
                if len(image) > room:
                    left_out.append(f"no room for the figure {path.stem}: spikebench plot {kind} FILES draws it")
                    continue
                room -= len(image)
                size = re.search(rb'viewBox="0 0 ([\d.]+) ([\d.]+)"', path.read_bytes())
                wide = "wide" if size and float(size[1]) > 2 * float(size[2]) else ""
                caption = path.with_suffix(".txt").read_text()
                drawn.append({"kind": kind, "caption": caption, "image": image, "look": wide})
    return drawn, left_out, room
