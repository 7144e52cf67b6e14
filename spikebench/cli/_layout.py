"""A table that loses nothing at any width: it stands whole, folded, or as a block of lines per row."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.rule import Rule
from rich.table import Table as Grid
from rich.text import Text

from spikebench.errors import printable

GAP = 2
NARROW = 16  # a column of text gets no narrower than this for the sake of its longest word
# between words, but not between a number and its unit, at an equals sign or inside an interval; in a name after a
# separator, but not inside a number
_BREAK = re.compile(
    r"(?:(?<!\d )(?<![=≈] )(?<=\s)(?=\S)|(?<=\d )(?=[^\w\s%]|\d))(?![=≈]|[^\[\]]*\])"
    r"|(?<=[\w\])][\[,@:/-])(?=[^\s\d.+−-])|(?<=[\w\])]@)(?=\d)"
)
_SPACE = re.compile(r"(?<=\s)(?=\S)")
_NUMBER = re.compile(r"[-−+<>≈~]?(\d|(inf|nan)\b)")

Rows = Sequence[Sequence[str]]
Form = tuple[int, RenderableType]  # the lines that it takes, and what prints them


class Table:
    """Named columns and rows of text, printed in the form with the fewest lines that shows every cell whole.

    Columns of numbers stand to the right. What does not fit is broken at a space or, in a name, after a separator, and
    goes on in the next line, indented by one; a word is broken elsewhere only if it is longer than its line. Columns in
    which all rows agree may move above the table. The first column names the row and is never empty.
    """

    def __init__(self, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
        self.columns = list(columns)
        self.rows = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _shortest(self.columns, self.rows, options.max_width)[1]


def fold(text: Text, width: int, indent: int = 0) -> Text:
    """The text in lines of at most `width` cells; all but the first are indented."""
    lines = text.divide(_starts(text.plain, width, indent))
    for line in lines:
        line.rstrip()
    return Text("\n" + " " * indent).join(lines)


def _starts(text: str, width: int, indent: int) -> list[int]:
    """Where the second and further lines begin."""
    found: list[int] = []
    at = used = 0
    for piece in _pieces(text, width - indent):
        if used and used + cell_len(piece.rstrip()) > width:
            found.append(at)
            used = indent
        while used + cell_len(piece.rstrip()) > width:
            head = chop_cells(piece, width - used)[0]
            at += len(head)
            piece = piece.removeprefix(head)
            found.append(at)
            used = indent
        used += cell_len(piece)
        at += len(piece)
    return found


def _pieces(text: str, width: int) -> Iterator[str]:
    """What should not be broken; of what is too long for a line, its words."""
    for piece in _BREAK.split(text):
        yield from [piece] if cell_len(piece.rstrip()) <= width else _SPACE.split(piece)


def _shortest(columns: Sequence[str], rows: Rows, width: int) -> Form:
    """The whole table if it fits, else the form with the fewest lines."""
    if whole := _grid(columns, rows, width, shrink=False):
        return whole
    forms = _grid(columns, rows, width), _apart(columns, rows, width), _blocks(columns, rows, width)
    return min(filter(None, forms), key=lambda form: form[0])


def _grid(columns: Sequence[str], rows: Rows, width: int, shrink: bool = True) -> Form | None:
    """The table, folded until it fits; None if it cannot be."""
    stacks = [[name, *cells] for name, *cells in zip(columns, *rows, strict=True)]
    right = [k > 0 and _numeric(cells) for k, (_, *cells) in enumerate(stacks)]
    widths = [max(map(cell_len, stack)) for stack in stacks]
    least = [_least(stack, number) if shrink else w for stack, number, w in zip(stacks, right, widths, strict=True)]
    while sum(widths) + GAP * (len(widths) - 1) > width:
        widest = max((k for k, w in enumerate(widths) if w > least[k]), key=widths.__getitem__, default=None)
        if widest is None:
            return None
        widths[widest] -= 1
    made = Grid(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    for name, number, w in zip(columns, right, widths, strict=True):
        made.add_column(fold(Text(name), w), justify="right" if number else "left", width=w, no_wrap=True)
    lines = 1
    for row in rows:
        cells = [fold(Text(c), w, not number) for c, w, number in zip(row, widths, right, strict=True)]
        made.add_row(*cells)
        lines += _height(cells)
    return lines, made


def _height(texts: Iterable[Text]) -> int:
    return 1 + max(text.plain.count("\n") for text in texts)


def _numeric(cells: Sequence[str]) -> bool:
    """Whether a column holds numbers, with or without a unit or an interval, and nothing else but dashes."""
    said = [c for c in cells if c not in ("", "—")]
    return bool(said) and all(_NUMBER.match(c) for c in said)


def _least(stack: Sequence[str], number: bool) -> int:
    """The narrowest that a column gets: as wide as its longest piece that should not be broken."""
    longest = max(cell_len(piece.rstrip()) for cell in stack for piece in _BREAK.split(cell))
    return longest if number else min(longest + 1, max(map(cell_len, stack)), NARROW)


def _blocks(columns: Sequence[str], rows: Rows, width: int) -> Form:
    """The rows below one another, a line for every cell that is not empty, with a rule between."""
    label = min(max(map(cell_len, columns)), width // 2) + 1
    room = width - label - 1
    lines, made = 0, list[RenderableType]()
    for row in rows:
        block = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
        block.add_column(style="bold", width=label, no_wrap=True)
        block.add_column(width=room, no_wrap=True)
        for name, cell in zip(columns, row, strict=True):
            if cell:
                texts = fold(Text(f"{name}:"), label, 1), fold(Text(cell), room, 1)
                block.add_row(*texts)
                lines += _height(texts)
        made += [block, Rule(style="dim")]
    return lines + len(rows) - 1, Group(*made[:-1])


def _apart(columns: Sequence[str], rows: Rows, width: int) -> Form | None:
    """The table without the columns in which all rows agree; these stand above it as a block."""
    same = [k > 0 and all(a == b for a, b in pairwise(cells)) for k, cells in enumerate(zip(*rows, strict=True))]
    if len(rows) < 2 or not any(same):
        return None
    kept = [[c for c, s in zip(line, same, strict=True) if not s] for line in (columns, *rows)]
    moved = [[c for c, s in zip(line, same, strict=True) if s] for line in (columns, rows[0])]
    above, below = _blocks(moved[0], moved[1:], width), _shortest(kept[0], kept[1:], width)
    return (above[0] + 1 + below[0], Group(above[1], Text(), below[1])) if above[0] else below
