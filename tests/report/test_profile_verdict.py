"""The verdict of a profile: its sentence, its facts and its reasons, in text and on the page alike."""

import html
import re
from dataclasses import replace
from typing import Literal

from spikebench.analysis import paired, stats
from spikebench.analysis.causes import Cause, Reason, Why
from spikebench.analysis.comparison import Comparison
from spikebench.cases.case import Case
from spikebench.experiments.profile import Profile
from spikebench.records.record import Measurement, Record
from spikebench.report import profile_html, profile_verdict

MINE = "paper.py:Adaptive@eager"
OWN = Cause("indexed", "indexes x[t]", "1,000 of them (<b>line 7</b>)", "write `x.unbind(0)`", tried="unbind")
LOOP = Cause("loop", "steps through time in Python, 11 operators a step", "many", "compile it", general=True)


def record(subject: str, T: int, seconds: float, k: int) -> Record:
    case = Case(subject, T=T, B=16, N=128)
    found = [Measurement("latency", "s", samples=[seconds * (1 + 0.01 * k)])]
    if subject == MINE:
        found += [Measurement("peak_memory", "B", samples=[2.0**27]), Measurement("spike_rate", "1", samples=[0.3])]
        found += [Measurement("compile_time", "s", samples=[0.25])]
    return Record("run", case.case_id, case.to_json(), repeat=k, measurements=found, flags=["ungated"])


def compared(ratio: float, verdict: Literal["faster", "slower"] = "slower") -> Comparison:
    found = stats.Ratio(ratio, 0.9 * ratio, 1.1 * ratio, 5)
    result = paired.Result(found, verdict, medians=(5.9 * ratio, 5.9))
    return Comparison(MINE, "lif@cpu", Case(MINE, T=1000, B=16, N=128), "latency", result, "ungated")


def gained(cause: Cause, low: float, estimate: float, high: float) -> Reason:
    result = paired.Result(stats.Ratio(estimate, low, high, 5), "faster")
    return Reason(cause, Comparison(f"{MINE}[remedy=unbind]", MINE, Case(MINE, T=300), "latency", result, None))


def profiled(*reasons: Reason, ratio: float = 1 / 24, verdict: Literal["faster", "slower"] = "slower") -> Profile:
    times = {(MINE, 300): 0.6, (MINE, 1000): 5.9, ("lif@cpu", 300): 0.08, ("lif@cpu", 1000): 0.25}
    records = [record(s, T, t, k) for (s, T), t in times.items() for k in range(5)]
    return Profile(MINE, records=records, comparisons=[compared(ratio, verdict)], why=Why(reasons=list(reasons)))


def test_the_sentence_says_what_it_costs_beside_whom_and_why() -> None:
    said = profile_verdict.sentence(profiled(gained(OWN, 7.5, 8.0, 8.5), Reason(LOOP)))
    assert said == (
        "paper.py:Adaptive costs 6.02 s a training step at T = 1,000 (B = 16, N = 128), 24.0x [21.8, 26.7] (n=5) as long"
        " as lif@fused, because it indexes x[t]."
    )


def test_where_a_remedy_explains_little_the_loop_is_said_too() -> None:
    assert profile_verdict.because(profiled(gained(OWN, 0.9, 1.0, 1.1), Reason(LOOP))) == (
        ", because it indexes x[t], and steps through time in Python, 11 operators a step"
    )


def test_nothing_is_slow_about_what_is_faster_than_its_strongest_opponent() -> None:
    made = profiled(Reason(OWN), Reason(LOOP), ratio=2.0, verdict="faster")
    assert profile_verdict.reasons(made) == []
    assert "because" not in profile_verdict.sentence(made)
    assert "2.00x [1.80, 2.20] (n=5) as fast as lif@fused" in profile_verdict.sentence(made)
    assert dict(profile_verdict.facts(made))["strongest opponent"].endswith(
        "yours is 2.00x [1.80, 2.20] (n=5) as fast, faster"
    )
    assert "It is not slow" in profile_html.page(made)


def test_the_facts_have_every_question_of_a_reader() -> None:
    found = dict(profile_verdict.facts(profiled(gained(OWN, 7.5, 8.0, 8.5))))
    assert found["time"] == "a training step: 612 ms at T = 300, 6.02 s at T = 1,000"
    assert found["strongest opponent"].endswith("24.0x [21.8, 26.7] (n=5) as long, slower")
    assert found["memory"] == "128 MiB at its peak, 16.4 times its input"
    assert found["scaling with T"].startswith("time grows as T^1.90 [")
    assert found["first call"].startswith("250 ms longer")
    assert (
        found["what to try"]
        == "write `x.unbind(0)`: 8.00x [7.50, 8.50], n=5, as fast, tried for a training step at T = 300"
    )


def test_the_page_has_the_sentence_the_reasons_and_no_markup_of_others() -> None:
    made = profiled(gained(OWN, 7.5, 8.0, 8.5), Reason(LOOP))
    page = profile_html.page(made)
    text = html.unescape(re.sub(r"<[^>]+>", "", page))
    assert profile_verdict.sentence(made) in text
    assert "<b>line 7</b>" not in page
    assert "<code>x.unbind(0)</code>" in page
    assert page.index("It indexes x[t].") < page.index("It steps through time")
    assert page.count('<figure class="chart') == 1 and '"bold":true' in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert made.verdict().index("It indexes x[t]") < made.verdict().index("It steps through time")


def test_a_page_without_a_measurement_says_why() -> None:
    made = replace(
        profiled(), records=[], comparisons=[], status="timeout", reason="no result after 60 s; raise --timeout"
    )
    assert "raise --timeout" in profile_html.page(made)
    assert "Why it is slow" not in profile_html.page(made)
