"""One page of the site: what it holds, and its HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Literal

from spikebench.report._template import rendered
from spikebench.report.site.tables import Table

NAV = (("Boards", "index.html"), ("Records", "records.html"), ("Neurons", "neurons.html"))
NAV += (("Machines", "machines.html"), ("Claims", "claims.html"), ("Submissions", "submissions.html"))
HEADS = ("subject", "setting", "neuron", "machine", "claim", "submission", "rule", "metric")


@dataclass(frozen=True)
class Part:
    """A part of a page: a table, facts, a text, or HTML that was made from Markdown.

    `data` has the rows of a table that the page's script shows a part at a time. `quoted` has what a row is cited with.
    """

    kind: Literal["table", "facts", "text", "html"]
    name: str = ""
    table: Table | None = None
    facts: Sequence[tuple[str, str]] = ()
    text: str = ""
    html: str = ""
    data: dict[str, object] | None = None
    quoted: list[dict[str, object]] | None = None


@dataclass(frozen=True)
class Page:
    """A page. `name` is its path below the site's folder, and `beside` has the contents of files in the same folder by their names."""

    name: str
    title: str
    lead: str
    parts: Sequence[Part]
    beside: Mapping[str, str] = field(default_factory=dict)

    def html(self) -> str:
        """The page, which needs no other file."""
        return rendered(
            "_site.html",
            title=self.title,
            lead=self.lead,
            parts=self.parts,
            root="../" * self.name.count("/"),
            nav=NAV,
            heads=HEADS,
            script=_text("_site.js") if any(p.kind == "table" for p in self.parts) else "",
            style=_text("_site.css"),
        )


@cache
def _text(name: str) -> str:
    return resources.files("spikebench.report").joinpath(name).read_text("utf-8")
