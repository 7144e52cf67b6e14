"""One self-contained HTML file from records: verdicts, tables, figures, environments, reasons, and how to measure again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from spikebench.analysis.printed import Cells
from spikebench.analysis.scaling import scaling_rows
from spikebench.records import flags, store
from spikebench.records.files import save_text
from spikebench.records.origin import apart, by_origin
from spikebench.records.record import Record
from spikebench.report import again, figures, record_table, rows
from spikebench.report._template import rendered
from spikebench.report.verdicts import VerdictRow, verdicts

LARGEST_FIGURES = 2_000_000  # bytes; the rest of a file of 5 MB is for the records


@dataclass(frozen=True)
class ClaimRow:
    """A claim, its verdict, and its page as HTML."""

    claim: str
    claimed: str
    shown: str
    verdict: str
    setting: str
    page: str


@dataclass(frozen=True)
class Section:
    """What the page says of one origin."""

    name: str
    told: str
    days: str
    count: int
    verdicts: list[VerdictRow]
    claims: list[ClaimRow]
    growth: list[Cells]
    trainings: list[dict[str, str]]
    figures: list[str]


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
    return save_text(Path(path), page(records, title, lead, notes, baseline), "name another file with -o")


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
    return rendered(
        "_report.html",
        title=title,
        lead=as_html(lead),
        facts=rows.facts(records),
        sections=sections,
        apart=apart(by_origin(sound)),
        warnings=[*notes, *odd, *left_out, *rows.mixed(records)],
        flags=[(f, n, flags.told(f)) for f, n in Counter(f for r in records for f in r.flags).most_common()],
        reasons=rows.reasons(records),
        environments=environments,
        commands=again.commands(sound),
        data=record_table.table(records, index),
        figure_style=figures.style(),
        figure_script=figures.script(),
    )


def _sections(records: Sequence[Record], baseline: str | None) -> tuple[list[Section], list[str]]:
    """The sections of the page, one for each origin, the newest first, and the figures that would have made the file too large."""
    made: list[Section] = []
    left_out: list[str] = []
    left = LARGEST_FIGURES
    for where, part in by_origin(records).items():
        shown, missing, left = _figures(part, left)
        left_out += [f"{where}: {text}" for text in missing]
        made.append(
            Section(
                name=str(where),
                told=where.told,
                days=rows.facts(part).days,
                count=len(part),
                verdicts=verdicts(part, baseline),
                claims=_claims(part),
                growth=[row.cells for row in scaling_rows([r for r in part if r.case["workload"] == "layer"])],
                trainings=rows.trainings(part),
                figures=shown,
            )
        )
    return made, left_out


def _sound(r: Record) -> bool:
    """Whether a record has the types that figures and statistics rely on."""
    sizes = all(isinstance(r.case.get(k), int) for k in "TBN")
    words = all(isinstance(r.case.get(k), str) for k in ("subject", "neuron", "mode", "workload", "device", "dtype"))
    return sizes and words and all(isinstance(v, int | float) for m in r.measurements for v in m.samples)


def as_html(markdown: str, down: int = 1) -> str:
    """Markdown as HTML with its headings `down` levels lower; HTML in it stays text."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(markdown)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + down)}"
    return reader.renderer.render(tokens, reader.options, {})


def _claims(records: Sequence[Record]) -> list[ClaimRow]:
    """The pages of the claims that these records of one origin say something about."""
    from spikebench import claim
    from spikebench.analysis import assessment
    from spikebench.report import claim_page as pages

    found: list[ClaimRow] = []
    for name, c in claim.every():
        f = assessment.assess(name, c, records)
        if f.measured is not None:
            head = (name.replace("_", "-"), f.claimed, f.shown, f.verdict, f.setting or "")
            found.append(ClaimRow(*head, page=as_html(pages.page(f, c), 3)))
    return found


def _figures(records: Sequence[Record], left: int) -> tuple[list[str], list[str], int]:
    """Every figure that the records allow, as HTML, what did not fit into the page, and the bytes that are left."""
    from spikebench.plots import _draw, kinds
    from spikebench.plots import figures as drawings

    made: list[str] = []
    left_out: list[str] = []
    frame = store.frame(records, details=True)
    with _draw.applied():  # for the kinds that matplotlib draws
        for kind in kinds() if len(frame) else []:
            for drawing in drawings(kind, frame):
                text = figures.element(drawing, kind)
                if len(text) > left:
                    left_out.append(f"no place for the figure {drawing.name}: spikebench plot {kind} FILES draws it")
                    continue
                left -= len(text)
                made.append(text)
    return made, left_out, left
