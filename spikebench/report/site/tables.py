"""A table of the site: as HTML sees it, and as the files that are offered beside it."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from spikebench.records import store
from spikebench.records.record import Record
from spikebench.report.cite import bibtex, latex, permalink
from spikebench.report.export import safe

KINDS = {"jsonl": "JSON Lines", "csv": "CSV", "tex": "LaTeX", "bib": "BibTeX"}


@dataclass(frozen=True)
class Column:
    """A heading; whether it sorts by numbers, and whether one can choose among its values."""

    name: str
    numeric: bool = False
    choice: bool = False


@dataclass(frozen=True)
class Cell:
    """A text, what it sorts by if that is a number, where it leads, and what is wrong with it."""

    text: str
    value: float | None = None
    href: str = ""
    bad: bool = False


@dataclass(frozen=True)
class Row:
    """Cells, and the records that they are of."""

    cells: list[Cell]
    records: list[Record] = field(default_factory=list)
    name: str = ""


@dataclass(frozen=True)
class Table:
    """A named table. `pairs` has what is said of two of its rows, by "i,j"; `files` are links to the same as files."""

    name: str
    columns: list[Column]
    rows: list[Row]
    note: str = ""
    pairs: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, str]] = field(default_factory=list)

    def quoted(self) -> list[dict[str, object]]:
        """What the page quotes of every row: its cells as LaTeX, and the BibTeX of its records."""
        return [
            {
                "name": row.name,
                "latex": [latex(c.text) for c in row.cells],
                "bib": "\n\n".join(bibtex(r, permalink(r)) for r in row.records),
                "links": [permalink(r) for r in row.records],
            }
            for row in self.rows
        ]


def as_csv(table: Table) -> str:
    """The table, with numbers in SI units beside the texts."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    numeric = [c.numeric for c in table.columns]
    names = [n for c in table.columns for n in ([c.name, f"{c.name} (SI)"] if c.numeric else [c.name])]
    writer.writerow([*names, "records"])
    for row in table.rows:
        cells: list[object] = []
        for cell, number in zip(row.cells, numeric, strict=True):
            cells += [safe(cell.text)] + ([cell.value] if number else [])
        writer.writerow([*cells, " ".join(map(permalink, row.records))])
    return out.getvalue()


def as_latex(table: Table) -> str:
    """The table with the rules of booktabs."""
    shape = "".join("r" if c.numeric else "l" for c in table.columns)
    lines = [" & ".join(latex(c.text) for c in row.cells) + r" \\" for row in table.rows]
    head = " & ".join(latex(c.name) for c in table.columns) + r" \\"
    body = [f"% {latex(table.name)}", rf"\begin{{tabular}}{{{shape}}}", r"\toprule", head, r"\midrule"]
    return "\n".join([*body, *lines, r"\bottomrule", r"\end{tabular}", ""])


def as_bibtex(records: Sequence[Record]) -> str:
    """The entry of every record."""
    return "\n\n".join(bibtex(r, permalink(r)) for r in records) + "\n"


def as_lines(records: Sequence[Record]) -> str:
    """The records as JSON lines."""
    return b"".join(map(store.line, records)).decode()


def as_data(table: Table) -> dict[str, object]:
    """The rows for the page's script, which shows them a part at a time."""
    return {"rows": [[[c.text, c.value, c.href, c.bad] for c in row.cells] for row in table.rows]}


def as_files(table: Table, name: str) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """The table as files of that name: their kinds with their names, as `Table.files` has them, and their contents by their names."""
    records = [r for row in table.rows for r in row.records]
    made = {"jsonl": as_lines(records), "csv": as_csv(table), "tex": as_latex(table), "bib": as_bibtex(records)}
    return [(KINDS[e], f"{name}.{e}") for e in made], {f"{name}.{e}": text for e, text in made.items()}
