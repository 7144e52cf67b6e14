"""Command lines made of what the commands declare: each option with values inside its range, and with some outside.

A value is made together with what it should be read as, so that the reading is not trusted to judge itself.
"""

import itertools
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikebench import registry
from spikebench.cli import _command, _values
from spikebench.cli.app import Commands
from spikebench.units import Interval

LONG = "9" * 5000
NASTY = ("", "  ", "\x9b31m", "x" * 5000)
# one hands its arguments on to another program, one has no value to read, one needs a repository (test_commits.py has one),
# and one waits
LEFT_OUT = ("asv", "doctor", "compare-commits", "watch")
SUBJECTS = ("lif@eager", "lif[decay=0.5,reset=hard]@fused", "psu", "spsn@cpu", "psn[slope=3.0]", "exodus@eager")
WRONG_SUBJECTS = (
    *("nobody", "lif@nobody", "lif[", "lif[]]", "@", "lif@", "lif[decay=1.5]", "lif[decay=nan]", "lif[decay=-0.1]"),
    *("lif[decay=0.5,decay=0.6]", "lif[slope=0]", "lif[slope=1e999]", "lif[strict=2]", "lif[nothing=1]", "lif[decay]"),
    *("psn[k=3]", "sliding_psn[k=0]", f"sliding_psn[k={LONG}]", "lif[refractory=1.5]", "lif\n@eager", "=1+1"),
)


