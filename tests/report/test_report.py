"""The report: one HTML file, opened in a browser."""

import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import browser
import pytest

from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.gate import GateResult
from spikebench.records.origin import by_origin
from spikebench.records.record import Measurement, Record
from spikebench.records.schema import CaseJson
from spikebench.report import again
from spikebench.report import html as report
from spikebench.report import rows as report_rows
from spikebench.report.verdicts import verdicts

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "amd-epyc-f25m1-2c"
HOSTILE = (
    "</script><script>hit=1</script>",
    "<img src=x onerror=hit=1>",
    "$\\frac{",
    "_a&amp;'\"`{{7*7}}\x1b[2J\u2028",
    "../../x",
)


def a_record(subject: str = "lif@eager", time: float = 1e-3, T: int = 128, repeat: int = 0, **changes: Any) -> Record:
    """A record of a layer."""
    name, _, backend = subject.partition("@")
    case = {"subject": subject, "neuron": name, "backend": backend, "options": {"decay": 0.9}, "T": T, "B": 4, "N": 8}
    case |= {"mode": "train", "workload": "layer", "dtype": "float32", "device": "cpu", "seed": 0, "rate": 0.3}
    case |= {"network": None, "task": None}
    times = Measurement("latency", "s", samples=[time * (1 + k / 100) for k in range(20)])
    where = {"machine": "a-machine", "time": 1.79e9, "versions": {"torch": "2"}, "commit": "0" * 40, "dirty": None}
    fields: dict[str, Any] = {"measurements": [times], "environment": where, "gate": GateResult("passed")}
    return Record("a-run", f"{subject}{T}", cast(CaseJson, case), repeat=repeat, **(fields | changes))


def several() -> list[Record]:
    """Pairs of two subjects, hostile names, and every way to have no number."""
    made = [
        a_record(s, t, T, k)
        for k in range(5)
        for T in (128, 512)
        for s, t in (("lif@eager", T / 1e5), ("lif@cpu", T / 1e6))
    ]
    made += [a_record(f"{name}@eager", 2e-3, T) for name in HOSTILE for T in (128, 512)]
    lost: dict[str, Any] = {"measurements": [], "gate": None, "environment": {"machine": HOSTILE[0]}}
    return [
        *made,
        *(
            a_record("lif@cpu", status=s, reason=f"{s} because of <b>x</b>", flags=["<i>", "ungated"], **lost)
            for s in ("oom", "timeout", "wrong")
        ),
    ]


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Page]:
    if browser.program() is None:
        pytest.skip(f"no browser: none of {', '.join(browser.NAMES)} is installed")
    with browser.page() as page:
        yield page


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.write(several(), tmp_path_factory.mktemp("report") / "report.html", title=HOSTILE[0])


@pytest.fixture
def opened(tab: browser.Page, written: Path) -> browser.Page:
    tab.said.clear()
    tab.asked.clear()
    tab.look(1400, 900)
    tab.open(written.as_uri())
    return tab


def rows(page: browser.Page) -> list[str]:
    """The first cells of the rows that are shown."""
    return page.js("[...document.querySelectorAll('#records tbody tr:not([hidden]) th')].map(c => c.textContent)")


def test_console_is_free_of_errors_and_nothing_is_fetched(opened: browser.Page) -> None:
    assert len(rows(opened)) == len(several())
    assert opened.said == []
    assert {a.split(":")[0] for a in opened.asked} <= {"file", "data"}
    assert len([a for a in opened.asked if a.startswith("file")]) == 1


def test_hostile_names_stay_text(opened: browser.Page) -> None:
    assert opened.js("typeof hit") == "undefined"
    assert opened.js("document.querySelectorAll('main b, main i, main img[src=x]').length") == 0
    shown = rows(opened)
    assert all(f"{name}@eager" in shown for name in HOSTILE)
    assert opened.js("document.title") == HOSTILE[0]
    assert opened.js("document.querySelector('main').textContent").count("because of <b>x</b>") == 3


def test_data_in_the_page_holds_no_angle_bracket(written: Path) -> None:
    text = written.read_text()
    data = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert len(data) == 1 and "<" not in data[0] and "\\u003c/script" in data[0]
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", text)


