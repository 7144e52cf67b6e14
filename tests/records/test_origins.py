"""Records of three machines and two commits: nothing mixes them; and one quantity has one answer wherever it is shown."""

import html
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spikebench import units
from spikebench.analysis import bound, difference, noise, paired, scaling
from spikebench.analysis.comparison import judge, together
from spikebench.cases.case import Case, with_changes
from spikebench.cases.subject import shown
from spikebench.cli._tables import comparison_table
from spikebench.errors import Problem
from spikebench.experiments.profile import Profile, _compared
from spikebench.plots import _style as style
from spikebench.plots import figures, kinds, waterfall
from spikebench.plots._chart import Chart
from spikebench.plots._over import ratios
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.report import export
from spikebench.report import html as report
from spikebench.report import profile_page as verdict
from spikebench.report import rows as report_rows
from spikebench.report.verdicts import verdicts

RESULTS = Path(__file__).parents[2] / "results" / "amd-epyc-f25m1-2c"
PLACES = [(machine, commit) for machine in "abc" for commit in ("1" * 40, "2" * 40)]


def measured_at(records: Iterable[Record], place: int) -> list[Record]:
    """The same measurements as another origin would have them: other times, the same runs, cases and repeats."""
    machine, commit = PLACES[place]
    where = {"machine": machine, "commit": commit, "dirty": None, "versions": {"torch": "2"}, "time": 1.79e9 + place}
    return [
        replace(
            r,
            environment=where,
            measurements=[
                replace(m, samples=[v * 1.7**place for v in m.samples]) if m.unit in ("s", "B", "J") else m
                for m in r.measurements
            ],
        )
        for r in records
    ]


def some() -> list[Record]:
    """Records of one origin that every table and every figure shows something of."""
    newest = {name: next(iter(paired.by_origin(store.load(RESULTS / f"{name}.jsonl")).values())) for name in NAMES}
    found = [r for part in newest.values() for r in part]
    return found + [r for r in a_comparison() if r.case["T"] == 128]


NAMES = ("quick", "pairs", "growth", "listops")


@pytest.fixture(scope="module")
def parts() -> list[list[Record]]:
    records = some()
    return [measured_at(records, place) for place in range(len(PLACES))]


