"""Neurons of others, in ten styles: each is profiled, or refused with the right reason; and the README's example runs."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import spikebench as sb
from spikebench.analysis import paired, stats
from spikebench.analysis.comparison import Comparison
from spikebench.analysis.crossovers import crossovers
from spikebench.cases.case import Case
from spikebench.cases.subject import parse_subject
from spikebench.cli.profile import show
from spikebench.errors import Problem
from spikebench.experiments.profile import Profile, profile
from spikebench.run.protocol import Job, Outcome
from spikebench.run.schedule import Missing, Point
from spikebench.run.session import Session
from spikebench.run.settings import Settings

HERE = Path(__file__).parents[2]
NEURONS = Path(__file__).parents[1] / "foreign_neurons.py"
SIZES: dict[str, Any] = {"T": [16], "B": 2, "N": 8, "mode": "train", "against": ["lif@eager"], "pairs": 1}


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """One session for all, so that torch is loaded once."""
    metrics = ("latency", "spike_rate")
    with Session(Settings(metrics=metrics, samples=1, timeout=90.0, threads=2)) as one:
        yield one


def profiled(session: Session, name: str, **changes: Any) -> Profile:
    return profile(f"{NEURONS}:{name}", session=session, why=False, **SIZES | changes)


@pytest.mark.parametrize(
    ("name", "way", "said"),
    [
        ("TimeFirst", {}, "time first"),
        ("BatchFirst", {"layout": "BT"}, "batch first"),
        ("StepReset", {"adapter": "step", "reset": "reset"}, "reset() is called before each sequence"),
        ("StepCarried", {"adapter": "step", "state": "carried"}, "its state goes from call to call"),
        ("ResetState", {"reset": "reset_state"}, "reset_state() is called before each sequence"),
        ("InitState", {"adapter": "step", "reset": "init_state"}, "init_state() is called before each sequence"),
        ("Tuple", {"output": 1}, "time first"),
        ("FixedLength", {"layout": "BT"}, "batch first"),
        ("factory", {}, "time first"),
        ("DeclaredNoisy", {}, "time first"),
    ],
)
@pytest.mark.long
def test_a_neuron_is_called_its_way_and_profiled(session: Session, name: str, way: dict[str, Any], said: str) -> None:
    made = profiled(session, name)
    assert made.status == "ok", made.reason
    assert parse_subject(made.subject).how == way
    assert made.way and said in "; ".join(made.way.notes)
    mine = [r for r in made.records if r.case["subject"] == made.subject]
    assert [r.status for r in mine] == ["ok"], [r.reason for r in mine]
    assert "ungated" in mine[0].flags
    assert mine[0].case["backend_options"] | way == mine[0].case["backend_options"]
    assert [c.status for c in made.comparisons] == ["ok"], [c.reason for c in made.comparisons]
    assert said in made.verdict()


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("LooksAhead", "wrong", r"causality: a change of the input at t = \d+ changes a spike at t = \d+"),
        ("Leaks", "wrong", "state: a call changes what the next one gives"),
        ("Noisy", "wrong", "facts: stochastic: declared False, measured True"),
    ],
)
def test_a_wrong_neuron_is_refused_with_the_reason_and_not_timed(
    session: Session, name: str, status: str, reason: str
) -> None:
    made = profiled(session, name)
    assert made.status == status
    assert re.search(reason, str(made.reason))
    assert not made.records
    assert f"Not measured: {status}" in made.verdict()
    with pytest.raises(Problem, match="was not measured"):
        made.compare("spsn")


@pytest.mark.long
def test_a_neuron_that_hangs_is_a_timeout() -> None:
    made = profile(f"{NEURONS}:Hangs", settings=Settings(samples=1, timeout=4.0), **SIZES)
    assert made.status == "timeout"
    assert made.reason == "no result after 4 s, while finding out how it is called; raise --timeout"
    assert not made.records


@pytest.mark.long
def test_the_neuron_of_the_tutorial_is_profiled(session: Session, tmp_path: Path) -> None:
    text = (HERE / "docs" / "profile-your-neuron.md").read_text()
    block = next(b for b in re.findall(r"(?:^    .*\n|^\n)+", text, re.M) if "class MyNeuron" in b)
    (tmp_path / "paper.py").write_text("".join(line[4:] or "\n" for line in block.splitlines(keepends=True)))
    made = profile(
        f"{tmp_path}/paper.py:MyNeuron", session=session, like="lif[surrogate=fast_sigmoid,slope=5]", why=False, **SIZES
    )
    assert made.status == "ok", made.reason
    assert not [c for c in made.checks if c.passed is False]
    page = made.report(tmp_path / "report.html").read_text()
    assert "paper.py:MyNeuron" in page


@pytest.mark.long
def test_what_is_said_is_not_looked_for(session: Session) -> None:
    made = profiled(session, "StepReset", adapter="step", reset="reset", init={"hidden": 8})
    assert made.way and "hidden=8" in made.way.made
    assert parse_subject(made.subject).options == {"hidden": 8}
    forced = profiled(session, "BatchFirst", layout="TB")
    assert parse_subject(forced.subject).how == {}
    found = profiled(session, "BatchFirst").way
    assert forced.way and found and forced.way.notes[0] != found.notes[0]


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("Absent", {}, "no Absent in"),
        ("Tuple", {"init": {"n": [1, 2]}}, "only numbers, true, false, null and plain words"),
        ("Tuple", {"init": {"tau": 2}}, "cannot make"),
        ("Tuple", {"reset": "wash"}, "no method wash on Tuple"),
        ("Tuple", {"layout": "XY"}, "layout=XY is not an option of a foreign module; there are TB, BT"),
    ],
)
def test_what_cannot_be_built_is_one_problem(session: Session, name: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Problem, match=re.escape(said)):
        profiled(session, name, **changes)


def test_a_file_without_a_class_lists_its_classes(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"which class of it\? there are .*foreign_neurons.py:TimeFirst, .*:BatchFirst"):
        profile(str(NEURONS))
    path = tmp_path / "mine.py"
    with pytest.raises(Problem, match="no file"):
        profile(str(path))
    path.write_text(
        "from torch import nn\nclass Only(nn.Module): ...\nclass Deeper(Only): ...\nclass Spike(Function): ...\n"
    )
    with pytest.raises(Problem, match=r"there are \S+mine.py:Only, \S+mine.py:Deeper$"):
        profile(str(path))


def test_kernels_for_a_gpu_are_told_so_on_the_cpu(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "fused.py"
    path.write_text(
        "from torch import nn\n"
        "class Fused(nn.Module):\n"
        "    def forward(self, x):\n"
        "        raise RuntimeError('0 active drivers ([]). There should only be one.')\n"  # as triton 3 says it
    )
    with pytest.raises(Problem, match="give --device cuda"):
        profile(f"{path}:Fused", session=session, **SIZES)


class Local(nn.Module):
    """Made in the test, which is no file of a subject's own."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((width,), 0.8))

    def forward(self, x: Tensor) -> Tensor:
        v, out = torch.zeros_like(x[0]), []
        for x_t in x.unbind(0):
            v = self.weight * v + x_t
            out.append(torch.sigmoid(20 * (v - 1)).round() + v - v.detach())
            v = v * (v < 1)
        return torch.stack(out)


