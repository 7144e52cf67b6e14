"""Writes the pages of the site and the files beside them."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from inspect import cleandoc
from pathlib import Path

from spikebench import claim, registry, units
from spikebench.analysis import assessment, stats
from spikebench.analysis.submission import RuleResult
from spikebench.cases.subject import shown
from spikebench.errors import Problem
from spikebench.records import flags
from spikebench.records.origin import origin
from spikebench.records.record import Measurement, Record
from spikebench.records.submission import Submission
from spikebench.report import claim_page, rows
from spikebench.report._template import rendered
from spikebench.report.cite import bibtex, permalink, plain
from spikebench.report.html import as_html
from spikebench.report.site.boards import Board, boards, linked
from spikebench.report.site.tables import Cell, Column, Row, Table, as_data, as_lines, files

NAV = (("Boards", "index.html"), ("Records", "records.html"), ("Neurons", "neurons.html"))
NAV += (("Machines", "machines.html"), ("Claims", "claims.html"), ("Submissions", "submissions.html"))
HEADS = ("subject", "setting", "neuron", "machine", "claim", "submission", "rule", "metric")
MARKS = {True: "kept", False: "BROKEN", None: "not tried"}
KINDS = {"jsonl": "JSON Lines", "csv": "CSV", "tex": "LaTeX", "bib": "BibTeX"}


@dataclass(frozen=True)
class Part:
    """A part of a page: a table, facts, a text, or HTML that was made from Markdown."""

    kind: str
    name: str = ""
    table: Table | None = None
    facts: Sequence[tuple[str, str]] = ()
    text: str = ""
    html: str = ""
    files: Sequence[tuple[str, str]] = ()
    data: dict[str, object] | None = None
    quoted: list[dict[str, object]] | None = None


@dataclass(frozen=True)
class Submitted:
    """A submission as it was examined; `grade` is None for one that is refused, whose records are on no board."""

    name: str
    made: Submission | None
    results: list[RuleResult]
    grade: str | None
    why: str
    records: list[Record]


@lru_cache(maxsize=4)
def _text(name: str) -> str:
    return resources.files("spikebench.report").joinpath(name).read_text("utf-8")


class Site:
    """The folder that is written, and what is written into it."""

    def __init__(self, folder: Path, records: Sequence[Record], submissions: Sequence[Submitted]) -> None:
        self._folder, self.submissions = folder, submissions
        accepted = {permalink(r): s.name for s in submissions if s.grade for r in s.records}
        every = {permalink(r): r for r in [*records, *(r for s in submissions if s.grade for r in s.records)]}
        self.records, self.links = list(every.values()), {id(r): link for link, r in every.items()}
        self.boards = boards(self.records, accepted)
        self._places = {id(r): b for b in self.boards for r in b.records}
        self.count = 0

    def write(self) -> None:
        """Write everything; OSError where that cannot be."""
        for k, board in enumerate(self.boards):
            self.boards[k] = self._board(board)
        for pages in (
            self._index(),
            self._records(),
            self._neurons(),
            self._machines(),
            self._claims(),
            self._submitted(),
        ):
            for name, title, lead, parts in pages:
                self._page(name, title, lead, parts)
        for record in self.records:
            self._record(record)

    def _page(self, name: str, title: str, lead: str, parts: Sequence[Part]) -> None:
        root = "../" * name.count("/")
        script = _text("_site.js") if any(p.kind == "table" for p in parts) else ""
        page = rendered(
            "_site.html",
            title=title,
            lead=lead,
            parts=parts,
            root=root,
            nav=NAV,
            heads=HEADS,
            script=script,
            style=_text("_site.css"),
        )
        self._file(name, page)

    def _file(self, name: str, text: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")
        self.count += 1

    def _beside(self, table: Table, folder: str, name: str) -> list[tuple[str, str]]:
        """Write a table as files; their links from a page in the same folder."""
        made = files(table, name)
        for file, text in made.items():
            self._file(f"{folder}{file}", text)
        return [(KINDS[file.rpartition(".")[2]], file) for file in made]

    def _board(self, board: Board) -> Board:
        for k, table in enumerate(board.tables):
            board = linked(board, self._beside(table, "boards/", f"{board.slug}-{k + 1}"), k)
        lead = (
            f"On {board.device}. A rank is one more than the number of subjects whose whole 95 % interval lies below; it takes five "
            "processes that passed the gate. Nothing is ranked across two tables: their commits, versions or threads differ."
        )
        parts = [Part("table", table=t, quoted=t.quoted()) for t in board.tables]
        self._page(f"boards/{board.slug}.html", board.title, lead, parts)
        return board

    def _index(self) -> Iterator[tuple[str, str, str, list[Part]]]:
        facts = rows.facts(self.records)
        lead = (
            f"{facts.records:,} records of {facts.cases:,} cases and {facts.subjects} subjects, measured on {facts.machines}, {facts.days}. "
            "A board is one setting on one device; subjects are compared nowhere else."
        )
        yield "index.html", "Boards", lead, [Part("table", table=self._listed(self.boards, "Every board"))]

    def _listed(self, found: Sequence[Board], name: str) -> Table:
        columns = [Column("setting"), *(Column(n, choice=True) for n in ("device", "workload", "mode", "dtype"))]
        columns += [*(Column(n, True) for n in "TBN"), Column("records", True), Column("subjects")]
        return Table(name, columns, [_of_board(b) for b in found])

    def _records(self) -> Iterator[tuple[str, str, str, list[Part]]]:
        table = _record_table("Every record", self.records, self.links)
        table = Table(
            table.name,
            table.columns,
            table.rows,
            "One row per process, with the medians of its samples.",
            {},
            self._beside(table, "", "records"),
        )
        yield (
            "records.html",
            "Records",
            "A press on a heading sorts. What is filtered and sorted stands in the address.",
            [Part("table", table=table, data=as_data(table))],
        )

    def _neurons(self) -> Iterator[tuple[str, str, str, list[Part]]]:
        groups: dict[str, list[Record]] = defaultdict(list)
        for r in self.records:
            groups[str(r.case["neuron"])].append(r)
        listed: list[Row] = []
        for name, mine in sorted(groups.items()):
            page, title = f"neurons/{plain(name)}.html", "A module that is somebody's own."
            parts = [Part("table", table=self._listed([b for b in self.boards if _on(b, "neuron", name)], "Boards"))]
            if name in registry.names("neurons"):
                facts = registry.facts(name)
                title = facts.title
                parts.append(Part("text", "BibTeX", text=cleandoc(facts.attributes.reference)))
            table = _record_table("Records", mine, self.links)
            parts.append(Part("table", table=table, data=as_data(table)))
            yield page, name, title, parts
            listed.append(Row([Cell(name, href=page), Cell(title), Cell(f"{len(mine)}", len(mine))]))
        columns = [Column("neuron"), Column("what it is"), Column("records", True)]
        yield "neurons.html", "Neurons", "", [Part("table", table=Table("Every neuron", columns, listed))]

    def _machines(self) -> Iterator[tuple[str, str, str, list[Part]]]:
        groups: dict[str, list[Record]] = defaultdict(list)
        for r in self.records:
            groups[str(r.environment.get("machine") or "unknown")].append(r)
        listed: list[Row] = []
        for name, mine in sorted(groups.items()):
            page, facts = f"machines/{plain(name)}.html", rows.facts(mine)
            shared, _ = rows.environments(mine)
            parts = [
                Part("facts", f"Environment {k + 1}: {e.count} records", facts=e.facts)
                for k, e in enumerate(shared[:20])
            ]
            own = [b for b in self.boards if any(r.environment.get("machine") == name for r in b.records)]
            yield (
                page,
                name,
                f"{facts.records:,} records, {facts.days}.",
                [Part("table", table=self._listed(own, "Boards")), *parts],
            )
            cpu = str(mine[0].environment.get("cpu") or "")
            listed.append(Row([Cell(name, href=page), Cell(cpu), Cell(f"{len(mine)}", len(mine)), Cell(facts.days)]))
        columns = [Column("machine"), Column("processor"), Column("records", True), Column("days")]
        yield "machines.html", "Machines", "", [Part("table", table=Table("Every machine", columns, listed))]

    def _claims(self) -> Iterator[tuple[str, str, str, list[Part]]]:
        listed: list[Row] = []
        by_machine: dict[str, list[Record]] = defaultdict(list)
        for r in self.records:
            by_machine[str(r.environment.get("machine"))].append(r)
        for name, c in claim.every():
            found = [f for mine in by_machine.values() if (f := assessment.assess(name, c, mine)).measured is not None]
            found = found or [assessment.assess(name, c, [])]
            page = f"claims/{plain(name)}.html"
            parts = [
                Part("html", f.origin or f.machine or "Not measured", html=as_html(claim_page.page(f, c), 2))
                for f in found
            ]
            yield page, name.replace("_", "-"), c.sentence, parts
            verdicts = ", ".join(dict.fromkeys(f.verdict for f in found))
            shown_ = ", ".join(f.shown for f in found if f.measured is not None)
            listed.append(
                Row(
                    [
                        Cell(name, href=page),
                        Cell(c.text),
                        Cell(shown_ or "—"),
                        Cell(verdicts, bad="contradicted" in verdicts),
                    ]
                )
            )
        columns = [Column("claim"), Column("published"), Column("measured"), Column("verdict", choice=True)]
        yield (
            "claims.html",
            "Claims",
            "What papers say, and what the records say about it.",
            [Part("table", table=Table("Every claim", columns, listed))],
        )

    def _submitted(self) -> Iterator[tuple[str, str, str, list[Part]]]:
        listed: list[Row] = []
        for s in self.submissions:
            page, made = f"submissions/{plain(s.name)}.html", s.made
            broken = next((f"{r.rule}: {r.detail}" for r in s.results if r.passed is False), "")
            state = s.grade or "refused"
            results = [
                Row([Cell(r.rule), Cell(MARKS[r.passed], bad=r.passed is False), Cell(r.detail)]) for r in s.results
            ]
            parts = [
                Part(
                    "table", table=Table("Rules", [Column("rule"), Column("result"), Column("what was found")], results)
                )
            ]
            if made is not None:
                plainly = [
                    (k, str(v))
                    for k in ("subject", "definition", "who", "licence", "commit", "rules", "doi")
                    if (v := getattr(made, k))
                ]
                parts.insert(0, Part("facts", "What is submitted", facts=plainly))
                parts += [Part("text", "BibTeX", text=made.citation)] if made.citation else []
            if s.grade:
                table = _record_table("Records", s.records, self.links)
                parts.append(Part("table", table=table, data=as_data(table)))
            yield page, s.name, f"{state}: {broken or s.why}", parts
            listed.append(
                Row(
                    [
                        Cell(s.name, href=page),
                        Cell(made.subject if made else "—"),
                        Cell(made.who if made else "—"),
                        Cell(state, bad=not s.grade),
                        Cell(broken or s.why),
                    ]
                )
            )
        columns = [Column("submission"), Column("subject"), Column("who"), Column("grade", choice=True), Column("why")]
        lead = (
            "Submissions that keep every rule are on the boards. The others are refused, and their records are on none."
        )
        yield "submissions.html", "Submissions", lead, [Part("table", table=Table("Every submission", columns, listed))]

    def _record(self, r: Record) -> None:
        link = self.links[id(r)]
        self._file(f"records/{link}.jsonl", as_lines([r]))
        columns = [
            Column("metric"),
            Column("median", True),
            Column("least", True),
            Column("most", True),
            Column("samples", True),
            Column("status"),
        ]
        table = Table(
            "Measurements", columns, [_measured(m) for m in r.measurements], files=[("JSON Lines", f"{link}.jsonl")]
        )
        case = [(k, rows.text_of(v)) for k, v in r.case.items() if v not in (None, {})]
        said = [("status", f"{r.status}{f': {r.reason}' if r.reason else ''}"), ("run", f"{r.run}, block {r.repeat}")]
        said += [
            ("rules", r.rules or "made before rules 1.0"),
            ("gate", f"{r.gate.status}{f': {r.gate.reason}' if r.gate.reason else ''}" if r.gate else "none"),
        ]
        said += [(f"flag {f}", flags.told(f) or f) for f in r.flags]
        board = self._places.get(id(r))
        where = [(k, rows.text_of(v)) for k, v in r.environment.items()]
        parts = [Part("facts", "Record", facts=[*said, ("origin", origin(r).told)]), Part("table", table=table)]
        parts += [
            Part("facts", "Case", facts=case),
            Part("facts", "Environment", facts=where),
            Part("text", "BibTeX", text=bibtex(r, link)),
        ]
        title = f"{shown(str(r.case['subject']))}: record {link}"
        self._page(f"records/{link}.html", title, f"{board.title}, on {board.device}." if board else "", parts)


def _on(board: Board, field: str, value: str) -> bool:
    return any(r.case.get(field) == value for r in board.records)


def _of_board(b: Board) -> Row:
    s, count, subjects = b.setting, len(b.records), b.subjects
    words = [str(s[k] or "") for k in ("workload", "mode", "dtype")]
    sizes = [Cell(f"{s[k]:,}", float(str(s[k]))) for k in "TBN"]
    named = ", ".join(subjects[:4]) + (f" and {len(subjects) - 4} more" if len(subjects) > 4 else "")
    cells = [Cell(b.title, href=f"boards/{b.slug}.html"), Cell(b.device), *map(Cell, words), *sizes]
    return Row([*cells, Cell(str(count), count), Cell(named)])


def _measured(m: Measurement) -> Row:
    """A measurement: the median, the ends and the number of its samples."""
    finite = [float(v) for v in m.samples]
    ends = (stats.median(finite), min(finite), max(finite)) if finite else (math.nan,) * 3
    cells = [Cell(units.show(v, m.unit), v if finite else None) for v in ends]
    said = f"{m.status}{f': {m.reason}' if m.reason else ''}"
    return Row([Cell(m.metric.replace("_", " ")), *cells, Cell(str(len(finite)), len(finite)), Cell(said)])


def _record_table(name: str, records: Sequence[Record], links: Mapping[int, str]) -> Table:
    """A row per record, with the medians of what most of them have."""
    columns = [
        Column("subject"),
        Column("mode", choice=True),
        Column("workload", choice=True),
        *(Column(k, True) for k in "TBN"),
    ]
    columns += [
        Column("dtype", choice=True),
        Column("machine", choice=True),
        Column("time", True),
        Column("memory", True),
    ]
    columns += [Column("energy", True), Column("status", choice=True), Column("day"), Column("run")]
    return Table(name, columns, [_record_row(r, links[id(r)]) for r in records])


def _record_row(r: Record, link: str) -> Row:
    case = r.case
    what = " ".join(str(case[k]) for k in ("workload", "network", "task") if case.get(k))
    metrics = ("epoch_time" if case["workload"] == "training" else "latency", "peak_memory", "energy")
    cells = [Cell(shown(str(case["subject"])), href=f"records/{link}.html"), Cell(str(case["mode"])), Cell(what)]
    cells += [Cell(f"{case[k]:,}", case[k]) for k in "TBN"]
    cells += [Cell(str(case["dtype"])), Cell(str(r.environment.get("machine") or ""))]
    for metric in metrics:
        found = r.measurement(metric)
        value = stats.median(found.samples) if found and found.samples else None
        cells.append(Cell(units.show(value, found.unit), value) if found and value is not None else Cell("—"))
    cells += [Cell(r.status, bad=r.status != "ok"), Cell(rows.day_of(r)), Cell(f"{r.run} {r.repeat}")]
    return Row(cells, [r])


def write(records: Sequence[Record], submissions: Sequence[Submitted], folder: Path) -> int:
    """Write the site into a folder; how many files. Raises Problem where it cannot be written."""
    site = Site(folder, records, submissions)
    try:
        site.write()
    except OSError as error:
        raise Problem(f"cannot write {folder}: {error.strerror}; name another folder with -o") from error
    return site.count
