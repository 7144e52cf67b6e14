"""A pseudo-terminal of a given width, and a reader of the tables on it that knows nothing of what printed them."""

import os
import pty
import re
import struct
import sys
import traceback
import unicodedata
from collections.abc import Callable, Sequence
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

Cell = list[str]  # the lines that a cell was folded to
Row = dict[str, Cell]

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:e[+-]?\d+)?")
_UNIT = re.compile(r"\d (?:[mµn]?s|[KMG]i?B|B)\b|\d[x%](?!\w)")
_INTERVAL = re.compile(r"\[-?[\d.e+-]+, -?[\d.e+-]+\]")
_LONGEST = 15  # a word longer than this may be broken anywhere


def shown(width: int, action: Callable[[], object]) -> list[str]:
    """What an action prints on a terminal, in a process of its own, without colours; stderr is left out."""
    pid, terminal = pty.fork()
    if pid == 0:
        _child(width, action)
    with open(terminal, "rb", buffering=0) as screen:
        read = bytearray()
        while chunk := _read(screen.fileno()):
            read += chunk
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    text = _ESCAPE.sub("", read.decode()).replace("\r\n", "\n")
    assert status == 0, text
    return text.split("\n")


def _read(file: int) -> bytes:
    try:
        return os.read(file, 65536)
    except OSError:  # the other end is closed
        return b""


def _child(width: int, action: Callable[[], object]) -> None:
    from spikebench.cli import _print

    try:
        ioctl(1, TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        os.environ["TERM"] = "xterm"
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
            os.environ.pop(name, None)
        sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)
        sys.stderr = open(os.devnull, "w")
        _print.stdout.cache_clear()
        action()
        sys.stdout.flush()
        os._exit(0)
    except BaseException:  # noqa: BLE001  # the child must end here, whatever happens
        Path("/dev/stdout").write_text(traceback.format_exc())
        os._exit(1)


def tables(lines: list[str], *columns: Sequence[str]) -> list[list[Row]]:
    """The tables with these columns, in this order, found among the lines; empty lines end a table."""
    chunks = [chunk.split("\n") for chunk in re.split(r"\n(?:\s*\n)+", "\n".join(line.rstrip() for line in lines))]
    found: list[list[Row]] = []
    for names in columns:
        above: Row = {}
        while True:
            assert chunks, f"no table with the columns {', '.join(names)}"
            chunk = [line for line in chunks.pop(0) if line.strip()]
            if chunk and _labelled(chunk[0], names):
                if (rows := _blocks(chunk, names)) and names[0] not in rows[0]:
                    (above,) = rows
                    continue
            elif chunk and any(line.startswith(names[0][:3]) for line in chunk[:3]):
                rows = _grid(chunk, [name for name in names if name not in above])
            else:
                continue
            found.append([above | row for row in rows])
            break
    return found


def _labelled(line: str, names: Sequence[str]) -> bool:
    return any(line.startswith(f"{name}:") for name in names)


def _blocks(lines: list[str], names: Sequence[str]) -> list[Row]:
    """One line per cell with its column's name before it; what goes on is indented, a rule stands between rows."""
    rows: list[Row] = [{}]
    name = ""
    for line in lines:
        if set(line) == {"─"}:
            rows.append({})
        elif line.startswith(" "):
            rows[-1][name].append(line.strip())
        else:
            name, _, value = line.partition(":")
            assert name in names and name not in rows[-1], line
            rows[-1][name] = [value.strip()]
    return rows


def _grid(lines: list[str], names: Sequence[str]) -> list[Row]:
    """Columns lie between gutters of two blank cells or more; a row begins where the first column does, unindented."""
    grid = [cells(line) for line in lines]
    width = max(map(len, grid))
    grid = [line + [" "] * (width - len(line)) for line in grid]
    blank = "".join(" " if all(line[k] == " " for line in grid) else "x" for k in range(width))
    spans = [m.span() for m in re.finditer(r"x+(?: x+)*", blank)]
    parts = [["".join(line[a:b]) for a, b in spans] for line in grid]
    end, head = 0, ""
    while head != "".join(names[0].split()):
        head += "".join(parts[end][0].split())
        end += 1
    heads = [" ".join(" ".join(line[k] for line in parts[:end]).split()) for k in range(len(spans))]
    names = [name for name in names if _squeezed(name) in map(_squeezed, heads)]  # an empty column may be left out
    assert [_squeezed(h) for h in heads] == [_squeezed(n) for n in names], "\n".join([*lines, blank])
    rows: list[Row] = []
    for part in parts[end:]:
        if not part[0].startswith(" "):
            rows.append({name: [] for name in names})
        for name, text in zip(names, part, strict=True):
            if text.strip():
                rows[-1][name].append(text.strip())
    return rows


def cells(line: str) -> list[str]:
    """What stands in each cell of a line: a wide character fills two, a combining one none."""
    made: list[str] = []
    for c in line:
        if unicodedata.combining(c):
            made[-1] += c
        else:
            made += [c, ""] if unicodedata.east_asian_width(c) in "WF" else [c]
    return made


def _squeezed(text: str) -> str:
    return "".join(text.split())


def compare(found: list[Row], expected: Sequence[Sequence[str]], columns: Sequence[str], narrow: bool = False) -> int:
    """How many cells were compared; each is what was expected, and no number, unit or interval in it is broken.

    In a narrow terminal an interval may be broken at its space.
    """
    assert len(found) == len(expected)
    for row, texts in zip(found, expected, strict=True):
        for name, text in zip(columns, texts, strict=True):
            whole(row.get(name, []), text, narrow)
            if name in "TBN" and text.isdigit():
                assert int("".join(row[name])) == int(text)
    return len(found) * len(columns)


def whole(lines: Cell, text: str, narrow: bool = False) -> None:
    """Nothing of the text is lost in these lines, and what belongs together stands in one of them."""
    assert _squeezed("".join(lines)) == _squeezed(text)
    if max(map(len, re.split(r"\s|(?<=[\[,@:/-])", text))) <= _LONGEST:
        for kind in (_NUMBER, _UNIT) if narrow else (_NUMBER, _UNIT, _INTERVAL):
            assert [m for line in lines for m in kind.findall(line)] == kind.findall(text), (lines, text)