class Refusing(Session):
    """A session in which nothing can be measured, which takes no time to find out."""

    def ask(self, case: Case, job: Job, watch: Callable[[str], None] | None = None) -> Outcome:
        return Outcome("refused", "it is not installed")


def test_a_library_is_taken_with_the_options_that_it_can_have_and_so_are_its_baselines() -> None:
    said: list[str] = []
    session = Refusing(Settings())
    made = profile("lif@snntorch", session=session, warn=said.append)
    options = "[detach_reset=true,strict=true,reset_delay=true]"
    assert made.subject == f"lif{options}@snntorch" and made.status == "refused"
    (line,) = said
    assert line.startswith("lif@snntorch and lif@fused and lif@eager: taken with detach_reset=true, strict=true")
    assert profile("lif", session=session, warn=said.append).subject == "lif@eager" and len(said) == 1


@pytest.mark.parametrize("subject", [Local(), lambda n: Local(n)], ids=["instance", "factory"])
@pytest.mark.long
def test_an_object_in_memory_is_handed_over(session: Session, subject: Any) -> None:
    made = profile(subject, session=session, why=False, **SIZES)
    assert made.status == "ok", made.reason
    assert made.table()["subject"].nunique() == 2
    assert "/tmp" not in made.verdict().split("## How")[0]