def test_sorting(opened: browser.Page) -> None:
    def press(name: str) -> list[Any]:
        column = opened.js("data.columns").index(name)
        opened.js(f"document.querySelectorAll('#records thead button')[{column}].click()")
        return opened.js(f"data.rows.map(r => r.c[{column}][0])")

    up, down = ([v for v in press("latency") if v is not None] for _ in range(2))
    assert up == sorted(up) and down == sorted(up, reverse=True) and up != down
    assert opened.js("document.querySelector('#records [aria-sort=descending]').textContent") == "latency"
    assert press("latency")[-1] is None, "what has no number comes last"
    press("subject")
    shown = [re.sub("^[▸▾] ", "", r) for r in rows(opened)]
    assert shown.index("lif@cpu") < shown.index("lif@eager")


def test_filtering(opened: browser.Page) -> None:
    def type_(text: str) -> int:
        opened.js(f"search.value = {text!r}; search.dispatchEvent(new Event('input'))")
        return len(rows(opened))

    assert (type_("oom"), type_("LIF cpu"), type_("nothing at all"), type_("")) == (1, 13, 0, len(several()))
    opened.js(
        "[...document.querySelectorAll('select')].find(s => s.parentNode.textContent.startsWith('status')).focus()"
    )
    opened.js("document.activeElement.value = 'timeout'; document.activeElement.dispatchEvent(new Event('change'))")
    assert len(rows(opened)) == 1
    assert opened.js("said.textContent") == f"1 of {len(several())} records"


def test_keyboard_reaches_a_record_and_opens_it(opened: browser.Page) -> None:
    opened.js("document.querySelector('#records tbody button').focus()")
    for kind in ("keyDown", "keyUp"):
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        opened.call("Input.dispatchKeyEvent", type=kind, **key)
    assert opened.js("document.activeElement.getAttribute('aria-expanded')") == "true"
    assert "decay 0.9" in opened.js("document.querySelector('.details').textContent")