@dataclass
class Line:
    """A command line: its words, what its options should be read as, and the option that is wrong, if one is."""

    words: list[str]
    values: dict[str, Any] = field(default_factory=dict)
    wrong: str | None = None
    why: str = ""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a command: its name, how it is typed, its kind (None: a flag), and what it is without."""

    name: str
    words: tuple[str, ...]
    kind: _values.Text | None
    several: bool
    needed: bool
    positional: bool


def parameters(command: str) -> list[Parameter]:
    """The parameters that a command declares."""
    module = Commands().module(command)
    made: list[Parameter] = []
    for p in _command.spread(module.command)[0]:
        read, shown = _command.read_by(p), f"--{p.name.replace('_', '-')}"
        info = p.annotation.__metadata__[0]
        words = tuple(w for w in (info.default, *(info.param_decls or ())) if isinstance(w, str)) or (shown,)
        positional = type(info).__name__ == "ArgumentInfo"
        several = read.several if read else False
        made.append(Parameter(p.name, words, read and read.kind, several, p.default is p.empty, positional))
    return made


class Maker:
    """Makes values of parameters, with files of a folder where it takes some."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random, self._count = folder, random.Random(seed), itertools.count()
        (folder / "there").mkdir()
        (folder / "file.txt").write_text("a file", encoding="utf-8")
        (folder / "there.py").mkdir()
        for name in ("pipe", "pipe.py"):
            os.mkfifo(folder / name)
        self.domains: dict[str, tuple[str, ...]] = {
            **dict.fromkeys(("subjects", "subject", "neuron"), SUBJECTS),
            "network": ("shd", "projection", "shd[width=16,layers=2]"),
            "like": ("lif",),
            "against": ("lif@eager", "lif@eager,psu@cpu"),
            "python": ("snntorch=/bin/true",),
            "sweep": ("floor",),
            "task": ("digits", "digits[permuted=true]"),
            "recipe": ("lr=0.001", "batch=16"),
            "init": ("{}",),
            "reset": ("none",),
            "kind": ("neurons",),
            "skip": ("tests",),
            "claim": ("psn_speed",),
        }

    def inside(self, command: str, p: Parameter) -> tuple[list[str], Any] | None:
        """A value that the parameter may have, as it is typed, and what it is; None where nothing is known of its texts."""
        kind, pick = p.kind, self.random.choice
        if isinstance(kind, _values.Duration):
            return self._one((("60s", 60.0), ("5m", 300.0), ("1h", 3600.0), ("200ms", 0.2), ("7", 7.0), ("1e9", 1e9)))
        if isinstance(kind, _values.Bytes):
            return self._one((("4GB", 4 * 10**9), ("512MiB", 2**29), ("1000", 1000), ("1.5KiB", 1536), ("1B", 1)))
        if isinstance(kind, _values.Percent):
            return self._one((("5%", 0.05), ("0%", 0.0), ("100", 1.0)))
        if isinstance(kind, _values.Number):
            low, high = (Interval.of(kind.within).low, Interval.of(kind.within).high)
            if isinstance(kind, _values.Whole):
                value = int(low) + pick((0, 1, 2, 4))
                return [str(value)], value
            return self._one(tuple((repr(v), v) for v in (0.25, 0.5, 0.001) if low < v < high))
        if isinstance(kind, _values.Wholes):
            low = int(Interval.of(kind.within).low)
            return self._one(tuple((",".join(map(str, v)), v) for v in ([low], [low + 3, low + 7], [9, 64, 5])))
        if isinstance(kind, _values.Words):
            found = self.random.sample(kind.choices, pick((1, 2)))
            return [",".join(found)], found
        if isinstance(kind, _values.Pairs):
            return self._one((("1", "1"), ("3", "3"), ("2-4", "2-4")))
        if isinstance(kind, _values.Choice):
            return self._one(tuple((c, c) for c in kind.choices))
        if isinstance(kind, _values.Place):
            path = str(self.place(kind))
            return [path], path
        texts = tuple(registry.names(kind.package)) if isinstance(kind, _values.Id) else self.domains.get(p.name, ())
        if not texts:
            return None
        found = self.random.sample(texts, min(len(texts), pick((1, 2))) if p.several else 1)
        return found, found if p.several else found[0]

    def _one(self, choices: tuple[tuple[str, Any], ...]) -> tuple[list[str], Any]:
        text, value = self.random.choice(choices)
        return [text], value

    def place(self, kind: _values.Place) -> Path:
        """A path that serves: one that is there, or where something can be made."""
        new = self.folder / f"new-{next(self._count)}"
        if kind == _values.IN_FOLDER:
            return self.folder / "there"
        if kind == _values.IN_FILE:
            return self.folder / "file.txt"
        return self.random.choice((new, new / "below"))

    def outside(self, p: Parameter) -> Iterator[str]:
        """Texts that the parameter must refuse."""
        kind = p.kind
        if isinstance(kind, _values.Place):
            yield from self._places(kind)
        elif isinstance(kind, _values.Number):
            yield from (*NASTY, "nan", "inf", "-inf", "1e999", "-1", "0x10", "1,2", "none")
            yield from _beyond(kind)
        elif isinstance(kind, _values.Wholes):
            yield from (*NASTY, ",", "1,,2", "1,1", "-5", "1.5", "nan", LONG, "1;2", "9,")
            yield from _beyond(kind)
        elif isinstance(kind, _values.Words):
            yield from (*NASTY, ",", f"{kind.choices[0]},{kind.choices[0]}", f"{kind.choices[0]},", "nothing")
        elif isinstance(kind, _values.Pairs):
            yield from (*NASTY, "0", "5-", "-5", "20-5", "1-2-3", "1.5", "99999999", "0-5", "nan")
        elif isinstance(kind, _values.Choice):
            yield from (*NASTY, "nothing", kind.choices[0].upper() + "X", ",".join(kind.choices))
        elif isinstance(kind, _values.Id):
            yield from (*NASTY, "nobody", "../lif", "__init__", "_names")
        elif p.name in ("subjects", "subject", "neuron"):
            yield from (*NASTY, *WRONG_SUBJECTS)
            yield from (f"{self.folder}/{name}.py:Net" for name in ("pipe", "absent", "there"))
        else:
            yield from {
                "network": ("nothing", "shd[width=0]", "shd[width=-3]", "shd[depth=2]", "shd[width=nan]", "shd["),
                "task": ("nothing", "fsdd[hop=0]", "digits[permuted=3]", "shd[bins=0]", "digits[seed=-1]", "fsdd["),
                "recipe": ("lr", "nothing=1", "lr=nan", "=", "lr=-1"),
                "python": ("snntorch", "=x", "snntorch="),
                "like": ("nobody",),
                "sweep": ("nothing",),
                "kind": ("nothing",),
                "claim": ("nothing",),
                "init": ("[]", "{", "nan", '{"tau": NaN}', '{"tau": [1]}', "3"),
                "files": (str(self.folder / "pipe"), "/dev/zero", str(self.folder / "absent*")),
            }.get(p.name, ())
            yield from ("", "  ")

    def _places(self, kind: _values.Place) -> Iterator[str]:
        there, file = self.folder / "there", self.folder / "file.txt"
        yield from ("", "  ", "x" * 5000, "/dev/null", str(self.folder / "pipe"), str(file / "below"))
        if kind != _values.OUT_PATH:  # which may be either
            yield str(there if kind in (_values.OUT_FILE, _values.IN_FILE) else file)
        if kind in (_values.IN_FILE, _values.IN_FOLDER):
            yield str(self.folder / "absent")


def _beyond(kind: _values.Number | _values.Wholes) -> Iterator[str]:
    """Texts of numbers just outside of an interval."""
    found = Interval.of(kind.within)
    scale = 1 if isinstance(kind, _values.Whole | _values.Wholes) else 1e-3
    for end, step in ((found.low, -scale), (found.high, scale)):
        if abs(end) < 1e17:
            beyond = end + step if end in found else end
            yield (
                str(int(beyond))
                if scale == 1
                else f"{100 * beyond:g}"
                if isinstance(kind, _values.Percent)
                else repr(beyond)
            )
