"""Claims: complete files, verdicts on hand-made tables, nothing lost when interrupted, one file per claim."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import commands
import pytest

from spikebench import claim as claims
from spikebench import declarations, registry
from spikebench.analysis import assessment, stats
from spikebench.analysis.assessment import assess
from spikebench.cases.case import Case, with_changes
from spikebench.claim import Claim, Number, PlannedComparison, Statement
from spikebench.errors import Problem
from spikebench.experiments.claim_blocks import ClaimBlocks, plan
from spikebench.experiments.reproduce import begins
from spikebench.plots import draw
from spikebench.records import store
from spikebench.records.record import FEWEST, Measurement, Record
from spikebench.records.schema import EnvironmentJson
from spikebench.report.claim_page import page

HERE = Path(__file__).parents[2]
LAYER = PlannedComparison(
    Case("lif", T=8, B=2, N=4, device="cuda"), "lif@eager", "spsn@eager", strong=("lif@indexed", "spsn@eager")
)
ON_CPU = replace(LAYER, case=with_changes(LAYER.case, device="cpu"))


def claim(*full: Any, **changes: Any) -> Claim:
    """A claim of ten times on a GPU."""
    texts: dict[str, Any] = dict.fromkeys(("paper", "sentence", "where", "setting", "hardware", "timed"), "text")
    facts: dict[str, Any] = {"read": "primary", "claimed": Number("10x"), "known": True, "full": full or (LAYER,)}
    return Claim(**(texts | facts | changes))


def record(case: Case, value: float, repeat: int = 0, metric: str = "latency", **fields: Any) -> Record:
    measured = [Measurement(metric, "s", samples=[value], detail=fields.pop("detail", {}))]
    where: EnvironmentJson = {"machine": fields.pop("machine", "m")}
    return Record("r", case.case_id, case.to_json(), measurements=measured, environment=where, repeat=repeat, **fields)


def records(w: PlannedComparison, times: dict[str, list[float]], **fields: Any) -> list[Record]:
    """One record per block of each subject."""
    cases = [(with_changes(w.case, subject=s), values) for s, values in times.items()]
    return [record(case, value, k, w.metric, **fields) for case, values in cases for k, value in enumerate(values)]


def ratios(w: PlannedComparison, *values: float) -> list[Record]:
    """Blocks in which the candidate is so many times faster."""
    return records(w, {w.baseline: list(values), w.candidate: [1.0] * len(values)})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((12.0, 12.1, 11.9, 12.0, 12.0), "reproduced"),
        ((10.0, 10.0, 10.0, 10.0, 10.0), "reproduced"),
        ((5.0, 5.1, 4.9, 5.0, 5.0), "smaller"),
        ((9.5, 9.9, 10.4, 9.8, 10.2), "inconclusive"),  # the interval holds the claim
        ((0.5, 0.51, 0.49, 0.5, 0.5), "contradicted"),
        ((0.9, 1.0, 1.1, 1.0, 1.0), "inconclusive"),
        ((12.0, 12.0, 12.0, 12.0), "inconclusive"),  # four pairs decide nothing
        ((5.0, 5.0, 5.0, 5.0), "inconclusive"),
        ((0.5, 0.5, 0.5, 0.5), "inconclusive"),
        ((50.0,), "inconclusive"),  # one block has no interval
        ((20.0, 100.0, 30.0, 90.0, 50.0), "inconclusive"),  # all beyond the claim, but wider than a factor 2
        ((0.1, 0.5, 0.2, 0.4, 0.3), "inconclusive"),
    ],
)
def test_verdict_on_the_published_setting(values: tuple[float, ...], expected: str) -> None:
    found = assess("c", claim(), ratios(LAYER, *values))
    assert (found.verdict, found.setting, found.n) == (expected, "published", len(values))
    assert found.measured == pytest.approx(stats.paired_ratio(values, [1.0] * len(values)).estimate)


def test_the_claim_is_rounded_down_to_its_printed_precision() -> None:
    assert (Number("45.8x", 252.29 / 5.51).least, Number("3-4x").least, Number("4,000x").least) == (45.7, 3.0, 4000.0)
    with pytest.raises(Problem, match="no number in 'many'"):
        Number("many").least  # noqa: B018  # reading it raises
    shown = Number("2.6x", 2.58)
    assert assessment.verdict(stats.Ratio(2.55, 2.51, 2.6, 5), shown, "published") == "reproduced"
    assert assessment.verdict(stats.Ratio(2.55, 2.49, 2.6, 5), shown, "published") == "inconclusive"


@pytest.mark.parametrize("changes", [{"known": False}, {"full": (replace(LAYER, differs="other data"),)}])
def test_another_or_unknown_setting_is_said_and_contradicts_nothing(changes: dict[str, Any]) -> None:
    slower, faster = (assess("c", claim(**changes), ratios(LAYER, *v)) for v in ((0.5,) * 5, (12.0,) * 5))
    assert (slower.verdict, faster.verdict) == ("inconclusive", "reproduced")
    assert assess("c", claim(**changes), ratios(LAYER, *(3.0,) * 5)).verdict == "inconclusive"  # nor is it smaller
    assert slower.setting == faster.setting == "other"
    assert ("published setting unknown" if "known" in changes else "other data") in slower.reason


def test_a_cpu_for_the_gpu_is_another_setting() -> None:
    found = assess("c", claim(ON_CPU), ratios(ON_CPU, 0.5, 0.51, 0.49, 0.5, 0.5))
    assert (found.verdict, found.reason) == ("inconclusive", "other setting: a CPU for the GPU")


def test_a_scaled_run_gives_its_figure_beside_the_verdict() -> None:
    scaled = replace(ON_CPU, scaled=True, differs="T = 8 for 80")
    found = assess("c", claim(scaled=(scaled,)), ratios(scaled, 3.1, 3.0, 3.2, 3.1, 3.1))
    assert (found.verdict, found.n) == ("not testable here", 5)
    assert found.reason == "scaled: a CPU for the GPU; T = 8 for 80"
    assert found.low is not None and found.low > 2.8
    whole = assess("c", claim(scaled=(scaled,)), [*ratios(scaled, *(3.1,) * 5), *ratios(LAYER, *(11.0,) * 5)])
    assert whole.verdict == "reproduced"  # the full run is preferred


def test_fewer_than_five_pairs_say_so_and_a_wide_interval_has_no_point() -> None:
    few = assess("c", claim(), ratios(LAYER, 12.0, 12.0, 12.0, 12.0))
    assert few.reason == "4 pairs, a verdict takes 5"
    wide = assess("c", claim(), ratios(LAYER, 20.0, 100.0, 30.0, 90.0, 50.0))
    assert "is wider than a factor 2" in wide.reason
    assert wide.shown.startswith("between ") and "x, n=5" in wide.shown


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ((6.0, 7.0, 6.5, 6.2, 6.8), "reproduced"),
        ((2.0, 2.5, 2.2, 2.1, 2.4), "smaller"),
        ((-2.0, -2.5, -2.2, -2.1, -2.4), "contradicted"),
        ((-9.0, 20.0, 3.0, 5.0, 15.0), "inconclusive"),
        ((6.0, 7.0, 6.5, 6.2), "inconclusive"),
    ],
)
def test_accuracies_differ_in_points(differences: tuple[float, ...], expected: str) -> None:
    case = Case("lif", 0, 0, 0, workload="training", task="japanese_vowels")
    w = PlannedComparison(case, "lif@eager", "spsn@eager", metric="accuracy", points=True)
    rows = [
        record(c, 0.5 + (d / 100 if c.subject == w.candidate else 0.0), 0, "accuracy")
        for k, d in enumerate(differences)
        for c in w.cases(k)
    ]
    found = assess("c", claim(w, device="any", claimed=Number("5.8 points")), rows)
    assert (found.verdict, found.n) == (expected, len(differences))
    assert found.measured == pytest.approx(sum(differences) / len(differences))
    assert "points [" in found.shown and "x" not in found.shown


def test_nothing_is_joined_across_commits(tmp_path: Path) -> None:
    rows = [replace(r, environment={"machine": "m", "commit": c}) for c in "ab" for r in ratios(LAYER, *(12.0,) * 4)]
    found = assessment.assessments("c", claim(), rows)
    assert [(f.n, f.verdict) for f in found] == [(4, "inconclusive")] * 2
    assert len({f.origin for f in found}) == 2


def test_the_fair_baseline_stands_beside() -> None:
    times = {"lif@eager": [12.0, 12.1], "spsn@eager": [1.0, 1.0], "lif@indexed": [2.0, 2.1]}
    found = assess("c", claim(), records(LAYER, times))
    assert found.strong is not None and found.strong.ratio.estimate == pytest.approx(2.05, rel=0.01)
    row = found.to_json()
    assert {"claim", "claimed", "measured", "low", "high", "verdict", "reason", "fair"} <= row.keys()
    assert row["fair"].get("baseline") == "lif@indexed@eager".replace("@eager", "")
    assert json.loads(json.dumps(row)) == row


def test_only_sides_of_the_same_block_are_paired() -> None:
    base, mine = (with_changes(LAYER.case, subject=s) for s in (LAYER.baseline, LAYER.candidate))
    rows = [record(base, 10.0, 0), record(mine, 1.0, 0), record(base, 30.0, 1), record(mine, 1.0, 2)]
    assert assess("c", claim(), rows).n == 1


def interleaved(case: Case, samples: list[float], repeat: int = 0) -> Record:
    measured = Measurement("latency", "s", samples=samples, detail={"interleaved": True})
    return replace(record(case, 1.0, repeat), measurements=[measured])


def test_a_machine_that_changes_its_speed_between_turns_changes_no_ratio() -> None:
    base, mine = (with_changes(LAYER.case, subject=s) for s in (LAYER.baseline, LAYER.candidate))
    slow = [1.0, 1.5, 1.5]  # the candidate goes on alone when the baseline has its samples: that is in no ratio
    rows = [interleaved(base, [10.0 * f for f in slow]), interleaved(mine, [*slow, 0.1, 0.1, 0.1, 0.1])]
    assert assess("c", claim(), rows).measured == pytest.approx(10.0)


def test_more_is_better_turns_the_ratio_and_seeds_are_blocks() -> None:
    case = Case("lif", 0, 0, 0, workload="training", task="japanese_vowels")
    w = PlannedComparison(case, "lif@eager", "spsn@eager", metric="spike_rate", more=True)
    values = {"lif@eager": 0.5, "spsn@eager": 0.75}
    rows = [record(c, values[c.subject], 0, "spike_rate") for k in range(5) for c in w.cases(k)]
    found = assess("c", claim(w, device="any", claimed=Number("1.5x")), rows)
    assert (found.verdict, found.n, found.measured) == ("reproduced", 5, pytest.approx(1.5))


def test_what_went_wrong_is_the_reason() -> None:
    bad = replace(ratios(LAYER, 12.0)[0], status="refused", reason="no CUDA device", measurements=[])
    found = assess("c", claim(), [bad])
    assert (found.verdict, found.measured) == ("not testable here", None)
    assert found.reason == "lif@eager: refused: no CUDA device"
    assert assess("c", claim(absent="no such neuron"), []).reason == "no such neuron"
    assert "spikebench reproduce c" in assess("c", claim(), []).reason


@pytest.mark.parametrize(
    ("known", "values", "expected"),
    [
        (True, (1e-12, 1e-15, 0.0, 0.0, 0.0), "reproduced"),
        (True, (1e-12, 1e-3, 0.0, 0.0, 0.0), "contradicted"),  # in every case, or not at all
        (False, (1e-12, 1e-3, 0.0, 0.0, 0.0), "inconclusive"),
        (True, (1e-12, 1e-15), "inconclusive"),  # two cases decide nothing
    ],
)
def test_exact_statements(known: bool, values: tuple[float, ...], expected: str) -> None:
    cases = tuple(Case("exodus", T=8, B=2, N=4, seed=k) for k in range(len(values)))
    stated = Statement(cases, "gradient", "difference", at_most=1e-9, given="equal")
    exact = claim(stated, known=known, device="any", claimed=None)

    def rows(equal: bool) -> list[Record]:
        details = [{"difference": v, "equal": equal} for v in values]
        return [record(c, 1.0, 0, "gradient", detail=d) for c, d in zip(cases, details, strict=True)]

    found = assess("c", exact, rows(True))
    assert (found.verdict, found.measured, found.claimed) == (expected, max(values), "exact")
    assert assess("c", exact, rows(False)).measured is None  # other spikes have other gradients


@pytest.mark.parametrize("name", registry.names("claims"))
def test_claim_is_complete(name: str) -> None:
    c = claims.load(name)
    texts = {k: getattr(c, k) for k in ("paper", "sentence", "where", "setting", "hardware", "timed")}
    assert all(text.strip() for text in texts.values()), texts
    assert c.read in ("primary", "secondary", "code") and c.device in ("cpu", "cuda", "any")
    questions = (*c.scaled, *c.full)
    assert bool(questions) != bool(c.absent)  # either something decides it, or what is missing is said
    for question in questions:
        assert question.cases()  # each was checked when it was made
        if isinstance(question, PlannedComparison):
            number = question.claimed or c.claimed
            assert number is not None and number.value >= 1 and number.least <= number.value
            assert question.pairs >= FEWEST and question.slow_pairs >= 2
            assert not {question.baseline, question.candidate, *(question.strong or ())} & set(question.slow)
        else:
            assert c.claimed is None and len(question.cases()) >= FEWEST
        assert question.met and (question.differs or (c.known and not question.scaled))
    assert c.value > 0 and declarations.module_literals(HERE / "spikebench" / "claims" / f"{name}.py")["title"]


@pytest.mark.parametrize("name", [n for n, c in claims.every() if not c.known])
def test_unknown_setting_is_never_contradicted(name: str) -> None:
    c = claims.load(name)
    for w in (*c.full, *c.scaled):
        rows = ratios(cast(PlannedComparison, w), 0.1, 0.101, 0.102, 0.1, 0.1)
        assert assess(name, c, rows).verdict in ("inconclusive", "not testable here")


def test_the_whole_run_has_a_budget() -> None:
    assert sum(c.budget for _, c in claims.every() if c.scaled) <= 4500  # most claims end before their budget
    assert sum(bool(c.scaled) for _, c in claims.every()) >= 20


INDEXING = "exodus_backward exodus_epoch slayer_backward prf_backward prf_training onm_fused spsn_4000x spsn_shd_10x"


@pytest.mark.parametrize("name", INDEXING.split())
def test_the_published_opponent_takes_one_step_after_the_other_by_index(name: str) -> None:
    c = claims.load(name)
    for w in (*c.full, *c.scaled):
        assert isinstance(w, PlannedComparison) and w.baseline.endswith(("@indexed", "@bptt"))


def test_a_strong_baseline_is_one_where_both_sides_are_fused() -> None:
    for name, c in claims.every():
        for w in (*c.full, *c.scaled):
            if isinstance(w, PlannedComparison) and w.strong and w.strong_name == "strong baseline":
                assert all(s.endswith(("@cpu", "@triton")) for s in w.strong), name
    assert LAYER.strong_name == "best of each today"
    assert replace(ON_CPU, strong=("lif@cpu", "spsn@cpu")).strong_name == "strong baseline"


@pytest.mark.parametrize(
    ("index", "block", "alone", "over", "claim_over", "expected"),
    [
        (0, 4, False, True, True, True),  # five blocks of a first question whatever the time
        (0, 5, False, True, True, False),
        (1, 0, False, False, True, False),  # further questions wait for nobody among other claims
        (1, 0, False, False, False, True),
        (1, 4, True, True, True, True),  # alone, every question has five
        (1, 5, True, False, True, False),
    ],
)
def test_which_blocks_are_begun(
    index: int, block: int, alone: bool, over: bool, claim_over: bool, expected: bool
) -> None:
    assert begins(index, block, alone, over, claim_over) is expected


def test_claims_do_not_load_torch() -> None:
    code = "import sys; from spikebench import claim; from spikebench.analysis import assessment; from spikebench.report import claim_page; list(claim.every()); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def waterfall_records() -> tuple[Claim, list[Record]]:
    c = claims.load("spsn_4000x")
    rows: list[Record] = []
    for w in c.scaled:
        assert isinstance(w, PlannedComparison)
        for k, subject in enumerate(w.subjects):
            rows += records(w, {subject: [w.case.T * 2.0**-k * drift for drift in (1.0, 1.01, 1.02, 1.01, 1.0)]})
    return c, rows


def test_page_has_what_was_read_and_what_was_measured() -> None:
    c, rows = waterfall_records()
    text = page(assess("spsn_4000x", c, rows), c)
    first = text.splitlines()[2]
    assert first.startswith("Measured on m@") and "for `spsn@fft` against `lif@indexed`; train, T = 10,000" in first
    assert text.index("**Verdict: not testable here.**") > text.index(first)
    for part in (c.sentence, c.hardware, c.caveat, "- As published: ", "- Not as published: one layer with B = 4"):
        assert part in text
    assert "| `lif@indexed` | `lif@eager` | 2.00x [2.00, 2.00], n=5 |" in text
    assert "strong baseline: **" in text
    assert all(page(assess(name, other, []), other).startswith("# ") for name, other in claims.every())


@pytest.mark.long
def test_waterfall_needs_three_steps(tmp_path: Path) -> None:
    _, rows = waterfall_records()
    paths = draw("waterfall", store.frame(rows), tmp_path, ("svg",))
    assert [p.name for p in paths] == ["waterfall-train-B4-N128-cpu.svg"]
    with pytest.raises(Problem, match="nothing to draw"):
        draw("waterfall", store.frame(r for r in rows if "indexed" in r.case["subject"]), tmp_path)


class FakeSession:
    """Measures nothing: a record at once, or a failure."""

    run_id = "r"

    def __init__(self, broken: str = "") -> None:
        self.asked: list[tuple[str, int]] = []
        self.broken = broken

    def block(self, cases: list[Case], repeat: int, metrics: tuple[str, ...]) -> list[Record]:
        return [self._one(case, repeat, metrics[0]) for case in cases]

    def _one(self, case: Case, repeat: int, metric: str) -> Record:
        self.asked.append((case.subject, repeat))
        made = record(case, 1.0, repeat, metric)
        return replace(made, status="failed", measurements=[]) if case.subject == self.broken else made


def test_a_block_is_measured_once_and_what_failed_is_left_out(tmp_path: Path) -> None:
    session = FakeSession(broken="spsn@eager")
    wanted = ClaimBlocks(cast(Any, session), partial(store.append, tmp_path / "out.jsonl"), [], None)
    for block in (0, 1, 0, 1):
        wanted.block(LAYER, block, LAYER.subjects, lambda *_: None)
    assert sorted(session.asked) == [
        ("lif@eager", 0),
        ("lif@eager", 1),
        ("lif@indexed", 0),
        ("lif@indexed", 1),
        ("spsn@eager", 0),
    ]
    assert len(store.load(tmp_path / "out.jsonl")) == 5


def test_claims_that_share_a_subject_do_not_mix_their_blocks(tmp_path: Path) -> None:
    session = FakeSession()
    wanted = ClaimBlocks(cast(Any, session), partial(store.append, tmp_path / "out.jsonl"), [], None)
    wanted.block(LAYER, 0, ["lif@eager", "lif@indexed"], lambda *_: None)
    wanted.block(LAYER, 0, ["lif@eager", "spsn@eager"], lambda *_: None)
    assert [s for s in session.asked if s[0] == "lif@eager"] == [("lif@eager", 0), ("lif@eager", 1)]
    assert ("spsn@eager", 1) in session.asked


@pytest.mark.parametrize(
    ("first", "others"),
    [
        ("spsn_shd_10x", ["spsn_shd_epoch"]),
        ("exodus_backward", ["slayer_backward"]),
        ("exodus_epoch", ["slayer_epoch"]),
        ("spsn_shd_10x", ["spsn_gs_epoch"]),
    ],
)
def test_claims_about_the_same_blocks_measure_them_once(first: str, others: list[str], tmp_path: Path) -> None:
    session = FakeSession()
    wanted = ClaimBlocks(cast(Any, session), partial(store.append, tmp_path / "out.jsonl"), [], None)
    for question, _, block, subjects in plan(claims.load(first).scaled):
        wanted.block(question, block, subjects, lambda *_: None)
    measured = len(session.asked)
    for question, _, block, subjects in (step for name in others for step in plan(claims.load(name).scaled)):
        wanted.block(question, block, subjects, lambda *_: None)
    assert 0 < measured == len(session.asked)


@pytest.mark.long
def test_from_judges_records_of_another_machine(tmp_path: Path) -> None:
    c = claims.load("onm_fused")
    w = c.full[0]
    assert isinstance(w, PlannedComparison)
    for name, times in (("a", (7.0, 7.1, 7.2, 7.1, 7.0)), ("b", (0.2, 0.21, 0.22, 0.2, 0.2))):
        for row in records(w, {w.baseline: list(times), w.candidate: [1.0] * 5}, machine=name):
            store.append(tmp_path / f"{name}.jsonl", row)
    files = [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]
    done = commands.run("reproduce", "onm-fused", "--json", "--strict", "--from", *files)
    rows = json.loads(done.stdout)
    assert [(r["claim"], r["machine"], r["verdict"]) for r in rows] == [
        ("onm_fused", "a", "reproduced"),
        ("onm_fused", "b", "inconclusive"),  # slower, but our own loop and kernel are not the published ones
    ]
    assert done.returncode == 0  # --strict fails nothing that was measured in another setting
    stated = claims.load("exodus_gradient").scaled[0]
    assert isinstance(stated, Statement)
    for case in stated.cases():
        row = record(case, 1.0, metric="gradient", detail={"difference": 1.0, "equal_spikes": True})
        store.append(tmp_path / "c.jsonl", row)
    strict = ("reproduce", "exodus-gradient", "--json", "--from", str(tmp_path / "c.jsonl"))
    assert json.loads(commands.run(*strict).stdout)[0]["verdict"] == "contradicted"
    assert (commands.run(*strict).returncode, commands.run(*strict, "--strict").returncode) == (0, 1)
    wrong = commands.run("reproduce", "spsn-5000x")
    assert (wrong.returncode, "no claim 'spsn-5000x'" in wrong.stderr) == (2, True)


TOY = '''"""A toy is faster than nothing"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison

