"""The exceptions that a user sees."""


class Problem(ValueError):
    """Bad input; the message is one line: what was asked, what there is, what to do."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in work that can be taken up again; the message says what was kept and how to go on."""
