"""One self-contained HTML file from records: verdicts, tables, figures, environments, reasons, and how to measure again."""

import base64
import hashlib
import math
import re
import shlex
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markdown_it import MarkdownIt

from spikebench import noise, stats, store, units
from spikebench.growth import growth_rows
from spikebench.record import Record
from spikebench.rooms import Problem

BASELINE = "lif@eager"
ROOM_FOR_FIGURES = 2_000_000  # bytes; the rest of a file of 5 MB is for the records
POINT = ("workload", "network", "task", "mode", "T", "B", "N", "dtype", "device", "rate", "seed")
FLAGS = {
    "ungated": "no definition was compared with the subject: its figures support no claim; gate it with --like ID",
    "off_rate": "the output spike rate is far from the one that the input aims at: compare only equal rates",
    "contended": "other processes used more than a fifth of the time: measure again on a quiet machine",
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
    environments, index = _environments(records)
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template.filters["sha256"] = lambda text: base64.b64encode(hashlib.sha256(str(text).encode()).digest()).decode()
    return template.from_string(resources.files("spikebench").joinpath("_report.html").read_text("utf-8")).render(
        title=title,
        lead=_html(lead),
        facts=_facts(records),
        verdicts=_verdicts(sound, baseline),
        claims=_claims(sound),
        growth=_growth(sound),
        figures=figures,
        warnings=[*notes, *odd, *left_out, *_mixed(records)],
        flags=[(f, n, FLAGS.get(f, "")) for f, n in Counter(f for r in records for f in r.flags).most_common()],
        reasons=_reasons(records),
        environments=environments,
        commands=_commands(sound),
        data=_table(records, index),
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


def _facts(records: Sequence[Record]) -> dict[str, Any]:
    """What was recorded, where and when."""
    days = sorted({_day(r) for r in records} - {""})
    return {
        "records": len(records),
        "cases": len({r.case_id for r in records}),
        "subjects": len({str(r.case.get("subject")) for r in records}),
        "machines": ", ".join(sorted({str(r.environment.get("machine", "unknown")) for r in records})),
        "days": days[0] + (f" to {days[-1]}" if len(days) > 1 else "") if days else "unknown",
        "statuses": Counter(str(r.status) for r in records).most_common(),
    }


def _day(r: Record) -> str:
    seconds = r.environment.get("time")
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}" if isinstance(seconds, int | float) else ""


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
    rows = [row for subjects in points.values() if len(subjects) > 1 for row in _weigh(subjects, baseline, floors)]
    for row, q in zip(rows, stats.false_discovery([row["p"] for row in rows]), strict=True):
        row["verdict"] = f"{stats.confirmed(row['verdict'], q)}{row['note']}"
    return rows


def _weigh(
    subjects: dict[str, dict[tuple[str, int], Record]], baseline: str | None, floors: dict[str, float]
) -> Iterator[dict[str, Any]]:
    slowest = max(subjects, key=lambda s: max(map(_latency, subjects[s].values())))
    base = next((b for b in (baseline, BASELINE) if b in subjects), slowest)
    for subject, mine in subjects.items():
        blocks = sorted(mine.keys() & subjects[base].keys())
        if subject == base or len(blocks) < 2:
            continue
        sides = [[_latency(side[b]) for b in blocks] for side in (subjects[base], mine)]
        ratio, record = stats.paired_ratio(sides[0], sides[1]), mine[blocks[0]]
        floor = max(floors.get(side[blocks[0]].case_id, 0.0) for side in (subjects[base], mine))
        ungated = any("ungated" in mine[b].flags for b in blocks)
        yield {
            "case": _where(record),
            "baseline": base,
            "subject": subject,
            "times": [units.show(stats.median(side), "s") for side in sides],
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
    frame, room = store.frame(records), ROOM_FOR_FIGURES
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


def _mixed(records: Sequence[Record]) -> Iterator[str]:
    """What differs between records that a reader may want to compare."""
    for key, what in (
        ("machine", "machines"),
        ("commit", "commits"),
        ("python", "versions of Python"),
        ("threads", "thread counts"),
    ):
        there = sorted({str(r.environment.get(key)) for r in records})
        if len(there) > 1:
            yield f"{len(there)} {what} are mixed: {', '.join(t[:40] for t in there[:6])}"
    if dirty := sum(r.environment.get("dirty") is not None for r in records):
        yield f"{dirty} records were measured with changes that are in no commit"


def _reasons(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Every reason that a record or a measurement gives, with what it was given for."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for r in records:
        name = f"{r.case.get('subject')} T={r.case.get('T')}"
        if r.status != "ok":
            found["record", str(r.status), str(r.reason or "no reason was given")].append(name)
        for m in r.measurements:
            if m.status != "ok":
                found[m.metric, str(m.status), str(m.reason or "no reason was given")].append(name)
    rows = [(*key, len(names), ", ".join(dict.fromkeys(names))) for key, names in found.items()]
    return [dict(zip(("what", "status", "reason", "count", "names"), row, strict=True)) for row in rows]


LIVE = (
    "time",
    "load_1min",
    "steal_share",
    "other_cpu",
    "stolen_cpu",
    "tries",
    "lowest_clock_share",
    "throttle_reasons",
)


def _environments(records: Sequence[Record]) -> tuple[list[dict[str, Any]], list[int]]:
    """Each environment once, without what changes from record to record, and which one every record has."""
    seen: dict[str, int] = {}
    found: list[dict[str, Any]] = []
    index: list[int] = []
    for r in records:
        facts = [(k, _text(v)) for k, v in r.environment.items() if k not in LIVE]
        place = seen.setdefault(repr(facts), len(found))
        if place == len(found):
            found.append({"facts": facts, "count": 0})
        found[place]["count"] += 1
        index.append(place)
    return found, index


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items())
    return ", ".join(map(_text, value)) if isinstance(value, list) else "none" if value is None else str(value)


def _commands(records: Sequence[Record]) -> list[str]:
    """Commands that measure the same cases again: one per grid of subjects and lengths."""
    trained: Counter[tuple[str, str]] = Counter()
    lengths: dict[tuple[Any, ...], dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for r in records:
        c = r.case
        if c["workload"] == "training":
            trained[str(c.get("task")), c["subject"]] = max(
                trained[str(c.get("task")), c["subject"]], c.get("seed", 0) + 1
            )
        else:
            metrics = tuple(m.metric for m in r.measurements if m.metric not in ("latency", "spike_rate"))
            keys = (c["B"], c["N"], c["mode"], c["device"], c["dtype"], c.get("rate"), c["workload"], c.get("network"))
            lengths[(*keys, "energy" in metrics)][c["subject"]].add(c["T"])
    grids: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for key, subjects in lengths.items():
        for subject, T in subjects.items():
            grids[(*key, ",".join(map(str, sorted(T))))].append(subject)
    return [*(_run(key, subjects) for key, subjects in grids.items()), *(_train(k, n) for k, n in trained.items())]


def _run(key: tuple[Any, ...], subjects: list[str]) -> str:
    b, n, mode, device, dtype, rate, workload, network, energy, T = key
    named = [word for s in subjects for word in ("--subject", s)]
    what = ["--network", network] if network else [] if workload == "layer" else ["--workload", workload]
    usual = {"cpu": device, "float32": dtype, "0.3": f"{rate:g}" if isinstance(rate, int | float) else "0.3"}
    more = [
        w for (d, v), o in zip(usual.items(), ("--device", "--dtype", "--rate"), strict=True) if v != d for w in (o, v)
    ]
    more += ["--metric", "latency", "--metric", "energy"] if energy else []
    return shlex.join(["spikebench", "run", *named, "-T", T, "-B", str(b), "-N", str(n), "--mode", mode, *what, *more])


def _train(key: tuple[str, str], seeds: int) -> str:
    return shlex.join(["spikebench", "train", key[0], "--neuron", key[1], "--seeds", str(seeds)])


TEXTS = ("subject", "mode", "workload", "network", "task", "T", "B", "N", "dtype", "device", "machine")
CHOICES = ("neuron", "backend", "mode", "workload", "status", "machine")


def _table(records: Sequence[Record], index: list[int]) -> dict[str, Any]:
    """The records as rows for the page's own script: every cell as [what it sorts by, its text]."""
    metrics = list(dict.fromkeys(m.metric for r in records for m in r.measurements))
    shown = [k for k in TEXTS if k in ("subject", *"TBN") or len({str(_of(r, k)) for r in records}) > 1]
    columns = [*shown, *metrics, "status", "flags", "gate", "repeat"]
    numeric = [*"TBN", *metrics, "repeat"]
    rows = [
        {"c": [_cell(r, k) for k in columns], "d": _details(r, i), "f": [str(_of(r, k) or "—") for k in CHOICES]}
        for r, i in zip(records, index, strict=True)
    ]
    return {"columns": columns, "numeric": [c in numeric for c in columns], "choices": CHOICES, "rows": rows}


def _of(r: Record, key: str) -> Any:
    own = {
        "machine": r.environment.get("machine"),
        "status": r.status,
        "flags": " ".join(map(str, r.flags)),
        "repeat": r.repeat,
    }
    return own[key] if key in own else (r.gate or {}).get("status", "") if key == "gate" else r.case.get(key)


def _cell(r: Record, key: str) -> list[Any]:
    found = r.measurement(key)
    if found is None:
        value = _of(r, key)
        return [value if isinstance(value, int) else None, "" if value is None else str(value)]
    numbers = [v for v in found.samples if isinstance(v, int | float) and math.isfinite(v)]
    if not numbers:
        return [None, found.status]
    middle = stats.median(numbers)
    return [float(f"{middle:.5g}"), units.show(middle, found.unit)]


def _details(r: Record, environment: int) -> list[list[Any]]:
    """Label and text of all else there is to say of a record; a list of numbers is drawn as a strip."""
    told: list[list[Any]] = [
        ["case", f"{r.case_id}, run {r.run}, repeat {r.repeat}, measured {_day(r) or 'at an unknown time'}"]
    ]
    told.append(["options", _text(r.case.get("options") or "none")])
    told += [["reason", str(r.reason)]] if r.reason else []
    gate = r.gate or {}
    told += (
        [["gate", ", ".join(filter(None, [str(gate.get("status")), str(gate.get("reason") or "")]))]] if gate else []
    )
    for m in r.measurements:
        if m.reason or m.status != "ok":
            told.append([m.metric, f"{m.status}: {m.reason}"])
        numbers = [float(f"{v:.4g}") for v in m.samples if isinstance(v, int | float) and math.isfinite(v)]
        if len(numbers) > 1:
            low, high = (units.show(end, m.unit) for end in (min(numbers), max(numbers)))
            told.append([m.metric, f"{len(numbers)} samples from {low} to {high}", numbers])
    return [*told, ["environment", f"number {environment + 1}"]]
