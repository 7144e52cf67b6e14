"""Progress where there is no terminal: lines, so that a log shows that work goes on; none for what is over at once."""

import pytest

from spikebench.cases.case import Case
from spikebench.cli import _tables as tables
from spikebench.run.forecast import Forecast
from spikebench.run.settings import Settings


def test_lines_stand_for_the_bar_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(tables.clock, "monotonic", lambda: now[0])
    with tables.stderr_progress() as report:
        for k in range(30):
            now[0] += 1.0
            report("start", Case("lif@eager", T=7), k, 30)
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert said.out == "" and len(lines) == 6
    assert lines[0] == "5 s: 4 of 30: lif@eager T=7 start"
    assert "\x1b" not in said.err


def test_what_is_over_at_once_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with tables.stderr_progress() as report:
        report("start", Case("lif@eager", T=7), 0, 1)
    assert capsys.readouterr().err == ""


def test_lines_say_how_long_the_rest_takes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As was predicted at first, and then by the cases that are done; a case that takes longer leaves the others theirs."""
    now = [0.0]
    monkeypatch.setattr(tables.clock, "monotonic", lambda: now[0])
    cases = [Case("lif@cpu", T=T, B=2, N=4) for T in (7, 8, 9)]
    with tables.stderr_progress(Forecast([(c, 0) for c in cases], Settings(metrics=("latency",)))) as report:
        now[0] = 500.0
        report("gate", cases[0], 0, 3)
        now[0] = 800.0
        report("ok", cases[0], 1, 3)
        now[0] = 1200.0
        report("warm-up", cases[1], 1, 3)
        now[0] = 1600.0
        report("ok", cases[1], 2, 3)
        report("ok", cases[2], 3, 3)
    first, second, third, fourth = capsys.readouterr().err.splitlines()
    assert first == "500 s: 0 of 3: lif@fused T=7 gate, about 3 s left"
    assert second == "800 s: 1 of 3: lif@fused T=7 ok, about 27 min left"
    assert third == "1200 s: 1 of 3: lif@fused T=8 warm-up, about 20 min left"
    assert fourth == "1600 s: 2 of 3: lif@fused T=8 ok, about 13 min left"