def plain(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Rows without the name of their origin."""
    return sorted(str({k: v for k, v in row.items() if k != "origin"}) for row in rows)


TABLES: dict[str, Callable[[list[Record]], list[dict[str, Any]]]] = {
    "verdicts": lambda records: [vars(row) for row in verdicts(records)],
    "growth": lambda records: [
        row.cells for row in scaling.scaling_rows([r for r in records if r.case["workload"] == "layer"])
    ],
    "floor": lambda records: [row.cells for row in bound.bound_rows(records)],
    "trainings": report_rows.trainings,
    "export": lambda records: [
        {"name": f.name.partition(" on ")[0], "f": (f.metric, f.value, f.low, f.high, f.processes)}
        for f in export.figures(records)
    ],
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_many_origins_holds_the_rows_of_each(parts: list[list[Record]], name: str) -> None:
    alone = [plain(TABLES[name](part)) for part in parts]
    assert all(alone) and alone[0] != alone[1]
    assert plain(TABLES[name]([r for part in parts for r in part])) == sorted(row for rows in alone for row in rows)


def drawn(records: list[Record], kind: str) -> list[str]:
    """What every figure of a kind shows: its points and texts, and the caption."""
    return sorted(f"{f.what} {f.caption}" for f in figures(kind, store.frame(records, details=True)))


def shown_kinds() -> Iterator[str]:
    yield from ("scaling", "speedup", "frontier", "pareto", "learning")


@pytest.mark.parametrize("kind", shown_kinds())
def test_a_figure_shows_one_origin(parts: list[list[Record]], kind: str) -> None:
    some_parts = parts[1:4]  # three machines' worth of both commits is two machines here: a@2, b@1, b@2
    alone = [text for part in some_parts for text in drawn(part, kind)]
    assert len(alone) >= 3
    assert drawn([r for part in some_parts for r in part], kind) == sorted(alone)


def test_every_kind_refuses_to_join_origins(parts: list[list[Record]]) -> None:
    frame = store.frame([*parts[0], *parts[1]], details=True)
    assert "scaling" in kinds()
    with pytest.raises(ValueError, match="a figure shows one origin, not 2"):
        style.caption(frame, "")


def test_the_newest_origin_has_the_plain_name(parts: list[list[Record]]) -> None:
    names = [f.name for f in figures("scaling", store.frame([*parts[0], *parts[3]]))]
    plain_names = [n for n in names if "@" not in n]
    assert plain_names and names[: len(plain_names)] == plain_names
    assert sorted(names[len(plain_names) :]) == sorted(f"{n}-{paired.origin(parts[0][0])}" for n in plain_names)


@pytest.mark.long
def test_a_report_has_a_section_for_each_origin(parts: list[list[Record]]) -> None:
    small = [[r for r in part if r.case["T"] == 1000 and r.case["workload"] == "layer"] for part in parts]
    page = report.page([r for part in small for r in part])
    sections = re.split(r'<section class="origin"', page)[1:]
    assert [re.findall(r"<h2[^>]*>(.*?)</h2>", s)[0] for s in sections] == [
        str(paired.origin(p[0])) for p in reversed(small)
    ]
    for section, part in zip(sections, reversed(small), strict=True):
        ratios = re.findall(r'<td class="number">([^<]*n=\d+[^<]*)</td>', section)
        assert ratios == [v.ratio for v in verdicts(part)]
    assert "3 machines, 2 commits" in page


def test_records_of_two_origins_are_not_compared() -> None:
    base, other = a_comparison()[:5], a_comparison()[5:10]
    with pytest.raises(Problem, match="records of 2 commits are not compared"):
        paired.compared(measured_at(base, 0), measured_at(other, 1))
    with pytest.raises(Problem, match="no common scaling exponent"):
        paired.scaling([*measured_at(base, 0), *measured_at(base, 2)])
    cards = [
        replace(r, environment=r.environment | {"gpu": {"name": "H100", "uuid": f"GPU-{k}"}})
        for k in range(2)
        for r in base[:1]
    ]
    assert len(paired.by_origin(cards)) == 2


def test_a_noise_floor_is_that_of_one_origin() -> None:
    """Two quiet machines, one twice as fast as the other: no floor of a factor 2."""
    quiet = [replace(r, repeat=k) for r in a_comparison()[:1] for k in range(4) for _ in "AA"]
    both = zip(measured_at(quiet, 0), measured_at(quiet, 2), strict=True)
    (found,) = noise.floors(r for pair in both for r in pair).values()
    assert found < 1e-9


def test_diff_takes_one_origin_on_each_side() -> None:
    base = [r for place in (0, 1) for r in measured_at(a_comparison(), place)]
    new = measured_at(a_comparison(), 1)
    with pytest.raises(Problem, match="the first run holds 2 commits, the newest a@2222222"):
        difference.rows(base, new, "latency", {})
    rows = difference.rows(base, new, "latency", {}, anyway=True)
    assert all(row.ratio.estimate == pytest.approx(1) and "2 commits" in str(row.reason) for row in rows)


# one quantity, one answer

CASES = [Case("lif@cpu", T=T, B=2, N=8) for T in (128, 512, 2048)]
SUBJECTS = {"lif@eager": 1.0, "lif@cpu": 1.3, "spsn@cpu": 1.03}
WOBBLE = (0.0, 0.03, -0.02, 0.05, -0.04)


def a_comparison() -> list[Record]:
    """Five interleaved blocks of three subjects at three lengths, under the plan 5-20 and with a recorded noise floor."""
    made: list[Record] = []
    for j, (subject, factor) in enumerate(SUBJECTS.items()):
        for i, case in enumerate(CASES):
            for k in range(5):
                turns = [1e-6 * case.T / factor * (1 + WOBBLE[(k * (j + 1) + i) % 5] + t / 50 * j) for t in range(3)]
                times = Measurement("latency", "s", samples=turns, detail={"interleaved": True})
                named = with_changes(case, subject=subject)
                where = {"machine": "a", "commit": "1" * 40, "time": 1.79e9, "aa_floor": 0.05}
                fields: dict[str, Any] = {"measurements": [times], "environment": where, "repeat": k, "pairs": "5-20"}
                made.append(Record("one", named.case_id, named.to_json(), **fields))
    return made


def of(subject: str, case: Case) -> list[Record]:
    wanted = with_changes(case, subject=subject).case_id
    return [r for r in a_comparison() if r.case_id == wanted]


def expected() -> dict[tuple[int, str], tuple[str, str]]:
    """T and subject → ratio and verdict, from the one function."""
    keys = [(case.T, s) for case in CASES for s in SUBJECTS if s != "lif@eager"]
    sides = [(of("lif@eager", case), of(s, case)) for case in CASES for s in SUBJECTS if s != "lif@eager"]
    found = paired.corrected([paired.compared(*side) for side in sides])
    return {
        key: (units.ratio(r.ratio.estimate, r.ratio.low, r.ratio.high, r.n), str(r.verdict))
        for key, r in zip(keys, found, strict=True)
        if r.ratio
    }


@pytest.mark.long
def test_terminal_says_what_the_function_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "220")
    cases = [[with_changes(c, subject=s) for s in SUBJECTS] for c in CASES]
    rows = [judge(c[0], o, of("lif@eager", c[0]), of(o.subject, o), "latency", 0.0) for c in cases for o in c[1:]]
    comparison_table(together(rows))
    lines = capsys.readouterr().out.splitlines()
    for (T, subject), (ratio, verdict_) in expected().items():
        line = next(ln for ln in lines if ln.startswith(shown(subject)) and f" {T} " in ln)
        assert ratio in line and verdict_ in line.split()


def a_profile() -> Profile:
    found: dict[str, list[Record]] = {}
    for r in a_comparison():
        found.setdefault(r.case_id, []).append(r)
    made = Profile("lif@cpu", records=a_comparison(), cases=CASES)
    made.comparisons = list(_compared(CASES, ["lif@eager", "spsn@cpu"], found))
    return made


@pytest.mark.long
def test_verdict_page_and_html_say_what_the_function_says() -> None:
    made, wanted = a_profile(), expected()
    lines = verdict._times(made).splitlines()
    page = html.unescape(report.page(made.records, baseline="lif@eager"))
    for (T, subject), (ratio, verdict_) in wanted.items():
        row = next(r for r in re.findall(r"<tr>.*?</tr>", page) if f"T = {T:,}," in r and f">{shown(subject)}<" in r)
        assert ratio in row and f">{verdict_}<" in row
        if subject == "lif@cpu":
            line = next(ln for ln in lines if f"| {T} | lif@eager |" in ln)
            assert ratio in line and f"| {verdict_} |" in line
    assert {"faster", "inconclusive"} <= {v for _, v in wanted.values()}


@pytest.mark.long
def test_figures_say_what_the_function_says() -> None:
    lines = ratios(store.frame(a_comparison()), "latency", "lif@eager")
    shown = {(int(p.x), s.subject): p for s in lines for p in s.points}
    assert {k: units.ratio(p.y, p.low or 0.0, p.high or math.inf, p.n) for k, p in shown.items()} == {
        k: ratio for k, (ratio, _) in expected().items()
    }
    step = waterfall.steps(store.records(store.frame([r for r in a_comparison() if r.case["T"] == 512])))
    assert [s.subject for s in step] == ["lif@eager", "lif@cpu", "spsn@cpu"]
    first = step[1].ratio
    assert (
        first is not None
        and units.ratio(first.estimate, first.low, first.high, first.n) == expected()[512, "lif@cpu"][0]
    )
    for before, after in itertools.pairwise(step):
        assert after.ratio is not None and before.level / after.level == pytest.approx(after.ratio.estimate)


def test_an_exponent_is_the_same_everywhere() -> None:
    made = a_profile()
    found = {of[0].case["subject"]: str(s) for of, s in paired.scalings(made.records)}
    assert len(found) == 3 and all("[" in text and text.endswith("n=5") for text in found.values())
    assert {row[0]: row[3] for row in verdict.scaling_rows(made)} == {shown(s): text for s, text in found.items()}
    assert {row.subject: str(row.exponent) for row in scaling.scaling_rows(made.records)} == found
    page = html.unescape(report.page(made.records))
    assert all(text in page for text in found.values())
    [figure] = figures("scaling", store.frame(made.records))
    assert isinstance(figure.what, Chart)
    notes = {s.subject: s.note for s in figure.what.series()}
    assert notes == {s: f"T^{e.partition(', n=')[0]}" for s, e in found.items()}


def test_one_pair_has_no_interval_and_no_verdict() -> None:
    base, other = ([r for r in of(s, CASES[0]) if r.repeat == 0] for s in ("lif@eager", "lif@cpu"))
    result = paired.compared(base, other)
    assert result.ratio is not None and result.verdict == "inconclusive" and result.n == 1
    shown = units.ratio(result.ratio.estimate, result.ratio.low, result.ratio.high, 1)
    assert "inf" not in shown and "no interval" in shown


def test_an_interval_that_says_nothing_is_not_printed_in_digits() -> None:
    assert units.ratio(0.888, 1.15e-9, 6.8e8, 2) == "0.888x [over 1,000x wide], n=2"
    assert units.ratio(2.21, 0.1, 99.9, 2) == "2.21x [0.100, 99.9], n=2"


def test_a_verdict_takes_five_pairs() -> None:
    base, other = ([r for r in of(s, CASES[0]) if r.repeat < 4] for s in ("lif@eager", "lif@cpu"))
    assert paired.compared(base, other).verdict == "inconclusive"
    assert paired.compared(of("lif@eager", CASES[0]), of("lif@cpu", CASES[0])).verdict == "faster"


def test_a_run_in_which_a_process_failed_gives_no_pair() -> None:
    broken = [replace(r, status="oom", reason="too big") if r.repeat == 3 else r for r in of("lif@cpu", CASES[0])]
    result = paired.compared(of("lif@eager", CASES[0]), broken)
    assert (result.ratio, result.status) == (None, "oom") and "too big" in str(result.reason)