def test_labels_for_screen_readers(opened: browser.Page) -> None:
    unnamed = "[...document.querySelectorAll('img:not([alt]), [role=region]:not([aria-label]), input, select')].filter(e => !e.alt && !e.ariaLabel && !e.labels?.length).length"
    assert opened.js(unnamed) == 0
    levels = opened.js("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1])")
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), "no level of heading is skipped"
    ids = opened.js("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (1400, True), (360, False)])
def test_fits_the_window_in_both_colours(opened: browser.Page, width: int, dark: bool) -> None:
    opened.look(width, 900, dark)
    assert opened.js("document.documentElement.scrollWidth") <= width
    light = opened.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light != dark


@pytest.mark.long
def test_committed_records_give_claims_growth_and_verdicts(tab: browser.Page, tmp_path: Path) -> None:
    tab.said.clear()
    files = [RESULTS / f"{n}.jsonl" for n in ("quick", "pairs", "growth")]
    records = store.load([*files, RESULTS.parent / "amd-epyc-f25m17-2c" / "claims.jsonl"])
    tab.open(report.write(records, tmp_path / "report.html").as_uri())
    assert tab.said == []
    origins = list(by_origin(records))
    assert tab.js("[...document.querySelectorAll('section.origin h2')].map(h => h.textContent)") == [*map(str, origins)]
    shown = tab.js("[...document.querySelectorAll('table.verdicts')].map(t => t.textContent).join()")
    ratios = [v.ratio for v in verdicts(records, None) if v.subject == "lif@fused"]
    assert any("n=5" in ratio for ratio in ratios) and all(ratio in shown for ratio in ratios)
    assert tab.js("document.querySelectorAll('figure.chart').length") > 2
    assert tab.js("[...document.querySelectorAll('figure.chart')].every(f => f.querySelector('canvas').width > 100)")
    assert "Published:" in tab.js("document.querySelector('section.origin').parentNode.textContent")


def test_verdicts_name_their_baseline_and_need_two_blocks() -> None:
    found = {v.case.split(",")[1]: v for v in verdicts(several()[:20])}
    assert [v.verdict for v in found.values()] == ["faster", "faster"]
    assert found[" T = 128"].ratio.startswith("10.0x [") and found[" T = 128"].baseline == "lif@eager"
    assert [v.verdict for v in verdicts(several()[:20], "lif@cpu")] == ["slower", "slower"]
    assert verdicts(several()[:4], None) == []


def test_a_weak_difference_among_many_is_no_verdict() -> None:
    """One pair of subjects with p near 0.04 is a verdict alone, and none beside twenty pairs that are equal."""

    def pairs(T: int, factors: tuple[float, ...]) -> list[Record]:
        return [
            a_record(s, 1e-3 / v, T, k) for k, f in enumerate(factors) for s, v in (("lif@eager", 1.0), ("lif@cpu", f))
        ]

    weak = pairs(128, (1.4, 1.05, 1.25, 1.05, 1.15))
    alone, among = (
        verdicts(r, None)[0]
        for r in (weak, weak + [r for k in range(20) for r in pairs(129 + k, (1.01, 0.99, 1.02, 0.98, 1.0))])
    )
    assert 0.025 < alone.result.p < 0.05 and alone.result.p == among.result.p
    assert (alone.verdict, among.verdict) == ("faster", "inconclusive")


def test_the_looks_of_a_comparison_widen_its_interval_in_the_report() -> None:
    """What five pairs would call faster was looked at after 5, 10 and 20 when the plan was 5-20."""
    factors = (1.4, 1.15, 1.25, 1.1, 1.05)
    fixed = [
        a_record(s, 1e-3 / v, 128, k) for k, f in enumerate(factors) for s, v in (("lif@eager", 1.0), ("lif@cpu", f))
    ]
    looked = [replace(r, pairs="5-20") for r in fixed]
    (once,), (thrice,) = (verdicts(r, None) for r in (fixed, looked))
    assert thrice.result.p == pytest.approx(3 * once.result.p)
    assert (once.verdict, thrice.verdict) == ("faster", "inconclusive")
    (odd,) = verdicts([replace(r, pairs="many") for r in fixed], None)
    assert odd.result.p == once.result.p, "what is no plan changes nothing"


def test_every_reason_is_told(written: Path) -> None:
    text = written.read_text()
    for status in ("oom", "timeout", "wrong"):
        assert f"{status} because of &lt;b&gt;x&lt;/b&gt;" in text


@pytest.mark.long
def test_two_thousand_records_stay_below_five_megabytes(tmp_path: Path) -> None:
    subjects = [f"n{k}[option_{k}=0.{k}]@eager" for k in range(10)]
    records = [a_record(subjects[k % 10], 1e-6 * (k + 1), 128 << (k // 10 % 5), k // 50) for k in range(2000)]
    assert report.write(records, tmp_path / "report.html").stat().st_size < 5e6


def test_commands_name_every_case() -> None:
    lines = again.commands([r for r in several() if r.status == "ok"])
    assert "spikebench run --subject lif@eager --subject lif@cpu" in lines[0] and "-T 128,512 -B 4 -N 8" in lines[0]
    assert not any(line.startswith("spikebench run --subject </script>") for line in lines), (
        "names are quoted for a shell"
    )


def test_odd_records_are_listed(tmp_path: Path) -> None:
    words: Any = ["slow"]
    times = Measurement("latency", "s", samples=words)
    cases: Any = ({}, {"subject": 5, "T": "many"})
    odd = [Record("r", "x", cases[0]), Record("r", "y", cases[1], measurements=[times])]
    assert "record y of run r is not one of a case" in report.write(odd, tmp_path / "r.html").read_text()
    assert "0 records" in report.page([])


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match="name another file with -o"):
        report.write([], tmp_path / "file" / "report.html")


@pytest.mark.long
def test_command_needs_no_torch(tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["torch"] = None
sys.argv = ["spikebench", "report", {str(RESULTS / "pairs.jsonl")!r}, "-o", {str(tmp_path / "r.html")!r}]
from spikebench.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    count = len(store.load(RESULTS / "pairs.jsonl"))
    assert done.stdout == f"{count} records in {tmp_path / 'r.html'}\n"


def test_trainings_have_a_row_per_subject_and_what_is_not_whole_has_none() -> None:
    case = cast(CaseJson, {"subject": "lif@cpu", "workload": "training", "task": "fsdd", "network": None})
    whole = [
        Record("r", f"c{k}", case, measurements=[_of("accuracy", 0.9 + k / 100), _of("epoch_time", 2.0, 4.0)])
        for k in range(2)
    ]
    torn = [
        Record("r", "t", case, measurements=measured)
        for measured in ([], [_of("accuracy"), _of("epoch_time", 1.0)], [_of("accuracy", 0.5), _of("epoch_time", 0.0)])
    ]
    (row,) = report_rows.trainings([*whole, *torn])
    assert (row["seeds"], row["epochs"], row["epoch"]) == ("2", "2", "3.00 s [3.00 s, 3.00 s]")
    assert row["accuracy"].startswith("90.5% [")


def _of(metric: str, *samples: float) -> Measurement:
    return Measurement(metric, "1", samples=list(samples))
