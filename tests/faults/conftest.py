"""The table of faults: each row says how many cases were finished, how many of them are on disk, and how many were lost."""

from collections.abc import Callable

import pytest
from faulty import Outcome

ROWS: dict[str, Outcome] = {}


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Callable[[Outcome], Outcome]:
    """Puts an outcome into the table, under the name of the test."""

    def put(outcome: Outcome) -> Outcome:
        ROWS[request.node.name.removeprefix("test_").replace("_", " ")] = outcome
        assert outcome.lost == set(), f"{len(outcome.lost)} finished cases are in no file"
        assert outcome.notes == [], "a line of a file is no record"
        return outcome

    return put


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    if ROWS:
        width = max(map(len, ROWS))
        terminalreporter.write_sep("=", "faults")
        terminalreporter.write_line(f"{'fault':{width}}  finished  recorded  lost")
        for name, found in ROWS.items():
            kept = len(found.finished & found.recorded)
            terminalreporter.write_line(f"{name:{width}}  {len(found.finished):8}  {kept:8}  {len(found.lost):4}")
