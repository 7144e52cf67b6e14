"""Tasks: the layout of batches, what the files must be, and real data where it is."""

import importlib
import importlib.util
import inspect
import re
import wave
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from spikebench import registry, task
from spikebench.errors import Problem
from spikebench.experiments import train as training
from spikebench.task import MissingData, Sequences, standardise
from spikebench.tasks import fsdd, japanese_vowels, shd

SPEECH = ("zero", "one", "two")


def write_events(path: Path, samples: int = 6, changes: Mapping[str, object] | None = None) -> None:
    """A small file in the layout of SHD: recording k has 3k events, so that the first has none."""
    random = np.random.default_rng(samples)
    times = [np.sort(random.uniform(0, 0.1, 3 * k)).astype(np.float16) for k in range(samples)]
    values: dict[str, object] = {
        "spikes/times": times,
        "spikes/units": [random.integers(0, 700, 3 * k).astype(np.uint16) for k in range(samples)],
        "labels": np.arange(samples, dtype=np.uint16) % 3,
        "extra/keys": np.array([word.encode() for word in SPEECH]),
    }
    with h5py.File(path, "w") as file:
        for name, value in (values | dict(changes or {})).items():
            if isinstance(value, list):
                ragged = file.create_dataset(name, (len(value),), h5py.vlen_dtype(value[-1].dtype if value else "f2"))
                for k, recording in enumerate(value):
                    ragged[k] = recording
            elif value is not None:
                file[name] = value


def write_sound(folder: Path, digit: int, speaker: str, take: int, seconds: float = 0.3) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(8000 * seconds)) / 8000
    wiggle = 0.3 * np.sin(2 * np.pi * 300 * (digit + 1) * time + take)
    with wave.open(str(folder / f"{digit}_{speaker}_{take}.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes((32767 * wiggle).astype("<i2").tobytes())


@pytest.fixture
def events(tmp_path: Path) -> Path:
    for part in ("train", "test"):
        write_events(tmp_path / f"shd_{part}.h5")
    return tmp_path


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    for digit in range(2):
        for speaker in ("ada", "bob"):
            for take in (0, 5, 6):
                write_sound(tmp_path / "fsdd" / "recordings", digit, speaker, take, 0.1 + 0.1 * take)
    return tmp_path


@pytest.mark.parametrize("name", registry.names("tasks"))
def test_every_task_has_facts_and_names_what_is_missing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = next(row for row in registry.describe("tasks") if row["id"] == name)
    assert facts["title"] and facts["LICENCE"] and facts["URL"].startswith("https://")
    assert re.match(r"@\w+\{\w+, author=", facts["SOURCE"])
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)  # as if no data came with a package
    if facts.get("DATA") == "generated":
        return
    if facts.get("DATA") == "package":
        with pytest.raises(MissingData, match=rf"^{name}: needs \S+, which holds the data; pip install \S+$"):
            task.load(name)
        return
    for root in (None, tmp_path):
        with pytest.raises(MissingData) as missing:
            task.load(name, root)
        line = str(missing.value)
        at_once = training.missing(name, root)  # before any process is started
        assert at_once is not None and at_once.startswith(f"{name}: ") and at_once.endswith(facts["GET"])
        assert line.endswith(facts["GET"])
        assert line.startswith(f"{name}: ") and "\n" not in line and "--data-root" in line
        assert ("needs a data root" in line) == (root is None)
        assert (str(tmp_path) in line) == (root is not None)


def test_hyphen_and_underscore_name_the_same_task() -> None:
    assert task.recipe("japanese-vowels") == task.recipe("japanese_vowels")


def test_unknown_task_and_unknown_option() -> None:
    with pytest.raises(Problem, match=r"no task 'shdd'; there are .*; did you mean shd\?"):
        task.load("shdd")
    with pytest.raises(Problem, match="shd: no option hop; there are augment, bins, dt, mask"):
        task.load("shd", hop=1)


def test_sequences_are_padded_at_the_end() -> None:
    sequences = [torch.full((length, 2), float(length)) for length in (3, 1, 5)]
    samples = Sequences.of(sequences, (7, 8, 9), steps=4)
    x, y, mask = samples.batch(torch.tensor([2, 0, 1]))
    assert x.shape == (4, 3, 2) and y.tolist() == [9, 7, 8]
    assert x[..., 0].t().tolist() == [[5, 5, 5, 5], [3, 3, 3, 0], [1, 0, 0, 0]]
    assert mask is not None and mask.equal(x[..., 0] > 0)


def test_standardise_uses_the_training_data_alone() -> None:
    torch.manual_seed(0)
    train = Sequences.of([5 + 3 * torch.randn(50, 2)], [0], 50)
    test = Sequences.of([torch.full((4, 2), 5.0)], [0], 50)
    changed, other = standardise(train, test)
    torch.testing.assert_close(changed.values.mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(changed.values.std(0), torch.ones(2))
    torch.testing.assert_close(other.values, (test.values - train.values.mean(0)) / train.values.std(0))


def test_japanese_vowels_is_the_official_split() -> None:
    if importlib.util.find_spec("aeon") is None:
        pytest.skip(japanese_vowels.GET)
    vowels = task.load("japanese_vowels")
    assert (vowels.channels, vowels.classes, vowels.steps) == (12, 9, 29)
    assert vowels.train.labels.bincount().tolist() == [30] * 9
    assert vowels.test.labels.bincount().tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert isinstance(vowels.train, Sequences) and isinstance(vowels.test, Sequences)
    lengths = torch.cat([vowels.train.lengths, vowels.test.lengths])
    assert (int(lengths.min()), int(lengths.max())) == (7, 29)
    torch.testing.assert_close(vowels.train.values.mean(0), torch.zeros(12), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: text.replace("@data", ""), "0 samples after @data"),
        (lambda text: text.rsplit("\n", 1)[0], "269 samples after @data, there should be 270"),
        (lambda text: text.replace("1.5", "oops", 1), "sample 1 cannot be read"),
        (lambda text: text.replace(":1\n", ":0\n", 1), "sample 1 is not 12 channels and a class from 1 to 9"),
        (lambda text: text.replace("1.5,2:", "", 1), "sample 1 is not 12 channels"),
    ],
)
def test_japanese_vowels_refuses_a_broken_file(tmp_path: Path, change: Callable[[str], str], complaint: str) -> None:
    line = ":".join(["1.5,2"] * 12 + ["1"])
    for part, count in (("TRAIN", 270), ("TEST", 370)):
        (tmp_path / f"JapaneseVowels_{part}.ts").write_text("@data\n" + "\n".join([line] * count))
    assert task.load("japanese_vowels", tmp_path).steps == 2
    path = tmp_path / "JapaneseVowels_TRAIN.ts"
    path.write_text(change(path.read_text()))
    with pytest.raises(Problem, match=complaint) as problem:
        task.load("japanese_vowels", tmp_path)
    assert str(path) in str(problem.value) and "\n" not in str(problem.value)


