"""Kinds of values that options have: each reads what was typed, or says in one line what it takes. They stand beside the option.

A kind reads before the command begins, so that nothing starts on a line with a wrong value. Times, sizes and shares are
finite and above 0 unless the kind says otherwise.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from spikebench import registry, units
from spikebench.errors import Problem
from spikebench.records import files

POSITIVE, COUNT, NATURAL = "(0, inf)", "[1, inf)", "[0, inf)"
LONGEST = "(0, 1e9]"  # seconds
SIZES = "[1, 2147483647]"
CORES = "[1, 4096]"
MANY, TIMES = "[1, 1000000]", "[1, 10000]"
CAPABILITY = "[50, 999]"


@dataclass(frozen=True)
class Text:
    """A text that is not empty. In a list of them none comes twice, unless it `repeats`."""

    repeats: bool = False
    metavar: ClassVar[str] = "TEXT"
    commas: ClassVar[bool] = False  # several values stand in one text

    def read(self, option: str, text: str) -> Any:
        """The value; Problem in one line that names the option."""
        if not text.strip():
            raise Problem(f"{option} is empty; give it a value, or leave it out")
        return text

    def write(self, value: Any) -> str:
        """The text of a default."""
        return str(value)


@dataclass(frozen=True)
class Number(Text):
    """A number in an interval."""

    within: str = POSITIVE
    metavar: ClassVar[str] = "NUMBER"
    made: ClassVar[Callable[[str], Any]] = float
    what: ClassVar[str] = "a number"

    def read(self, option: str, text: str) -> Any:
        try:
            value = type(self).made(text)
        except (ValueError, OverflowError):
            raise Problem(f"{option} {_cut(text)} is not {self.what}") from None
        if value not in units.Interval.of(self.within):
            raise Problem(f"{option} {_cut(text)} is not {self.what} in {self.within}")
        return value


def _whole(text: str) -> int:
    return int(text) if len(text) < 20 else 10**19  # further digits make it no less wrong


@dataclass(frozen=True)
class Whole(Number):
    """A whole number in an interval."""

    within: str = COUNT
    metavar: ClassVar[str] = "INTEGER"
    made: ClassVar[Callable[[str], Any]] = staticmethod(_whole)
    what: ClassVar[str] = "a whole number"


@dataclass(frozen=True)
class Duration(Number):
    """Seconds, from 60s, 5m, 1h or 200ms."""

    within: str = LONGEST
    metavar: ClassVar[str] = "DURATION"
    made: ClassVar[Callable[[str], Any]] = staticmethod(units.seconds)
    what: ClassVar[str] = "a duration such as 60s, 5m or 1h"

    def write(self, value: float) -> str:
        return f"{value:g}s"


@dataclass(frozen=True)
class Bytes(Number):
    """Bytes, from 4GB or 512MiB."""

    within: str = "[1, 1e18]"
    metavar: ClassVar[str] = "SIZE"
    made: ClassVar[Callable[[str], Any]] = staticmethod(units.size)
    what: ClassVar[str] = "a size such as 4GB or 512MiB"


@dataclass(frozen=True)
class Percent(Number):
    """A share, from 5%."""

    within: str = "[0, 100]"
    metavar: ClassVar[str] = "PERCENT"
    made: ClassVar[Callable[[str], Any]] = staticmethod(lambda text: float(text.removesuffix("%")) / 100)
    what: ClassVar[str] = "a percentage such as 5%, from 0%"


@dataclass(frozen=True)
class Wholes(Text):
    """Whole numbers with commas between them, none twice."""

    within: str = SIZES
    metavar: ClassVar[str] = "INTEGER,…"
    commas: ClassVar[bool] = True

    def read(self, option: str, text: str) -> list[int]:
        whole = Whole(within=self.within)
        try:
            found = [whole.read(option, part) for part in text.split(",")]
        except Problem:
            many = f"a list of whole numbers in {self.within}; write {option} 128,1024"
            raise Problem(f"{option} {_cut(text)} is not {many}") from None
        return once(option, found)


@dataclass(frozen=True)
class Words(Text):
    """Words with commas between them, none twice."""

    choices: tuple[str, ...] = ()
    metavar: ClassVar[str] = "WORD,…"
    commas: ClassVar[bool] = True

    def read(self, option: str, text: str) -> list[str]:
        found = [part.strip() for part in text.split(",")]
        if not all(found):
            raise Problem(f"{option} {_cut(text)} has an empty place; write the words with commas between them")
        for word in found:
            if self.choices and word not in self.choices:
                raise Problem(f"{option}: there is no {_cut(word)}; there are {', '.join(self.choices)}")
        return once(option, found)


@dataclass(frozen=True)
class Pairs(Text):
    """A number of pairs: 10, or 5-20."""

    metavar: ClassVar[str] = "PAIRS"

    def read(self, option: str, text: str) -> str:
        from spikebench.analysis import pairs

        try:
            pairs.Pairs.of(text)
        except Problem:
            raise Problem(
                f"{option} {_cut(text)} is not a number of pairs; write 10 or 5-20, at most {pairs.MOST}"
            ) from None
        return text


@dataclass(frozen=True)
class Part(Text):
    """A part of a sweep: 2/8."""

    metavar: ClassVar[str] = "I/N"

    def read(self, option: str, text: str) -> str:
        from spikebench.run.shards import Shard

        try:
            return str(Shard.read(text))
        except Problem as problem:
            raise Problem(f"{option} {problem}") from None


@dataclass(frozen=True)
class Choice(Text):
    """One of some words."""

    choices: tuple[str, ...] = ()

    def read(self, option: str, text: str) -> str:
        if text not in self.choices:
            raise Problem(f"{option}: there is no {_cut(text)}; there are {', '.join(self.choices)}")
        return text


@dataclass(frozen=True)
class Id(Text):
    """An id in a package."""

    package: str = "metrics"
    metavar: ClassVar[str] = "ID"

    def read(self, option: str, text: str) -> str:
        return registry.find(self.package, super().read(option, text))


@dataclass(frozen=True)
class Place(Text):
    """A file or a folder, and what is done with it: `test` raises Problem where that cannot be."""

    test: Callable[[Path, str], Path] = files.file_to_write
    metavar: ClassVar[str] = "PATH"

    def read(self, option: str, text: str) -> Path:
        return self.test(Path(super().read(option, text)), option)


def readable(path: Path, option: str) -> Path:
    """The path, if it is a plain file."""
    return files.regular(path)


OUT_PATH = Place(test=files.path_to_write)
OUT_FILE, OUT_FOLDER = Place(test=files.file_to_write), Place(test=files.folder_to_write)
IN_FILE, IN_FOLDER = Place(test=readable), Place(test=files.folder)


def subjects(text: str) -> list[str]:
    """Subjects with commas between them, which their options have too: "lif[decay=0.5,reset=hard]@cpu,spsn"."""
    return [part for part in re.findall(r"(?:[^,\[]|\[[^\]]*\]?)+", text) if part]


def once(option: str, values: Sequence[Any]) -> list[Any]:
    """The values; Problem if one of them is there twice."""
    for k, value in enumerate(values):
        if value in values[:k]:
            raise Problem(f"{option} names {_cut(str(value))} twice; leave one out")
    return list(values)


def _cut(text: str) -> str:
    """What was typed, as a line can hold it."""
    return repr(text if len(text) <= 80 else f"{text[:60]}…")
