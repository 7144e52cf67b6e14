"""The exceptions that a user sees, and text in a form that does no harm where it is shown."""

import re


def printable(text: str) -> str:
    """The text in one line and without control characters, which a name from elsewhere could use to speak to the terminal."""
    return "".join(c if c.isprintable() else " " if c in "\t\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


class Problem(ValueError):
    """Bad input; the message is one line: what was asked, what there is, what to do. What is overlong in it is cut."""

    def __init__(self, message: str) -> None:
        super().__init__(re.sub(r"\S{300,}", lambda word: f"{word[0][:120]}…{word[0][-40:]}", printable(message)))


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in work that can be taken up again; the message says what was kept and how to go on."""