CLAIM = Claim(
    paper="Nobody, A toy", sentence="It is faster.", where="nowhere", read="primary", claimed=Number("2x"), setting="a toy",
    known=True, hardware="a CPU", timed="a step", device="cpu", value=1, budget=0.0,
    scaled=(PlannedComparison(Case("lif", T=16, B=2, N=8), "lif@indexed", "lif@eager"),),
)
'''


@pytest.mark.long
def test_a_new_claim_is_one_file_and_an_interrupted_run_keeps_its_records(tmp_path: Path) -> None:
    shutil.copytree(HERE / "spikebench", tmp_path / "spikebench", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "spikebench" / "claims" / "toy.py").write_text(TOY)
    line = [sys.executable, "-m", "spikebench", "list", "claims", "--json"]
    listed = json.loads(subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True).stdout)
    assert next(r for r in listed if r["id"] == "toy")["claimed"] == "2x"
    line = [sys.executable, "-m", "spikebench", "reproduce", "toy", "--out", "toy.jsonl", "--json", "--samples", "2"]
    out = tmp_path / "toy.jsonl"
    running = subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    while running.poll() is None and not (out.exists() and out.read_text().count("\n") >= 1):
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 130
    kept = len(store.load(out))
    assert 1 <= kept < 10
    done = subprocess.run([*line, "--resume"], cwd=tmp_path, capture_output=True, text=True, check=True)
    (row,) = json.loads(done.stdout)
    assert (row["n"], row["setting"]) == (5, "published")
    assert len(store.load(out)) - 10 in (0, kept % 2)  # a block that was cut is measured again, the others are not