def test_fsdd_splits_by_take_or_by_speaker(sounds: Path) -> None:
    official = task.load("fsdd", sounds)
    assert official.train.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1] and official.test.labels.tolist() == [0, 0, 1, 1]
    held_out = task.load("fsdd", sounds, split="speaker:bob")
    assert len(held_out.train.labels) == len(held_out.test.labels) == 6
    assert held_out.options["split"] == "speaker:bob"
    with pytest.raises(Problem, match=r"no split 'speaker:eve'; there are official, speaker:ada, speaker:bob"):
        task.load("fsdd", sounds, split="speaker:eve")


def test_fsdd_steps_follow_the_hop(sounds: Path) -> None:
    for hop, steps in ((0.010, 100), (0.0005, 2000)):
        spoken = task.load("fsdd", sounds, hop=hop)
        assert spoken.steps == steps and isinstance(spoken.train, Sequences)
        x, _, mask = spoken.train.batch(torch.arange(8))
        assert x.shape == (steps, 8, 40) and mask is not None
        valid = mask.sum(0)
        expected = {round((0.6 - 0.025) / hop) + 1, round((0.7 - 0.025) / hop) + 1}
        assert {int(v) for v in valid} <= {v + slack for v in expected for slack in (-1, 0)}
        assert not x[~mask].any()


def test_log_mel_finds_a_tone_in_its_band() -> None:
    time = np.arange(8000) / 8000
    filters = fsdd.mel_filters(40, 512)
    for frequency in (250.0, 1000.0, 3000.0):
        spectrum = fsdd.log_mel(np.sin(2 * np.pi * frequency * time).astype(np.float32), filters, 0.025, 0.010)
        assert spectrum.shape == (98, 40)
        mel = 2595 * np.log10(1 + frequency / 700)
        low, high = 2595 * np.log10(1 + np.array([20, 4000]) / 700)
        band = (mel - low) / ((high - low) / 41) - 1
        assert abs(int(spectrum.mean(0).argmax()) - band) < 1


def test_fsdd_refuses_what_is_not_a_recording(sounds: Path, tmp_path: Path) -> None:
    path = sounds / "fsdd" / "recordings" / "0_ada_0.wav"
    sound = path.read_bytes()
    for content in (b"", b"no sound at all", sound[:30], sound[:44]):
        path.write_bytes(content)
        with pytest.raises(Problem, match=re.escape(str(path))) as problem:
            task.load("fsdd", sounds)
        assert "\n" not in str(problem.value)
    (tmp_path / "empty" / "recordings").mkdir(parents=True)
    with pytest.raises(MissingData, match="holds no recordings named digit_speaker_take"):
        task.load("fsdd", tmp_path / "empty")


