"""Text and tables on stdout."""

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from rich.console import Console
from rich.text import Text

from spikebench.cli._layout import Table, fold
from spikebench.errors import printable


@lru_cache(maxsize=1)
def stdout() -> Console:
    """The console for results: text as it is, as wide as the terminal, and in a file as wide as the text."""
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else 1_000_000
    return Console(width=width, force_terminal=terminal, soft_wrap=True, markup=False, emoji=False, highlight=False)


def table(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Print rows under the named columns, at any width without losing a letter; None leaves a cell empty."""
    stdout().print(Table(columns, rows))


def rows_as_json(rows: Iterable[object]) -> None:
    """Print rows as a JSON array, one a line, each as it comes."""
    opening = "["
    for row in rows:
        sys.stdout.write(f"{opening}{json.dumps(row)}")
        opening = ",\n"
    sys.stdout.write("[]\n" if opening == "[" else "]\n")


def say(text: str = "", style: str = "") -> None:
    """Print a line of text, folded as the cells of a table are."""
    stdout().print(fold(Text(printable(text), style), stdout().width))


def notes(lines: Iterable[str]) -> None:
    """Print lines below a table, after an empty one."""
    for k, line in enumerate(lines):
        if not k:
            say()
        say(line)


def text(value: Any) -> str:
    """A fact as a cell of a table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else str(value)
