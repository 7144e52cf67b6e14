"""Training that is broken off and goes on, that lasts a given time, and its report with a ceiling."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from spikebench.cases.case import Case
from spikebench.cases.recipe import Recipe
from spikebench.cases.subject import CEILING
from spikebench.errors import Problem
from spikebench.experiments.train import train_all
from spikebench.host import environment
from spikebench.host.clock import FakeClock
from spikebench.loading.subject import load
from spikebench.network import OnePass
from spikebench.networks._p_spikessm import PSpikeSSM
from spikebench.neurons.gelu_sampler import GeluSampler
from spikebench.neurons.lif import LIF
from spikebench.neurons.spsn import SPSN
from spikebench.plots import draw, learning
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.report.rows import trainings
from spikebench.run.session import Session
from spikebench.run.settings import Settings
from spikebench.task import Dataset, Sequences
from spikebench.workloads.training import Epoch, Run, build, recipe_of, train

QUICK = Recipe(hidden=(8,), epochs=4, batch=10, lr=2e-2)
BLOCKS = replace(QUICK, network="p_spikessm", hidden=(8, 8), state=4)


def noisy(samples: int, seed: int) -> Sequences:
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(samples) % 2
    x = torch.randn(samples, 6, 3, generator=random) + labels[:, None, None]
    return Sequences.of(list(x), labels.tolist(), 6)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return Dataset("noisy", noisy(40, 1), noisy(20, 2), 3, 2, 6, {})


class Ticking(FakeClock):
    """Every reading is a second after the one before."""

    def now(self) -> float:
        self._time += 1.0
        return self._time


def events(data: Dataset, make: Callable[[int], nn.Module], recipe: Recipe, folder: Path | None) -> list[Epoch | Run]:
    return list(train(data, make, recipe, [3], clock=Ticking([1.0]), checkpoints=folder))


@pytest.mark.parametrize(
    ("make", "recipe"),
    [
        (lambda n: LIF(), QUICK),
        (lambda n: SPSN(), replace(QUICK, curve=True)),
        (lambda n: SPSN(), replace(QUICK, schedule="constant", optimizer="adamax")),
        (lambda n: GeluSampler(n, state=4), BLOCKS),
    ],
)
@pytest.mark.parametrize("broken", [1, 3, 4])
def test_a_resumed_training_gives_what_an_unbroken_one_gives(
    data: Dataset, make: Callable[[int], nn.Module], recipe: Recipe, broken: int, tmp_path: Path
) -> None:
    whole = events(data, make, recipe, None)
    first = list(itertools.islice(train(data, make, recipe, [3], clock=Ticking([1.0]), checkpoints=tmp_path), broken))
    torch.manual_seed(99)
    second = events(data, make, recipe, tmp_path)
    assert [*first, *second] == whole
    assert len(second) == recipe.epochs - broken + 1, "finished epochs are not done again"


def test_a_checkpoint_is_whole_or_the_one_before(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(state: object, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    kept = train(data, lambda n: LIF(), QUICK, [3], clock=Ticking([1.0]), checkpoints=tmp_path)
    next(kept)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(torch, "save", cut)
        next(kept)
    assert events(data, lambda n: LIF(), QUICK, tmp_path)[0] == events(data, lambda n: LIF(), QUICK, None)[1]


def test_without_checkpoints_nothing_is_written(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    events(data, lambda n: LIF(), replace(QUICK, epochs=1), None)
    assert not list(tmp_path.iterdir())


def test_equal_time_ends_after_the_time_and_keeps_a_curve(data: Dataset) -> None:
    recipe = replace(QUICK, seconds=2.5, schedule="constant", curve=True, epochs=1)
    *epochs, run = events(data, lambda n: LIF(), recipe, None)
    assert isinstance(run, Run) and run.seconds == (1.0,) * 3, "the epoch in which the time ends is the last"
    assert run.curve == tuple(e.accuracy for e in epochs if isinstance(e, Epoch)) and len(run.curve) == 3
    assert run.curve[-1] == run.accuracy


def test_the_test_split_changes_nothing(data: Dataset) -> None:
    plain, curve = (events(data, lambda n: LIF(), replace(QUICK, curve=c), None)[-1] for c in (False, True))
    assert isinstance(plain, Run) and isinstance(curve, Run)
    assert (plain.losses, plain.correct, plain.spike_rates) == (curve.losses, curve.correct, curve.spike_rates)


def test_recipes_are_read_from_text() -> None:
    assert recipe_of("shd", {"hidden": "64x32"}).hidden == (64, 32) and recipe_of("shd", {"hidden": 64}).hidden == (64,)
    assert recipe_of("listops", {}).network == "p_spikessm" and recipe_of("listops", {}).hidden == (128,) * 4
    for changes, complaint in (
        ({"hidden": "64,"}, "hidden=64, is not a list of sizes"),
        ({"seconds": 3.0, "schedule": "one-cycle"}, "needs schedule=constant"),
    ):
        with pytest.raises(Problem, match=complaint):
            recipe_of("shd", changes)


def test_the_recipe_makes_the_blocks(data: Dataset) -> None:
    made = build(data, lambda n: GeluSampler(n, state=4), replace(BLOCKS, norm="layer", prenorm=False))
    assert isinstance(made, PSpikeSSM) and len(made.blocks) == 2
    with pytest.raises(Problem, match="have one width"):
        replace(BLOCKS, hidden=(8, 4))
    epochs = [e for e in events(data, lambda n: GeluSampler(n, state=4), BLOCKS, None) if isinstance(e, Epoch)]
    assert epochs[-1].loss < epochs[0].loss


def test_the_ceiling_is_one_element_wise_pass() -> None:
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    module = load(Case(CEILING).parsed, 3, 1, torch.float32, "cpu")
    assert isinstance(module, OnePass) or isinstance(getattr(module, "module", None), OnePass)
    assert OnePass()(x).tolist() == [0, 0, 2]


def record(subject: str, seed: int, accuracy: float, epoch: float, epochs: int = 3, **more: object) -> Record:
    case = Case(subject, 0, 0, 0, workload="training", task="shd", seed=seed)
    samples = {"accuracy": [accuracy], "epoch_time": [epoch] * epochs, "spike_rate": [0.1, 0.2]}
    made = [Measurement(k, "1", samples=v) for k, v in samples.items()]
    return Record(run="r", case_id=case.case_id, case=case.to_json(), status="ok", measurements=made, **more)  # pyright: ignore[reportArgumentType]  # keywords of a record


def cells(records: list[Record]) -> list[list[str]]:
    return [list(row.values()) for row in trainings(records)]


def test_the_report_shows_speed_up_and_share_of_the_ceiling() -> None:
    found = [record("lif@eager", k, 0.8 + k / 10, 6.0) for k in range(2)]
    found += [record("lif@cpu", k, 0.9, 2.0, epochs=5) for k in range(2)] + [record(CEILING, 0, 0.7, 1.5)]
    rows = cells(found)
    assert [row[1:3] for row in rows] == [["2", "3"], ["2", "5"], ["1", "3"]]
    assert [row[5] for row in rows] == ["1.00x", "3.00x", "4.00x"]
    assert [row[6] for row in rows] == ["25%", "75%", "100%"]
    assert rows[1][3] == "90.0% [90.0%, 90.0%]" and rows[1][4] == "2.00 s [2.00 s, 2.00 s]"
    assert rows[1][7] == "0.100 0.200"
    assert len(cells(found[:2])[0]) == 7, "without a ceiling there is nothing to compare with"


def test_a_time_with_a_wide_interval_is_no_number() -> None:
    found = [record("lif@eager", k, 0.8, seconds) for k, seconds in enumerate((60.0, 130.0))]
    found += [record("lif@cpu", k, 0.9, 2.0 + k / 100) for k in range(2)] + [record(CEILING, 0, 0.7, 1.0)]
    rows = cells(found)
    assert rows[0][4] == "60.0 s to 130 s, interval wider than a factor 2", "not 88.3 s [648 ms, 12037 s]"
    assert [row[5:7] for row in rows] == [["—", "—"], ["—", "50%"], ["—", "100%"]]


def test_the_curve_is_drawn_over_the_seconds_of_training(tmp_path: Path) -> None:
    found = [record("lif@cpu", k, 0.6, 2.0) for k in range(2)]
    for r in found:
        r.measurements.append(Measurement("accuracy_curve", "1", samples=[0.3, 0.5, 0.6]))
    [path] = draw("learning", store.frame(found), tmp_path, ("svg",))
    assert path.name == "learning-shd.svg" and "of training" in (tmp_path / "learning-shd.txt").read_text()
    [(_, chart, _)] = learning.figures(store.frame(found))
    curves = [[(p.x, p.y) for p in s.points] for s in chart.series()]
    assert curves == [[(2.0, 0.3), (4.0, 0.5), (6.0, 0.6)]] * 2
    assert [s.labelled for s in chart.series()] == [True, False], "a label for both seeds"
    found[0].measurement("accuracy").detail["majority"] = 0.15  # pyright: ignore[reportOptionalMemberAccess]
    [(_, chart, _)] = learning.figures(store.frame(found, details=True))
    assert chart.panels[0].rule == (0.15, "the most frequent class")


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def foreign(path: Path) -> None:
    torch.save({"epochs": []}, path)


@pytest.mark.parametrize("damage", [torn, foreign, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_checkpoint_is_set_aside_and_the_seed_starts_anew(
    tmp_path: Path, data: Dataset, damage: Callable[[Path], object]
) -> None:
    """One that is gone is no damage. What comes of the training is what an unbroken one gives."""
    kept = tmp_path / "kept"
    whole = events(data, lambda n: LIF(), QUICK, None)
    broken = train(data, lambda n: LIF(), QUICK, [3], checkpoints=kept)
    next(broken)
    next(broken)
    damage(kept / "3.pt")
    assert events(data, lambda n: LIF(), QUICK, kept) == whole
    assert [p.name for p in tmp_path.glob("*.damaged")] == ["kept-3-1.damaged"] * (damage is not Path.unlink)


class Told(Session):
    """A session that trains nothing; it keeps what it is asked."""

    def __enter__(self) -> "Told":
        self.asked: list[tuple[Case, bool]] = []
        return self

    def train(
        self, case: Case, data_root: Path | None, watch: object = None, checkpoints: Path | None = None
    ) -> Record:
        assert checkpoints is not None
        self.asked.append((case, (checkpoints / "0.pt").exists()))
        checkpoints.mkdir(parents=True, exist_ok=True)
        (checkpoints / "0.pt").touch()
        if len(self.asked) == 2:
            raise KeyboardInterrupt
        return record(case.subject, case.seed, 0.5, 1.0, environment=self.environment)


def test_resume_leaves_out_what_is_recorded_and_takes_up_what_is_not(tmp_path: Path) -> None:
    cases = [Case("lif@eager", 0, 0, 0, workload="training", task="shd", seed=k) for k in range(3)]
    where = tmp_path / "t.jsonl"
    with Told(Settings()) as session:
        with pytest.raises(KeyboardInterrupt):
            train_all(session, cases, None, where)
        assert [r.case["seed"] for r in store.load(where)] == [0]
        records = train_all(session, cases, None, where, resume=True)
        assert [(c.seed, had) for c, had in session.asked] == [(0, False), (1, False), (1, True), (2, False)]
        assert [r.case["seed"] for r in records] == [0, 1, 2] == [r.case["seed"] for r in store.load(where)]
        assert not (tmp_path / "t.checkpoints").exists()
        assert environment.fingerprint(records[0].environment) == environment.fingerprint(session.environment)
        session.asked.clear()
        train_all(session, cases[:1], None, where)
        assert len(session.asked) == 1, "without resume it is trained again"
