"""Free Spoken Digit Dataset: six people say the digits 0 to 9; log-mel spectra of the real recordings.

The recordings are by Zohar Jackson and contributors (https://github.com/Jakobovski/free-spoken-digit-dataset), used
under CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/). What is given here is changed: spectra, not sound.
"""

import re
import wave
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikebench.errors import Problem
from spikebench.task import Dataset, MissingData, Sequences, find, standardise
from spikebench.units import Count, Positive

LICENCE = "CC BY-SA 4.0"
URL = "https://github.com/Jakobovski/free-spoken-digit-dataset"
SOURCE = (
    "@misc{jackson2018fsdd, author={Jackson, Zohar and others}, title={Free Spoken Digit Dataset},"
    " howpublished={https://github.com/Jakobovski/free-spoken-digit-dataset}}"
)
RECIPE = {"hidden": (128,), "epochs": 20, "batch": 32, "lr": 6e-3}
FILES = ("recordings",)
FOLDERS = ("fsdd", "free-spoken-digit-dataset", ".")
GET = "git clone https://github.com/Jakobovski/free-spoken-digit-dataset fsdd and name the folder that holds it with --data-root"
_NAME = re.compile(r"(\d)_([a-z]+)_(\d+)")
_RATE = 8000
Recording = tuple[int, str, int, Path]  # digit, speaker, take, file


def load(
    data_root: str | Path | None = None,
    *,
    split: str = "official",
    mels: Count = 40,
    window: Positive = 0.025,
    hop: Positive = 0.010,
    seconds: Positive = 1.0,
) -> Dataset:
    """Log-mel spectra, standardised by the training data, padded with zeros at the end to seconds / hop steps.

    split: "official" (takes 0 to 4 test, the others train) or "speaker:NAME" (all of one speaker's recordings test).
    window, hop, seconds in s: hop=0.0005 gives T = 2000. Longer recordings are cut at `seconds` (20 of 3000 at 1 s).
    """
    folder = find("fsdd", data_root, FOLDERS, *FILES, GET)
    train, test = _split(_recordings(folder), split)
    if hop < 1 / _RATE or window < hop or seconds < window:
        raise Problem(f"fsdd: need 1/{_RATE} <= hop <= window <= seconds, got {hop}, {window}, {seconds}")
    steps, filters = round(seconds / hop), mel_filters(mels, 2 * _size(window))
    spectra = [
        Sequences.of([log_mel(read(r[3]), filters, window, hop) for r in part], (r[0] for r in part), steps)
        for part in (train, test)
    ]
    options = {"split": split, "mels": mels, "window": window, "hop": hop, "seconds": seconds}
    return Dataset("fsdd", *standardise(*spectra), mels, 10, steps, options)


def _recordings(folder: Path) -> list[Recording]:
    found: list[Recording] = []
    for path in sorted(folder.glob("*.wav")):
        if match := _NAME.fullmatch(path.stem):
            found.append((int(match[1]), match[2], int(match[3]), path))
    if not found:
        raise MissingData(f"fsdd: {folder} holds no recordings named digit_speaker_take.wav; {GET}")
    return found


def _split(recordings: list[Recording], split: str) -> tuple[list[Recording], list[Recording]]:
    kind, _, name = split.partition(":")
    speakers = sorted({speaker for _, speaker, _, _ in recordings})
    if split != "official" and (kind != "speaker" or name not in speakers):
        there = ", ".join(["official", *(f"speaker:{speaker}" for speaker in speakers)])
        raise Problem(f"fsdd: no split {split!r}; there are {there}")
    held = [take < 5 if split == "official" else speaker == name for _, speaker, take, _ in recordings]
    train = [recording for recording, out in zip(recordings, held, strict=True) if not out]
    test = [recording for recording, out in zip(recordings, held, strict=True) if out]
    if not train or not test:
        raise Problem(f"fsdd: split {split} leaves {len(train)} recordings to train on and {len(test)} to test on")
    return train, test


def read(path: Path) -> NDArray[np.float32]:
    """The samples of a mono 16-bit recording at 8 kHz, in [-1, 1)."""
    try:
        with wave.open(str(path)) as sound:
            form = sound.getnchannels(), sound.getsampwidth(), sound.getframerate()
            frames = sound.readframes(sound.getnframes())
    except (wave.Error, EOFError) as error:
        raise Problem(f"{path}: not a wav file ({error or 'it ends too early'})") from None
    if form != (1, 2, _RATE) or not frames:
        raise Problem(f"{path}: must be mono, 16 bit, {_RATE} Hz and not empty, is {form} with {len(frames)} bytes")
    return np.frombuffer(frames, "<i2").astype(np.float32) / np.float32(32768)


def _size(window: float) -> int:
    """The power of two that holds a window of this many seconds."""
    return 1 << (round(window * _RATE) - 1).bit_length()


def mel_filters(mels: int, size: int) -> NDArray[np.float32]:
    """Triangular filters, evenly spaced in mel = 2595·log10(1 + f/700) from 20 Hz to 4 kHz: [size/2 + 1, mels]."""
    low, high = 2595 * np.log10(1 + np.array([20, _RATE / 2]) / 700)
    edges = 700 * (10 ** (np.linspace(low, high, mels + 2) / 2595) - 1)  # Hz
    frequency = np.arange(size // 2 + 1)[:, None] * _RATE / size
    rise = (frequency - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - frequency) / (edges[2:] - edges[1:-1])
    filters = np.minimum(rise, fall).clip(min=0)
    if not filters.any(axis=0).all():
        raise Problem(f"fsdd: {mels} mels are too many for a transform of {size} points; lengthen the window")
    return filters.astype(np.float32)


def log_mel(sound: NDArray[np.float32], filters: NDArray[np.float32], window: float, hop: float) -> Tensor:
    """Log-mel spectrum [L, mels] of a sound [samples]: Hann window, power, filters, log with a floor of 1e-6."""
    width, size = round(window * _RATE), 2 * (filters.shape[0] - 1)
    sound = np.pad(sound, (0, max(0, width - len(sound))))
    starts = np.arange(0, len(sound) - width + 1e-9, hop * _RATE).round().astype(int)
    frames = sound[starts[:, None] + np.arange(width)] * np.hanning(width + 1)[:-1].astype(np.float32)
    power = np.abs(np.fft.rfft(frames, size)) ** 2
    return torch.from_numpy(np.log(power.astype(np.float32) @ filters + np.float32(1e-6)))
