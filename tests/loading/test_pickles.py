"""A pickle executes what is in it when it is read, so that a subject `file.pickle:X` is read only where somebody says so."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

import spikebench as sb
from spikebench.errors import Problem
from spikebench.host.environment import threads
from spikebench.loading import pickles


class Touch:
    """Leaves a file behind when its pickle is read, and becomes a module."""

    def __init__(self, left: Path) -> None:
        self.left = left

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return _touch, (str(self.left),)


def _touch(left: str) -> nn.Module:
    Path(left).touch()
    return nn.Identity()


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    path = tmp_path / "hostile.pickle"
    path.write_bytes(pickle.dumps(Touch(tmp_path / "left")))
    return path


def test_nobodys_pickle_is_read_unasked(hostile: Path, tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"reading it executes what .*say --unpickle") as found:
        sb.neuron(f"{hostile}:X", N=4)
    assert "\n" not in str(found.value) and not (tmp_path / "left").exists()
    x = torch.zeros(2, 1, 4)
    assert sb.neuron(f"{hostile}:X", N=4, unpickle=True)(x).equal(x) and (tmp_path / "left").exists()


@pytest.mark.long
def test_a_worker_reads_no_pickle_unasked(hostile: Path, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="say --unpickle"):
        sb.check(f"{hostile}:X", threads=threads())
    assert not (tmp_path / "left").exists()


def test_only_pickles_of_the_folder_are_read(hostile: Path, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "linked.pickle").symlink_to(hostile)
    with pickles.allowed(str(tmp_path / "own")), pytest.raises(Problem, match="say --unpickle"):
        pickles.read(tmp_path / "own" / "linked.pickle")
    with pickles.allowed(str(tmp_path)):
        assert isinstance(pickles.read(hostile), nn.Identity)


def test_what_is_no_pickle_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.pickle").write_text("no pickle")
    os.mkfifo(tmp_path / "pipe.pickle")
    for name, said in (
        ("text", "no pickle, or one that cannot be read"),
        ("pipe", "a pipe"),
        ("none", "no file .*none.pickle"),
    ):
        with pickles.allowed(str(tmp_path)), pytest.raises(Problem, match=said) as found:
            pickles.read(tmp_path / f"{name}.pickle")
        assert "\n" not in str(found.value)
