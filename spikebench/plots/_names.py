"""Short names of subjects in a figure: what is long becomes a letter, and the caption says what the letter stands for."""

from dataclasses import dataclass

from spikebench.cases.subject import shown
from spikebench.errors import printable


@dataclass(frozen=True)
class Names:
    """Short names of subjects, and what their letters stand for. Nothing is cut: a letter stands for the whole."""

    short: dict[str, str]
    key: dict[str, str]

    def of(self, subject: str) -> str:
        """The name of a subject in this figure."""
        return self.short.get(subject) or shown(subject)


LONGEST_NAME = 24


def named(subjects: list[str]) -> Names:
    """Names of at most some two dozen characters: long options become a letter, the same for the same options."""
    letters: dict[str, str] = {}
    short: dict[str, str] = {}
    for subject in dict.fromkeys(subjects):
        text = printable(shown(subject))
        short[subject] = text if len(text) <= LONGEST_NAME else _lettered(text, letters)
    return Names(short, {letter: text for text, letter in letters.items()})


def _lettered(subject: str, letters: dict[str, str]) -> str:
    head, at, backend = subject.rpartition("@")
    head, backend = (head, backend) if at else (subject, "")
    name, bracket, options = head.partition("[")
    folder, colon, member = name.rpartition(":")
    name = f"{folder.rpartition('/')[2]}{colon}{member}"
    made = f"{name}[{_letter(options.removesuffix(']'), letters)}]" if bracket else name
    if len(made) > LONGEST_NAME:
        made = f"({_letter(head, letters)})"
    kind, more, others = backend.partition("[")
    if more and len(made + at + backend) > LONGEST_NAME + 8:
        backend = f"{kind}[{_letter(others.removesuffix(']'), letters)}]"
    return made + at + backend


def _letter(text: str, letters: dict[str, str]) -> str:
    """A, B, … Z, A2, …: the letter that stands for a text."""
    count = len(letters)
    return letters.setdefault(text, chr(ord("A") + count % 26) + (str(count // 26 + 1) if count >= 26 else ""))
