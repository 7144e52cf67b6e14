"""A page of Markdown on a terminal."""

from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, MarkdownElement, Paragraph, TableElement

from spikebench.cli._layout import Table, fold
from spikebench.cli._print import stdout


class _Table(TableElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        assert self.header and self.header.row and self.body
        head, *rows = ([cell.content.plain for cell in row.cells] for row in (self.header.row, *self.body.rows))
        yield Table(head, rows)


class _Paragraph(Paragraph):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield fold(self.text, options.max_width)


class _Page(Markdown):
    """Markdown whose tables and paragraphs are laid out as ours."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = Markdown.elements | {
        "table_open": _Table,
        "paragraph_open": _Paragraph,
    }


def page(markdown: str) -> None:
    """Print Markdown: laid out on a terminal, as it is into a file."""
    stdout().print(_Page(markdown) if stdout().is_terminal else markdown, soft_wrap=not stdout().is_terminal)
