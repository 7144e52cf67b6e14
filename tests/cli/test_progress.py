"""Progress where there is no terminal: lines, so that a log shows that work goes on; none for what is over at once."""

import pytest

from spikebench.cases.case import Case
from spikebench.cli import _tables as tables


def test_lines_stand_for_the_bar_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(tables.clock, "monotonic", lambda: now[0])
    with tables.stderr_progress(30) as report:
        for k in range(30):
            now[0] += 1.0
            report("start", Case("lif@eager", T=7), k, 30)
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert said.out == "" and len(lines) == 6
    assert lines[0] == "5 s: 4 of 30: lif@eager T=7 start"
    assert "\x1b" not in said.err


def test_what_is_over_at_once_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with tables.stderr_progress(1) as report:
        report("start", Case("lif@eager", T=7), 0, 1)
    assert capsys.readouterr().err == ""