@pytest.mark.long
def test_a_module_called_the_wrong_way_is_stopped_by_the_gate(session: Session) -> None:
    record = session.measure(Case(f"{NEURONS}:BatchFirst", T=16, B=2, N=8))
    assert record.status == "wrong"
    assert "batch first" in str(record.reason)
    assert "@eager[layout=BT]" in str(record.reason)


@pytest.mark.long
def test_like_gates_a_foreign_neuron(session: Session) -> None:
    like = "lif[surrogate=fast_sigmoid,slope=5]"
    made = profiled(session, "StepCarried", like=like)
    assert next(c for c in made.checks if c.check == "definition").passed
    wrong = profiled(session, "StepCarried", like="lif[decay=0.8]")
    assert wrong.status == "wrong"
    assert "differs from lif[decay=0.8]" in str(wrong.reason)


@pytest.mark.long
def test_one_pair_has_no_interval_on_any_page(
    session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = profiled(session, "TimeFirst", T=[8, 16])
    assert {c.ratio and c.ratio.n for c in made.comparisons} == {1}
    made.left_out = [Missing(Point("train", 1000), {"lif@eager": 1}, 41.0)]
    made.settings = replace(made.settings, budget=150.0)
    show(made)
    pages = [made.verdict(), capsys.readouterr().out]
    for page in pages:
        assert "n=1: no interval" in page
        assert not re.search(r"\b(inf|nan)\b", page)
        assert "--budget 200s" in page
    json.dumps(made.to_json(), allow_nan=False)


@pytest.mark.long
def test_what_had_nothing_to_compare_is_skipped(session: Session) -> None:
    found = {c.check: c.passed for c in profiled(session, "TimeFirst").checks}
    assert [k for k, passed in found.items() if passed is None] == ["state", "carried", "definition"]
    held = {c.check: c.passed for c in profiled(session, "ResetState").checks}
    assert held["state"] is True
    assert "| definition | skipped |" in profiled(session, "TimeFirst").verdict()


def row(T: int, low: float, estimate: float, high: float) -> Comparison:
    ratio = stats.Ratio(estimate, low, high, 5)
    case = Case("lif@cpu", T=T, B=1, N=1)
    result = paired.Result(ratio, stats.verdict(ratio), medians=(1.0, 1.0))
    return Comparison("lif@cpu", "lif@eager", case, "latency", result, None)


def test_the_crossover_lies_where_the_lines_cross_one() -> None:
    rows = [row(100, 0.4, 0.5, 0.625), row(400, 1.6, 2.0, 2.5)]
    (found,) = crossovers(rows)
    assert found.T == pytest.approx(200)  # half way on logarithmic axes
    assert found.low is not None and found.high is not None and found.low < 200 < found.high
    assert found.text.startswith("faster from T ≈ 200 [")
    (other,) = crossovers([row(100, 1.6, 2.0, 2.5), row(400, 0.4, 0.5, 0.625)])
    assert other.text.startswith("faster up to T ≈ 200")
    (always,) = crossovers([row(100, 1.6, 2.0, 2.5), row(400, 1.6, 2.0, 2.5)])
    assert always.text == "faster at every T measured"


def test_no_crossover_is_claimed_where_a_side_is_in_doubt() -> None:
    (found,) = crossovers([row(64, 0.01, 1.45, 229), row(256, 0.028, 0.039, 0.054)])
    assert found.T is None
    assert found.text == "not told apart at T = 64; slower at T = 256"
    (found,) = crossovers([wide := row(64, 0.003, 0.013, 0.05), row(256, 0.028, 0.039, 0.054)])
    assert found.text == "slower at every T measured"
    unsure = replace(wide, result=replace(wide.result, verdict="inconclusive"))
    (found,) = crossovers([unsure, row(256, 0.028, 0.039, 0.054)])
    assert found.text == "slower but the interval is too wide for a verdict at T = 64; slower at T = 256"
    (found,) = crossovers([row(64, 0.01, 1.45, 229), row(256, 0.01, 1.1, 90)])
    assert found.text == "not told apart at every T measured"


def call(*args: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd)}
    return subprocess.run(args, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.timeout(400)  # four commands, each with processes of its own
@pytest.mark.slow
def test_the_command_writes_a_verdict_and_json_alone(tmp_path: Path) -> None:
    sizes = ("-T", "8,16", "-B", "2", "-N", "8", "--mode", "inference", "--pairs", "1", "--against", "lif@eager")
    sizes += ("--metric", "latency", "--metric", "spike_rate")
    line = (sys.executable, "-m", "spikebench", "profile", f"{NEURONS}:TimeFirst", *sizes)
    done = call(*line, "--init", '{"tau": 3.0}', "-o", "out", "--trace", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "[tau=3.0]" in found["subject"]
    assert {g["mode"] for g in found["growth"]} == {"inference"}
    assert (tmp_path / "out" / "verdict.md").read_text().startswith("# foreign_neurons.py:TimeFirst[tau=3.0]\n")
    assert found["trace"]["rows"][0]["calls"] > 0
    assert json.loads((tmp_path / "out" / "trace.json").read_text())["traceEvents"]
    assert len(sb.table(str(tmp_path / "out" / "records.jsonl"))) > 0
    looks = call(*line[:4], f"{NEURONS}:LooksAhead", *sizes, cwd=tmp_path)
    assert looks.returncode == 1
    assert "spikebench: wrong: causality" in looks.stderr
    assert call(*line[:4], f"{NEURONS}:Nobody", cwd=tmp_path).returncode == 2
    assert "EXECUTED" in call(*line[:4], "--help", cwd=tmp_path).stdout


@pytest.mark.timeout(400)  # it also tries torch.compile
@pytest.mark.slow
def test_the_example_of_the_readme_runs_word_for_word(tmp_path: Path) -> None:
    text = (HERE / "README.md").read_text()
    block = next(b for b in re.findall(r"(?:^    .*\n|^\n)+", text, re.M) if "sb.profile(" in b)
    lines = [line[4:] for line in block.splitlines() if line.strip()]
    (tmp_path / "mine.py").write_text("\n".join(lines) + "\n")
    assert "sb.profile(MyNeuron" in (tmp_path / "mine.py").read_text()
    done = call(sys.executable, "mine.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = re.findall(r"```text\n(.*?)```", text, re.DOTALL)[0].splitlines()
    assert shown[0] == "# MyNeuron" and len(shown) > 10
    printed = done.stdout.splitlines()
    heads = [line.partition(" | ")[0] for line in printed]
    places = [heads.index(line.partition(" | ")[0]) for line in shown if line.startswith("| ")]
    assert places == sorted(places), "the README shows rows that are there, in their order"
    same = [line for line in shown if line.startswith(("# ", "| what", "| spike rate", "| correctness"))]
    assert len(same) == 4 and set(same) <= set(printed), "what no clock decides is as the README has it"
    assert shown[2].startswith("**MyNeuron costs ") and printed[2].startswith("**MyNeuron costs ")
