"""One self-contained HTML file from records: verdicts, tables, figures, environments, reasons, and how to measure again."""

import base64
import hashlib
import math
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markdown_it import MarkdownIt

from spikebench import noise, stats, store, units
from spikebench import report_rows as rows
from spikebench.growth import growth_rows
from spikebench.pairs import Pairs, sides
from spikebench.record import Record
from spikebench.rooms import Problem

BASELINE = "lif@eager"
ROOM_FOR_FIGURES = 2_000_000  # bytes; the rest of a file of 5 MB is for the records
POINT = ("workload", "network", "task", "mode", "T", "B", "N", "dtype", "device", "rate", "seed")
FLAGS = {
    "ungated": "no definition was compared with the subject: its figures support no claim; gate it with --like ID",
    "off_rate": "the output spike rate is far from the one that the input aims at: compare only equal rates",
    "contended": "other processes used more than a fifth of the time: measure again on a quiet machine",
    "stolen": "the host took more than a fiftieth of a core from this machine: measure again when it is quiet",
    "shared_gpu": "other processes were on the GPU: measure again alone",
    "throttled": "the GPU was held down or slow: let it cool, or fix its clock",
    "host_bound": "the host works on a launch for 0.9 of its time: a faster kernel changes device_time, not what is waited for",
    "unsteady": "spread, drift or load stayed too large in three tries: measure on a quieter machine",
    "bimodal": "a median exceeds twice its minimum: the samples fall into groups; look at them before using the median",
    "changed_threads": "the subject changed the number of threads: it is not comparable with the others",
}


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
    figures, left_out = _figures(sound)
    environments, index = rows.environments(records)
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template.filters["sha256"] = lambda text: base64.b64encode(hashlib.sha256(str(text).encode()).digest()).decode()
    return template.from_string(resources.files("spikebench").joinpath("_report.html").read_text("utf-8")).render(
        title=title,
        lead=_html(lead),
        facts=rows.facts(records),
        verdicts=_verdicts(sound, baseline),
        claims=_claims(sound),
        growth=_growth(sound),
        trainings=rows.trainings(sound),
        figures=figures,
        warnings=[*notes, *odd, *left_out, *rows.mixed(records)],
        flags=[(f, n, FLAGS.get(f, "")) for f, n in Counter(f for r in records for f in r.flags).most_common()],
        reasons=rows.reasons(records),
        environments=environments,
        commands=rows.commands(sound),
        data=rows.table(records, index),
    )


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


def _latency(r: Record) -> float:
    found = r.measurement("latency")
    return stats.median(found.samples) if found and r.status == "ok" else math.nan


def _with_latency(records: Iterable[Record]) -> list[Record]:
    return [r for r in records if 0 < _latency(r) < math.inf and r.case["workload"] != "training"]


def _growth(records: Sequence[Record]) -> list[dict[str, Any]]:
    """The fits of layers, apart for each machine, device, number type and rate, which a row names where there are several."""
    groups: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for r in _with_latency(records):
        if r.case["workload"] == "layer":
            groups[
                str(r.environment.get("machine")), *(str(r.case.get(k)) for k in ("device", "dtype", "rate"))
            ].append(r)
    there = {"where": ""} if len(groups) > 1 else {}
    return [row | {k: ", ".join(key) for k in there} for key, part in groups.items() for row in growth_rows(part)]


def _verdicts(records: Sequence[Record], baseline: str | None) -> list[dict[str, Any]]:
    """Every subject against the baseline where both are in at least two blocks, a block being a repeat of a run."""
    points: dict[tuple[Any, ...], dict[str, dict[tuple[str, int], Record]]] = defaultdict(lambda: defaultdict(dict))
    for r in _with_latency(records):
        point = (str(r.environment.get("machine")), *(str(r.case.get(k)) for k in POINT))
        points[point][str(r.case["subject"])].setdefault((r.run, r.repeat), r)
    floors = noise.floors(_with_latency(records))
    found = [row for subjects in points.values() if len(subjects) > 1 for row in _weigh(subjects, baseline, floors)]
    for row, q in zip(found, stats.false_discovery([row["p"] for row in found]), strict=True):
        row["verdict"] = f"{stats.confirmed(row['verdict'], q)}{row['note']}"
    return found


def _weigh(
    subjects: dict[str, dict[tuple[str, int], Record]], baseline: str | None, floors: dict[str, float]
) -> Iterator[dict[str, Any]]:
    slowest = max(subjects, key=lambda s: max(map(_latency, subjects[s].values())))
    base = next((b for b in (baseline, BASELINE) if b in subjects), slowest)
    for subject, mine in subjects.items():
        blocks = sorted(mine.keys() & subjects[base].keys())
        if subject == base or len(blocks) < 2:
            continue
        pairs = [sides(subjects[base][b], mine[b]) for b in blocks]
        times = [[_latency(side[b]) for b in blocks] for side in (subjects[base], mine)]
        record = mine[blocks[0]]
        # a comparison whose verdict may be looked at several times has wider intervals
        plan = Pairs(len(blocks), len(blocks))
        with suppress(Problem):  # of a record from elsewhere it may be no plan
            plan = Pairs.of(record.pairs or plan)
        ratio = plan.ratio([a for a, _ in pairs], [b for _, b in pairs])
        floor = max(floors.get(side[blocks[0]].case_id, 0.0) for side in (subjects[base], mine))
        ungated = any("ungated" in mine[b].flags for b in blocks)
        yield {
            "case": _where(record),
            "baseline": base,
            "subject": subject,
            "times": [units.show(stats.median(side), "s") for side in times],
            "ratio": units.ratio(ratio.estimate, ratio.low, ratio.high, ratio.n),
            "verdict": stats.verdict(ratio, floor),
            "note": " (ungated)" if ungated else "",
            "p": ratio.p,
        }


def _where(r: Record) -> str:
    c = r.case
    what = " ".join(str(c[k]) for k in ("network", "task") if c.get(k))
    return f"{what + ', ' if what else ''}{c['mode']}, T = {c['T']:,}, B = {c['B']}, N = {c['N']}, {c['dtype']}, {c['device']}"


def _claims(records: Sequence[Record]) -> list[dict[str, str]]:
    """The pages of the claims that these records say something about."""
    from spikebench import claim, finding, pages

    machines = dict.fromkeys(str(r.environment.get("machine")) for r in records)
    found: list[dict[str, str]] = []
    for name, c in claim.every():
        for machine in machines:
            f = finding.judge(name, c, [r for r in records if str(r.environment.get("machine")) == machine])
            if f.measured is not None:
                head = {"claim": name.replace("_", "-"), "claimed": f.claimed, "shown": f.shown, "verdict": f.verdict}
                found.append(head | {"setting": f.setting or "", "page": _html(pages.page(f, c), 2)})
    return found


def _figures(records: Sequence[Record]) -> tuple[list[dict[str, str]], list[str]]:
    """Every figure that the records allow, as SVG inside a data address, and what did not find room."""
    from spikebench.plots import draw, kinds

    drawn: list[dict[str, str]] = []
    left_out: list[str] = []
    frame, room = store.frame(records, details=True), ROOM_FOR_FIGURES
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
    return drawn, left_out
