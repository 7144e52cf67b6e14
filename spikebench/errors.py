"""The exceptions that a user sees."""


class Problem(ValueError):
    """Bad input; the message is one line: what was asked, what there is, what to do."""