def test_fsdd_options_that_cannot_be(sounds: Path) -> None:
    with pytest.raises(Problem, match="need 1/8000 <= hop <= window <= seconds"):
        task.load("fsdd", sounds, hop=0.03)
    with pytest.raises(Problem, match="200 mels are too many"):
        task.load("fsdd", sounds, mels=200)


def test_events_are_counted_where_they_are(tmp_path: Path) -> None:
    times = [np.array([0.0, 0.0015, 0.0015, 0.0042]), np.array([0.0009])]
    units = [np.array([2, 699, 699, 0], np.uint16), np.array([5], np.uint16)]
    for part in ("train", "test"):
        write_events(tmp_path / f"shd_{part}.h5", 2, {"spikes/times": times, "spikes/units": units})
    digits = task.load("shd", tmp_path)
    assert (digits.channels, digits.classes, digits.steps) == (700, 3, 6)
    x, y, mask = digits.test.batch(torch.tensor([1, 0]))
    assert x.shape == (6, 2, 700) and y.tolist() == [1, 0] and mask is None
    found = {tuple(where): float(x[tuple(where)]) for where in x.nonzero().tolist()}
    # bin k holds the times in ((k-1) ms, k ms]; the shorter recording is padded at the front
    assert found == {(0, 1, 2): 1, (2, 1, 699): 2, (5, 1, 0): 1, (5, 0, 5): 1}
    masked = task.load("shd", tmp_path, mask=True).test.batch(torch.tensor([1, 0])).mask
    assert masked is not None and masked.t().tolist() == [[False] * 4 + [True] * 2, [True] * 6]


def test_every_event_is_in_some_batch(events: Path) -> None:
    digits = task.load("shd", events, dt=0.004)
    x = digits.train.batch(torch.arange(6)).x
    assert x.sum(dim=(0, 2)).tolist() == [0, 3, 6, 9, 12, 15]
    assert len(x) == digits.steps <= 0.1 / 0.004 + 1
    alone = digits.train.batch(torch.tensor([3])).x
    torch.testing.assert_close(x[len(x) - len(alone) :, 3:4], alone, rtol=0, atol=0)


def test_augmentation_moves_the_training_events_only(events: Path) -> None:
    plain, moved = task.load("shd", events), task.load("shd", events, augment=True)
    index = torch.tensor([5])
    assert moved.test.batch(index).x.equal(plain.test.batch(index).x)
    torch.manual_seed(0)
    first, second = moved.train.batch(index).x, moved.train.batch(index).x
    torch.manual_seed(0)
    assert moved.train.batch(index).x.equal(first) and not first.equal(second)
    assert first.shape == plain.train.batch(index).x.shape


def test_stretch_takes_the_nearest_point(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.arange(1.0, 12.0)[:, None] * torch.ones(1, 20)
    for draw, factor in ((0.0, 0.7), (0.5, 1.0), (1.0, 1.3)):
        draws = iter((draw, 0.5))  # no shift
        monkeypatch.setattr(torch, "rand", lambda *_, draws=draws: torch.tensor(next(draws)))
        out = shd._stretch(x)
        for t in range(11):
            source = round((t - 5) / factor + 5)
            inside = [0 <= round((c - 9.5) / factor + 9.5) < 20 for c in range(20)]
            assert out[t].tolist() == [(source + 1.0) * (i and 0 <= source < 11) for i in inside]
    draws = iter((0.5, 1.0))  # unscaled, by a tenth of the units
    monkeypatch.setattr(torch, "rand", lambda *_: torch.tensor(next(draws)))
    assert shd._stretch(x)[0].tolist() == [0.0] * 2 + [1.0] * 18


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"labels": None}, "no list labels"),
        ({"spikes/units": None, "labels": None}, "no list spikes/units, labels"),
        ({"labels": np.zeros((6, 2))}, "no list labels"),
        ({"labels": np.zeros(5)}, "do not belong together"),
        ({"spikes/times": [np.zeros(k) for k in range(6)]}, "do not belong together"),
        ({"spikes/units": [np.full(3 * k, 700) for k in range(6)]}, "units from 700 to 700, there should be 700"),
        ({"spikes/times": [np.full(3 * k, -1.0) for k in range(6)]}, "time is negative or not finite"),
        ({"spikes/times": [np.full(3 * k, np.nan) for k in range(6)]}, "time is negative or not finite"),
        ({"labels": np.full(6, -1)}, "label -1 is negative"),
        ({"spikes/times": [], "spikes/units": [], "labels": np.zeros(0)}, "holds no recordings"),
    ],
)
def test_shd_refuses_a_file_of_another_kind(events: Path, changes: dict[str, object], complaint: str) -> None:
    write_events(events / "shd_test.h5", changes=changes)
    with pytest.raises(Problem, match=complaint) as problem:
        task.load("shd", events)
    assert str(problem.value).startswith(str(events / "shd_test.h5")) and "\n" not in str(problem.value)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_shd_refuses_a_file_that_is_cut_short(events: Path, kept: float) -> None:
    path = events / "shd_test.h5"
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(Problem, match="not an HDF5 file, or damaged") as problem:
        task.load("shd", events)
    assert "\n" not in str(problem.value)


