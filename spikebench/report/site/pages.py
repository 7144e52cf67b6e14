"""The pages of the site, from records and from submissions that were examined."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from inspect import cleandoc
from pathlib import Path

from spikebench import claim, registry
from spikebench.analysis import assessment
from spikebench.analysis.submission import RuleResult
from spikebench.errors import Problem
from spikebench.records.record import Record
from spikebench.records.submission import Submission
from spikebench.report import claim_page, rows
from spikebench.report.cite import permalink, plain
from spikebench.report.html import as_html
from spikebench.report.site.boards import Board, Owner, boards, machine_of
from spikebench.report.site.page import Page, Part
from spikebench.report.site.records import record_page, record_table
from spikebench.report.site.tables import Cell, Column, Row, Table, as_data, as_files

MOST_ENVIRONMENTS = 20  # of a machine on its page
SUBMITTED = ("subject", "definition", "who", "licence", "commit", "rules", "doi")


@dataclass(frozen=True)
class Submitted:
    """A submission as it was examined; `grade` is None for one that is refused, whose records are on no board."""

    name: str
    made: Submission | None
    results: list[RuleResult]
    grade: str | None
    why: str
    records: list[Record]

    @property
    def state(self) -> str:
        """The grade, or that it is refused."""
        return self.grade or "refused"

    @property
    def reason(self) -> str:
        """The first rule that is broken with what was found, else what the grade rests on."""
        return next((f"{r.rule}: {r.detail}" for r in self.results if r.passed is False), self.why)

    def owns(self, record: Record) -> Owner:
        """Itself as the boards name it. Its neuron is checked where this examination executed it."""
        mine = self.made is not None and record.case["subject"] == self.made.subject
        return Owner(self.name, mine and any(r.rule == "neuron" and r.passed for r in self.results))


@dataclass(frozen=True)
class Site:
    """What the pages are made of: every record once with its permalink by its `id`, the boards, and the submissions."""

    records: list[Record]
    links: dict[int, str]
    boards: list[Board]
    submissions: Sequence[Submitted] = ()
    by_machine: dict[str, list[Record]] = field(default_factory=dict)

    @staticmethod
    def of(records: Sequence[Record], submissions: Sequence[Submitted]) -> "Site":
        """The site of records and of the submissions that were accepted, which may share records."""
        accepted = [(s.owns(r), r) for s in submissions if s.grade for r in s.records]
        links = {id(r): permalink(r) for r in [*records, *(r for _, r in accepted)]}
        every = {links[id(r)]: r for r in [*records, *(r for _, r in accepted)]}
        owner = {links[id(r)]: mine for mine, r in reversed(accepted)}  # the first one that has it
        machines: dict[str, list[Record]] = defaultdict(list)
        for r in every.values():
            machines[machine_of(r)].append(r)
        return Site([*every.values()], links, boards([*every.values()], owner), submissions, machines)


def write(records: Sequence[Record], submissions: Sequence[Submitted], folder: Path) -> int:
    """Write the site into a folder; how many files. Raises Problem where it cannot be written."""
    count = 0
    try:
        for page in pages(Site.of(records, submissions)):
            where = folder / page.name
            where.parent.mkdir(parents=True, exist_ok=True)
            for name, text in {where.name: page.html(), **page.beside}.items():
                (where.parent / name).write_text(text, encoding="utf-8", errors="replace")
                count += 1
    except OSError as error:
        raise Problem(f"cannot write {folder}: {error.strerror}; name another folder with -o") from error
    return count


def pages(site: Site) -> Iterator[Page]:
    """Every page. They are made one by one, since there is one for each record."""
    yield _index(site)
    yield from map(_board, site.boards)
    yield _records(site)
    for kind in (_neurons, _machines, _claims, _submissions):
        yield from kind(site)
    places = {id(r): f"{b.title}, on {b.device}." for b in site.boards for r in b.records}
    for r in site.records:
        yield record_page(r, site.links[id(r)], places.get(id(r), ""))


def _index(site: Site) -> Page:
    facts = rows.facts(site.records)
    lead = (
        f"{facts.records:,} records of {facts.cases:,} cases and {facts.subjects} subjects, measured on {facts.machines}, {facts.days}. "
        "A board is one setting on one device; subjects are compared nowhere else."
    )
    return Page("index.html", "Boards", lead, [_board_list(site.boards, "Every board")])


def _board(board: Board) -> Page:
    parts, beside = list[Part](), dict[str, str]()
    for k, table in enumerate(board.tables):
        links, contents = as_files(table, f"{board.slug}-{k + 1}")
        parts.append(Part("table", table=replace(table, files=links), quoted=table.quoted()))
        beside |= contents
    lead = (
        f"On {board.device}. A rank is one more than the number of subjects whose whole 95 % interval lies below; it takes five "
        "processes that passed the gate, or a submission whose neuron was executed here and equals its definition (checked). "
        "Nothing is ranked across two tables: their commits, versions or threads differ."
    )
    return Page(f"boards/{board.slug}.html", board.title, lead, parts, beside)


def _board_list(found: Sequence[Board], name: str) -> Part:
    columns = [Column("setting"), *(Column(n, choice=True) for n in ("device", "workload", "mode", "dtype"))]
    columns += [*(Column(n, True) for n in "TBN"), Column("records", True), Column("subjects")]
    return Part("table", table=Table(name, columns, [_of_board(b) for b in found]))


def _of_board(b: Board) -> Row:
    s, count, subjects = b.setting, len(b.records), b.subjects
    words = [str(s[k] or "") for k in ("workload", "mode", "dtype")]
    sizes = [Cell(f"{s[k]:,}", float(str(s[k]))) for k in "TBN"]
    named = ", ".join(subjects[:4]) + (f" and {len(subjects) - 4} more" if len(subjects) > 4 else "")
    cells = [Cell(b.title, href=f"boards/{b.slug}.html"), Cell(b.device), *map(Cell, words), *sizes]
    return Row([*cells, Cell(str(count), count), Cell(named)])


def _record_list(site: Site, records: Sequence[Record]) -> Part:
    table = record_table("Records", records, site.links)
    return Part("table", table=table, data=as_data(table))


def _records(site: Site) -> Page:
    table = record_table("Every record", site.records, site.links)
    links, beside = as_files(table, "records")
    table = replace(table, note="One row per process, with the medians of its samples.", files=links)
    lead = "A press on a heading sorts. What is filtered and sorted stands in the address."
    return Page("records.html", "Records", lead, [Part("table", table=table, data=as_data(table))], beside)


def _neurons(site: Site) -> Iterator[Page]:
    groups: dict[str, list[Record]] = defaultdict(list)
    for r in site.records:
        groups[str(r.case["neuron"])].append(r)
    listed: list[Row] = []
    for name, mine in sorted(groups.items()):
        page, title = f"neurons/{plain(name)}.html", "A module that is somebody's own."
        own = [b for b in site.boards if any(r.case["neuron"] == name for r in b.records)]
        parts = [_board_list(own, "Boards")]
        if name in registry.names("neurons"):
            facts = registry.facts(name)
            title = facts.title
            parts.append(Part("text", "BibTeX", text=cleandoc(facts.attributes.reference)))
        yield Page(page, name, title, [*parts, _record_list(site, mine)])
        listed.append(Row([Cell(name, href=page), Cell(title), Cell(f"{len(mine)}", len(mine))]))
    columns = [Column("neuron"), Column("what it is"), Column("records", True)]
    yield Page("neurons.html", "Neurons", "", [Part("table", table=Table("Every neuron", columns, listed))])


def _machines(site: Site) -> Iterator[Page]:
    listed: list[Row] = []
    for name, mine in sorted(site.by_machine.items()):
        page, facts = f"machines/{plain(name)}.html", rows.facts(mine)
        shared, _ = rows.environments(mine)
        environments = [
            Part("facts", f"Environment {k + 1}: {e.count} record{'s' * (e.count != 1)}", facts=e.facts)
            for k, e in enumerate(shared[:MOST_ENVIRONMENTS])
        ]
        own = [b for b in site.boards if any(machine_of(r) == name for r in b.records)]
        lead = f"{facts.records:,} records, {facts.days}."
        yield Page(page, name, lead, [_board_list(own, "Boards"), *environments])
        cpu = str(mine[0].environment.get("cpu") or "")
        listed.append(Row([Cell(name, href=page), Cell(cpu), Cell(f"{len(mine)}", len(mine)), Cell(facts.days)]))
    columns = [Column("machine"), Column("processor"), Column("records", True), Column("days")]
    yield Page("machines.html", "Machines", "", [Part("table", table=Table("Every machine", columns, listed))])


def _claims(site: Site) -> Iterator[Page]:
    listed: list[Row] = []
    for name, c in claim.every():
        each = (assessment.assess(name, c, mine) for mine in site.by_machine.values())
        found = [f for f in each if f.measured is not None] or [assessment.assess(name, c, [])]
        page = f"claims/{plain(name)}.html"
        parts = [
            Part("html", f.origin or f.machine or "Not measured", html=as_html(claim_page.page(f, c), 2)) for f in found
        ]
        yield Page(page, name.replace("_", "-"), c.sentence, parts)
        verdicts = ", ".join(dict.fromkeys(f.verdict for f in found))
        measured = ", ".join(f.shown for f in found if f.measured is not None) or "—"
        state = Cell(verdicts, bad="contradicted" in verdicts)
        listed.append(Row([Cell(name, href=page), Cell(c.text), Cell(measured), state]))
    columns = [Column("claim"), Column("published"), Column("measured"), Column("verdict", choice=True)]
    lead = "What papers say, and what the records say about it."
    yield Page("claims.html", "Claims", lead, [Part("table", table=Table("Every claim", columns, listed))])


def _submissions(site: Site) -> Iterator[Page]:
    listed: list[Row] = []
    for s in site.submissions:
        page = f"submissions/{plain(s.name)}.html"
        yield Page(page, s.name, f"{s.state}: {s.reason}", list(_submission(site, s)))
        subject, who = (s.made.subject, s.made.who) if s.made else ("—", "—")
        state = Cell(s.state, bad=not s.grade)
        listed.append(Row([Cell(s.name, href=page), Cell(subject), Cell(who), state, Cell(s.reason)]))
    columns = [Column("submission"), Column("subject"), Column("who"), Column("grade", choice=True), Column("why")]
    lead = "Submissions that keep every rule are on the boards. The others are refused, and their records are on none."
    table = Table("Every submission", columns, listed)
    yield Page("submissions.html", "Submissions", lead, [Part("table", table=table)])


def _submission(site: Site, s: Submitted) -> Iterator[Part]:
    """What is submitted, what became of every rule, how it is cited, and its records if it is accepted."""
    if s.made is not None:
        facts = [(k, str(v)) for k in SUBMITTED if (v := getattr(s.made, k))]
        yield Part("facts", "What is submitted", facts=facts)
    results = [Row([Cell(r.rule), Cell(r.shown, bad=r.passed is False), Cell(r.detail)]) for r in s.results]
    columns = [Column("rule"), Column("result"), Column("what was found")]
    yield Part("table", table=Table("Rules", columns, results))
    if s.made is not None and s.made.citation:
        yield Part("text", "BibTeX", text=s.made.citation)
    if s.grade:
        yield _record_list(site, s.records)
