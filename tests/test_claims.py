"""Claims: complete files, verdicts on hand-made tables, nothing lost when interrupted, one file per claim."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from spikebench import claim as claims
from spikebench import finding, rooms, stats, store
from spikebench.campaign import Campaign, plan
from spikebench.case import Case, with_changes
from spikebench.claim import Claim, Number, Statement, Weighing
from spikebench.cli.reproduce import begins
from spikebench.finding import judge
from spikebench.pages import page
from spikebench.plots import draw
from spikebench.record import Measurement, Record
from spikebench.rooms import Problem

HERE = Path(__file__).parents[1]
LAYER = Weighing(
    Case("lif", T=8, B=2, N=4, device="cuda"), "lif@eager", "spsn@eager", fair=("lif@indexed", "spsn@eager")
)
ON_CPU = replace(LAYER, case=with_changes(LAYER.case, device="cpu"))


def claim(*full: Any, **changes: Any) -> Claim:
    """A claim of ten times on a GPU."""
    texts: dict[str, Any] = dict.fromkeys(("paper", "sentence", "where", "setting", "hardware", "timed"), "text")
    facts: dict[str, Any] = {"read": "primary", "claimed": Number("10x"), "known": True, "full": full or (LAYER,)}
    return Claim(**(texts | facts | changes))


def record(case: Case, value: float, repeat: int = 0, metric: str = "latency", **fields: Any) -> Record:
    measured = [Measurement(metric, "s", samples=[value], detail=fields.pop("detail", {}))]
    where = {"machine": fields.pop("machine", "m")}
    return Record("r", case.case_id, case.to_json(), measurements=measured, environment=where, repeat=repeat, **fields)


def records(w: Weighing, times: dict[str, list[float]], **fields: Any) -> list[Record]:
    """One record per block of each subject."""
    cases = [(with_changes(w.case, subject=s), values) for s, values in times.items()]
    return [record(case, value, k, w.metric, **fields) for case, values in cases for k, value in enumerate(values)]


def ratios(w: Weighing, *values: float) -> list[Record]:
    """Blocks in which the candidate is so many times faster."""
    return records(w, {w.baseline: list(values), w.candidate: [1.0] * len(values)})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((12.0, 12.1, 11.9), "reproduced"),
        ((10.0, 10.0, 10.0), "reproduced"),
        ((5.0, 5.1, 4.9), "smaller"),
        ((9.5, 9.9, 10.4), "inconclusive"),  # the interval holds the claim
        ((0.5, 0.51, 0.49), "contradicted"),
        ((0.7, 1.0, 1.4), "inconclusive"),
        ((50.0,), "inconclusive"),  # one block has no interval
    ],
)
def test_verdict_on_the_published_setting(values: tuple[float, ...], expected: str) -> None:
    found = judge("c", claim(), ratios(LAYER, *values))
    assert (found.verdict, found.setting, found.n) == (expected, "published", len(values))
    assert found.measured == pytest.approx(stats.paired_ratio(values, [1.0] * len(values)).estimate)


def test_the_claim_is_rounded_down_to_its_printed_precision() -> None:
    assert (Number("45.8x", 252.29 / 5.51).least, Number("3-4x").least, Number("4,000x").least) == (45.7, 3.0, 4000.0)
    with pytest.raises(Problem, match="no number in 'many'"):
        Number("many").least  # noqa: B018  # reading it raises
    shown = Number("2.6x", 2.58)
    assert finding.verdict(stats.Ratio(2.55, 2.51, 2.6, 5), shown, "published") == "reproduced"
    assert finding.verdict(stats.Ratio(2.55, 2.49, 2.6, 5), shown, "published") == "inconclusive"


@pytest.mark.parametrize("changes", [{"known": False}, {"full": (replace(LAYER, differs="other data"),)}])
def test_another_or_unknown_setting_is_said_and_contradicts_nothing(changes: dict[str, Any]) -> None:
    slower, faster = (judge("c", claim(**changes), ratios(LAYER, *v)) for v in ((0.5, 0.51, 0.49), (12.0, 12.1, 11.9)))
    assert (slower.verdict, faster.verdict) == ("inconclusive", "reproduced")
    assert slower.setting == faster.setting == "other"
    assert ("published setting unknown" if "known" in changes else "other data") in slower.reason


def test_a_cpu_for_the_gpu_is_another_setting() -> None:
    found = judge("c", claim(ON_CPU), ratios(ON_CPU, 0.5, 0.51, 0.49))
    assert (found.verdict, found.reason) == ("inconclusive", "other setting: a CPU for the GPU")


def test_a_scaled_run_gives_its_figure_beside_the_verdict() -> None:
    scaled = replace(ON_CPU, scaled=True)
    found = judge("c", claim(scaled=(scaled,)), ratios(scaled, 3.1, 3.0, 3.2))
    assert found.verdict == "not testable here"
    assert found.reason == "no GPU; scaled run gives 3.10x [2.86, 3.36], n=3"
    assert found.low is not None and found.low > 2.8
    whole = judge("c", claim(scaled=(scaled,)), [*ratios(scaled, 3.1, 3.0, 3.2), *ratios(LAYER, 11.0, 11.0)])
    assert whole.verdict == "reproduced"  # the full run is preferred


def test_the_fair_baseline_stands_beside() -> None:
    times = {"lif@eager": [12.0, 12.1], "spsn@eager": [1.0, 1.0], "lif@indexed": [2.0, 2.1]}
    found = judge("c", claim(), records(LAYER, times))
    assert found.fair is not None and found.fair.ratio.estimate == pytest.approx(2.05, rel=0.01)
    row = found.to_json()
    assert {"claim", "claimed", "measured", "low", "high", "verdict", "reason", "fair"} <= row.keys()
    assert row["fair"]["baseline"] == "lif@indexed@eager".replace("@eager", "")
    assert json.loads(json.dumps(row)) == row


def test_only_sides_of_the_same_block_are_paired() -> None:
    base, mine = (with_changes(LAYER.case, subject=s) for s in (LAYER.baseline, LAYER.candidate))
    rows = [record(base, 10.0, 0), record(mine, 1.0, 0), record(base, 30.0, 1), record(mine, 1.0, 2)]
    assert judge("c", claim(), rows).n == 1


def test_the_backward_pass_is_the_difference_of_a_block() -> None:
    w = replace(LAYER, backward=True)
    rows: list[Record] = []
    for subject, forward, train in (("lif@eager", 1.0, 21.0), ("spsn@eager", 1.0, 2.0)):
        for mode, value in (("forward", forward), ("train", train)):
            case = with_changes(w.case, subject=subject, mode=mode)
            rows += [record(case, value * drift, k) for k, drift in enumerate((1.0, 1.1))]
    found = judge("c", claim(w), rows)
    assert found.measured == pytest.approx(20.0)
    assert found.verdict == "reproduced"
    turned = [replace(r, measurements=[Measurement("latency", "s", samples=[0.9])]) if r.repeat else r for r in rows]
    assert judge("c", claim(w), turned).reason == "a backward pass is lost in noise"  # not the blocks that suit


def in_turns(case: Case, samples: list[float], repeat: int = 0) -> Record:
    measured = Measurement("latency", "s", samples=samples, detail={"turns": True})
    return replace(record(case, 1.0, repeat), measurements=[measured])


def test_a_machine_that_changes_its_speed_between_turns_changes_no_ratio() -> None:
    base, mine = (with_changes(LAYER.case, subject=s) for s in (LAYER.baseline, LAYER.candidate))
    slow = [1.0, 1.5, 1.5]  # the candidate goes on alone when the baseline has its samples: that is in no ratio
    rows = [in_turns(base, [10.0 * f for f in slow]), in_turns(mine, [*slow, 0.1, 0.1, 0.1, 0.1])]
    assert judge("c", claim(), rows).measured == pytest.approx(10.0)
    w = replace(LAYER, backward=True)
    rows = []
    for subject, forward, train in (("lif@eager", 1.0, 21.0), ("spsn@eager", 1.0, 2.0)):
        for mode, value in (("forward", forward), ("train", train)):
            rows.append(
                in_turns(with_changes(w.case, subject=subject, mode=mode), [value * f for f in (1.0, 1.4, 3.0)])
            )
    assert judge("c", claim(w), rows).measured == pytest.approx(20.0)
    rows[0] = replace(rows[0], measurements=[replace(rows[0].measurements[0], detail={})])
    assert judge("c", claim(w), rows).measured == pytest.approx((29.4 - 1.4) / (2.8 - 1.4))  # medians


def test_more_is_better_turns_the_ratio_and_seeds_are_blocks() -> None:
    case = Case("lif", 0, 0, 0, workload="training", task="japanese_vowels")
    w = Weighing(case, "lif@eager", "spsn@eager", metric="accuracy", more=True, blocks=2)
    values = {"lif@eager": 0.5, "spsn@eager": 0.75}
    rows = [record(c, values[c.subject], 0, "accuracy") for k in range(2) for c in w.cases(k)]
    found = judge("c", claim(w, device="any", claimed=Number("1.5x")), rows)
    assert (found.verdict, found.n, found.measured) == ("reproduced", 2, pytest.approx(1.5))


def test_what_went_wrong_is_the_reason() -> None:
    bad = replace(ratios(LAYER, 12.0)[0], status="refused", reason="no CUDA device", measurements=[])
    found = judge("c", claim(), [bad])
    assert (found.verdict, found.measured) == ("not testable here", None)
    assert found.reason == "lif@eager: refused: no CUDA device"
    assert judge("c", claim(absent="no such neuron"), []).reason == "no such neuron"
    assert "spikebench reproduce c" in judge("c", claim(), []).reason


@pytest.mark.parametrize(
    ("known", "values", "expected"),
    [
        (True, (1e-12, 1e-15), "reproduced"),
        (True, (1e-12, 1e-3), "contradicted"),  # in every case, or not at all
        (False, (1e-12, 1e-3), "inconclusive"),
    ],
)
def test_exact_statements(known: bool, values: tuple[float, ...], expected: str) -> None:
    cases = tuple(Case("exodus", T=8, B=2, N=4, seed=k) for k in range(2))
    stated = Statement(cases, "gradient", "difference", at_most=1e-9, given="equal")
    exact = claim(stated, known=known, device="any", claimed=None)

    def rows(equal: bool) -> list[Record]:
        details = [{"difference": v, "equal": equal} for v in values]
        return [record(c, 1.0, 0, "gradient", detail=d) for c, d in zip(cases, details, strict=True)]

    found = judge("c", exact, rows(True))
    assert (found.verdict, found.measured, found.claimed) == (expected, max(values), "exact")
    assert judge("c", exact, rows(False)).measured is None  # other spikes have other gradients


@pytest.mark.parametrize("name", rooms.names("claims"))
def test_claim_is_complete(name: str) -> None:
    c = claims.load(name)
    texts = {k: getattr(c, k) for k in ("paper", "sentence", "where", "setting", "hardware", "timed")}
    assert all(text.strip() for text in texts.values()), texts
    assert c.read in ("primary", "secondary", "code") and c.device in ("cpu", "cuda", "any")
    questions = (*c.scaled, *c.full)
    assert bool(questions) != bool(c.absent)  # either something decides it, or what is missing is said
    for question in questions:
        assert question.cases()  # each was checked when it was made
        if isinstance(question, Weighing):
            number = question.claimed or c.claimed
            assert number is not None and number.value >= 1 and number.least <= number.value
            assert question.blocks >= 2 and question.few >= 2
        else:
            assert c.claimed is None
    assert c.value > 0 and rooms.module_literals(HERE / "spikebench" / "claims" / f"{name}.py")["title"]


@pytest.mark.parametrize("name", [n for n, c in claims.every() if not c.known])
def test_unknown_setting_is_never_contradicted(name: str) -> None:
    c = claims.load(name)
    for w in (*c.full, *c.scaled):
        rows = ratios(cast(Weighing, w), 0.1, 0.101, 0.102)
        assert judge(name, c, rows).verdict in ("inconclusive", "not testable here")


def test_the_whole_run_has_a_budget() -> None:
    assert sum(c.budget for _, c in claims.every() if c.scaled) <= 1200 * 1.2  # most claims end before their budget
    assert sum(isinstance(q, Weighing) for _, c in claims.every() for q in c.scaled[:1]) >= 12
    assert len(rooms.names("claims")) >= 16


@pytest.mark.parametrize(
    ("index", "block", "alone", "over", "claim_over", "expected"),
    [
        (0, 1, False, True, True, True),  # two blocks of a first question whatever the time
        (1, 0, False, False, True, False),  # further questions wait for nobody among other claims
        (1, 0, False, False, False, True),
        (1, 1, True, True, True, True),  # alone, every question has two
        (1, 2, True, False, True, True),  # and three while there is time for the run
        (1, 2, True, True, False, False),
        (0, 3, True, False, True, False),
    ],
)
def test_which_blocks_are_begun(
    index: int, block: int, alone: bool, over: bool, claim_over: bool, expected: bool
) -> None:
    assert begins(index, block, alone, over, claim_over) is expected


def test_claims_do_not_load_torch() -> None:
    code = (
        "import sys; from spikebench import claim, finding, pages; list(claim.every()); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def waterfall_records() -> tuple[Claim, list[Record]]:
    c = claims.load("spsn_4000x")
    rows: list[Record] = []
    for w in c.scaled:
        assert isinstance(w, Weighing)
        for k, subject in enumerate(w.subjects):
            rows += records(w, {subject: [w.case.T * 2.0**-k * drift for drift in (1.0, 1.01, 1.02)]})
    return c, rows


def test_page_has_what_was_read_and_what_was_measured() -> None:
    c, rows = waterfall_records()
    text = page(judge("spsn_4000x", c, rows), c)
    for part in (c.sentence, c.hardware, c.doubt, "**Verdict: not testable here.** no GPU; scaled run gives"):
        assert part in text
    assert "| `lif@indexed` | `lif@eager` | 2.00x [2.00, 2.00], n=3 |" in text
    assert "## Growth" in text and "fair baseline: **" in text
    assert all(page(judge(name, other, []), other).startswith("# ") for name, other in claims.every())


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
        return [self._one(case, repeat) for case in cases]

    def _one(self, case: Case, repeat: int) -> Record:
        self.asked.append((case.subject, repeat))
        made = record(case, 1.0, repeat)
        return replace(made, status="failed", measurements=[]) if case.subject == self.broken else made


def test_a_block_is_measured_once_and_what_failed_is_left_out(tmp_path: Path) -> None:
    session = FakeSession(broken="spsn@eager")
    campaign = Campaign(cast(Any, session), tmp_path / "out.jsonl", [], None)
    for block in (0, 1, 0, 1):
        campaign.block(LAYER, block, LAYER.subjects, lambda *_: None)
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
    campaign = Campaign(cast(Any, session), tmp_path / "out.jsonl", [], None)
    campaign.block(LAYER, 0, ["lif@eager", "lif@indexed"], lambda *_: None)
    campaign.block(LAYER, 0, ["lif@eager", "spsn@eager"], lambda *_: None)
    assert [s for s in session.asked if s[0] == "lif@eager"] == [("lif@eager", 0), ("lif@eager", 1)]
    assert ("spsn@eager", 1) in session.asked


@pytest.mark.parametrize(
    ("first", "others"),
    [
        ("spsn_shd_10x", ["spsn_shd_epoch"]),
        ("exodus_backward", ["slayer_backward", "exodus_epoch"]),
        ("spsn_4000x", ["paralif_200x"]),
    ],
)
def test_claims_about_the_same_blocks_measure_them_once(first: str, others: list[str], tmp_path: Path) -> None:
    session = FakeSession()
    campaign = Campaign(cast(Any, session), tmp_path / "out.jsonl", [], None)
    for question, _, block, subjects in plan(claims.load(first).scaled):
        campaign.block(question, block, subjects, lambda *_: None)
    measured = len(session.asked)
    for question, _, block, subjects in (step for name in others for step in plan(claims.load(name).scaled)):
        campaign.block(question, block, subjects, lambda *_: None)
    assert 0 < measured == len(session.asked)


def call(cwd: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", "spikebench", *args]
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=False)


def test_from_judges_records_of_another_machine(tmp_path: Path) -> None:
    c = claims.load("psn_speed")
    w = c.full[0]
    assert isinstance(w, Weighing)
    for name, times in (("a", (5.0, 5.1, 5.2)), ("b", (0.2, 0.21, 0.22))):
        for row in records(w, {w.baseline: list(times), w.candidate: [1.0] * 3}, machine=name):
            store.append(tmp_path / f"{name}.jsonl", row)
    files = [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]
    done = call(HERE, "reproduce", "psn-speed", "--json", "--strict", "--from", *files)
    rows = json.loads(done.stdout)
    assert [(r["claim"], r["machine"], r["verdict"]) for r in rows] == [
        ("psn_speed", "a", "reproduced"),
        ("psn_speed", "b", "contradicted"),
    ]
    assert done.returncode == 1  # --strict
    assert call(HERE, "reproduce", "psn-speed", "--json", "--from", files[1]).returncode == 0
    wrong = call(HERE, "reproduce", "spsn-5000x")
    assert (wrong.returncode, "no claim 'spsn-5000x'" in wrong.stderr) == (2, True)


TOY = '''"""A toy is faster than nothing"""

from spikebench.case import Case
from spikebench.claim import Claim, Number, Weighing

CLAIM = Claim(
    paper="Nobody, A toy", sentence="It is faster.", where="nowhere", read="primary", claimed=Number("2x"), setting="a toy",
    known=True, hardware="a CPU", timed="a step", device="cpu", value=1,
    scaled=(Weighing(Case("lif", T=16, B=2, N=8), "lif@indexed", "lif@eager", blocks=2),),
)
'''


def test_a_new_claim_is_one_file_and_an_interrupted_run_keeps_its_records(tmp_path: Path) -> None:
    shutil.copytree(HERE / "spikebench", tmp_path / "spikebench", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "spikebench" / "claims" / "toy.py").write_text(TOY)
    listed = json.loads(call(tmp_path, "list", "claims", "--json").stdout)
    assert next(r for r in listed if r["id"] == "toy")["claimed"] == "2x"
    line = [sys.executable, "-m", "spikebench", "reproduce", "toy", "--out", "toy.jsonl", "--json", "--samples", "2"]
    out = tmp_path / "toy.jsonl"
    running = subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    while running.poll() is None and not (out.exists() and out.read_text().count("\n") >= 1):
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 130
    kept = len(store.load(out))
    assert 1 <= kept < 4
    done = subprocess.run([*line, "--resume"], cwd=tmp_path, capture_output=True, text=True, check=True)
    (row,) = json.loads(done.stdout)
    assert (row["n"], row["setting"]) == (2, "published")
    assert len(store.load(out)) - 4 in (0, kept % 2)  # a block that was cut is measured again, the others are not