def test_bins_must_have_a_width(events: Path) -> None:
    with pytest.raises(Problem, match="dt must be positive, got 0"):
        task.load("shd", events, dt=0)


def test_ssc_reads_its_own_files(tmp_path: Path) -> None:
    (tmp_path / "SSC").mkdir()
    for part in ("train", "test"):
        write_events(tmp_path / "SSC" / f"ssc_{part}.h5")
    assert task.load("ssc", tmp_path).task == "ssc"


def test_real_digits_in_the_layout_of_shd(data_root: Path) -> None:
    digits = task.load("fsdd70", data_root)
    assert (digits.channels, digits.classes) == (70, 10)
    assert digits.train.labels.bincount().tolist() == [60] * 10
    assert digits.test.labels.bincount().tolist() == [12] * 10
    x, _, mask = digits.test.batch(torch.arange(120))
    assert mask is not None and not x[~mask].any()
    assert 3000 < float(x.sum()) / 120 < 7000  # about 5,100 spikes a recording


def test_real_digits(data_root: Path) -> None:
    digits = task.load("fsdd", data_root)
    assert (len(digits.train.labels), len(digits.test.labels)) == (2700, 300)
    assert digits.train.labels.bincount().tolist() == [270] * 10
    x, _, mask = digits.test.batch(torch.arange(300))
    assert x.shape == (100, 300, 40) and mask is not None and bool(x.isfinite().all())
    assert 30 < float(mask.sum()) / 300 < 55  # half of the recordings are shorter than 0.42 s
    theo = task.load("fsdd", data_root, split="speaker:theo")
    assert (len(theo.train.labels), len(theo.test.labels)) == (2500, 500)


def test_static_digits_are_the_same_pixels_at_every_step() -> None:
    pixels, static = task.load("digits"), task.load("digits", steps=3)
    assert (static.channels, static.steps, static.classes) == (64, 3, 10) and static.test.labels.equal(
        pixels.test.labels
    )
    one, three = (d.test.batch(torch.tensor([5, 0])).x for d in (pixels, static))
    assert three.shape == (3, 2, 64) and all(step.equal(one[..., 0].t()) for step in three)
    with pytest.raises(Problem, match="all are there at once"):
        task.load("digits", steps=3, permuted=True)


@pytest.mark.parametrize("name", registry.names("tasks"))
def test_every_load_takes_a_data_root_and_options_by_name(name: str) -> None:
    root, *options = inspect.signature(importlib.import_module(f"spikebench.tasks.{name}").load).parameters.values()
    assert (root.name, root.default) == ("data_root", None)
    assert all(option.kind is option.KEYWORD_ONLY and option.default is not option.empty for option in options)


def test_a_recording_in_equal_bins_of_its_own() -> None:
    """From the first to the last event, which stands in the last bin; of a recording without width all stand in the first."""
    times = np.array([0.2, 0.25, 0.5, 0.79, 0.8, 3.0, 0.1, 0.4])
    units = np.array([0, 1, 0, 1, 0, 1, 0, 1], np.int32)
    made = shd.Recordings(times, units, np.array([5, 1, 0, 2]), np.arange(4), 4, 2)
    x, y, mask = made.binned(1.0, bins=3).batch(torch.arange(4))
    assert x.shape == (3, 4, 2) and y.tolist() == [0, 1, 2, 3] and mask is None
    assert x[:, 0].tolist() == [[1, 1], [1, 0], [1, 1]]
    assert x[:, 1].tolist() == [[0, 1], [0, 0], [0, 0]] and x[:, 2].sum() == 0
    assert x[:, 3].tolist() == [[1, 0], [0, 0], [0, 1]]


def test_the_number_of_bins_is_that_of_every_recording(events: Path) -> None:
    made = task.load("shd", events, bins=15)
    assert made.steps == 15 and made.options == {"bins": 15, "augment": False, "mask": False}
    assert made.train.batch(torch.arange(3)).x.shape[0] == 15
    with pytest.raises(Problem, match="shd: bins must be at least 1, got 0"):
        task.load("shd", events, bins=0)
