"""NIR and SHD files that were valid before something in them changed: each is read, or refused in one line, in bounded memory and time.

Bytes are flipped, cut and doubled; data sets get other types, shapes and values; groups become data sets. `--slow` tries more.
"""

import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikebench.cases import nir
from spikebench.errors import Problem
from spikebench.tasks import shd

SECONDS, BYTES = 5.0, 500 * 2**20
NODES = ("lif[reset=hard,strict=true]", "lif[reset=hard,strict=true,synapse_decay=0.7]")
TYPES: tuple[Any, ...] = ("f2", "f8", "i1", "u8", "c16", "S4", "?", h5py.vlen_dtype(np.float32), h5py.string_dtype())
TYPES += (np.dtype([("a", "f4")]), h5py.enum_dtype({"x": 1}, "i4"), np.dtype(("f4", (2,))), "V8")
SHAPES: tuple[Any, ...] = ((), (0,), (1,), (3,), (2, 2), (1, 1, 1, 5), None)
ODD = (np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300, 5e-324, 2.0**62)

flips = st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=12)
cuts = st.tuples(st.integers(0, 2**20), st.integers(0, 2**20))
replaced = st.tuples(
    st.integers(0, 63),
    st.sampled_from(["data", "values", "group", "attribute", "none"]),
    st.integers(0, len(TYPES) - 1),
    st.sampled_from(SHAPES),
    st.sampled_from(ODD),
)
changes = st.one_of(
    st.tuples(st.just("flip"), flips), st.tuples(st.just("cut"), cuts), st.tuples(st.just("double"), cuts),
    st.tuples(st.just("replace"), st.lists(replaced, min_size=1, max_size=3)),
)  # fmt: skip


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two NIR files and one in the layout of SHD."""
    folder = tmp_path_factory.mktemp("valid")
    paths = [folder / f"{k}.nir" for k in range(len(NODES))]
    for node, path in zip(NODES, paths, strict=True):
        nir.write(node, path, 3, 1e-3)
    with h5py.File(folder / "shd.h5", "w") as file:
        for name, kind in (("times", np.float16), ("units", np.uint16)):
            made: Any = file.create_dataset(f"spikes/{name}", (3,), h5py.vlen_dtype(kind))
            for row in range(3):
                made[row] = np.arange(row + 1, dtype=kind) / (8 if name == "times" else 1)
        file["labels"] = np.array([0, 1, 1])
        file["extra/keys"] = np.array([b"a", b"b"])
    return [*paths, folder / "shd.h5"]


@contextmanager
def bounded() -> Iterator[None]:
    """The address space may grow by BYTES, and SECONDS may pass."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES, hard))
    start = time.monotonic()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert time.monotonic() - start < SECONDS


def changed(path: Path, how: str, what: Any) -> None:
    data = bytearray(path.read_bytes())
    if how == "replace":
        with h5py.File(path, "r+") as file:
            for one in what:
                _replace(file, *one)
        return
    if how == "flip":
        for place, bits in what:
            data[place % len(data)] ^= bits
    else:
        first, last = sorted(place % len(data) for place in what)
        data[first:last] = b"" if how == "cut" else data[first:last] * 2
    path.write_bytes(data)


def _replace(file: h5py.File, place: int, how: str, kind: int, shape: Any, value: float) -> None:
    names: list[str] = []
    file.visit(names.append)
    if not names:
        return
    name = names[place % len(names)]
    item: Any = file[name]
    if how == "attribute":
        item.attrs["type"] = value
    elif how == "values" and isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu" and item.shape is not None:
        with np.errstate(all="ignore"):
            item[...] = np.asarray(value).astype(item.dtype)
    elif how != "values":
        del file[name]
        if how == "group":
            file.create_group(name)
        elif how == "data":
            file.create_dataset(name, shape, TYPES[kind]) if shape is not None else file.__setitem__(
                name, h5py.Empty("f4")
            )


def read(path: Path) -> None:
    """Read it as what it was; whatever is wrong is a Problem of one line."""
    try:
        with bounded():
            if path.suffix == ".nir":
                assert all(isinstance(s, str | Problem) for s in nir.subjects(path, 1e-3).values())
            else:
                shd.read(path, 700).binned(1e-3).batch(torch.tensor([0]))
    except Problem as problem:
        assert "\n" not in str(problem) and len(str(problem)) < 2000


def tried(valid: list[Path], which: int, change: tuple[str, Any]) -> None:
    path = valid[which].with_name(f"changed{valid[which].suffix}")
    shutil.copy(valid[which], path)
    changed(path, *change)
    read(path)


def test_valid_files_are_read(valid: list[Path]) -> None:
    assert all(isinstance(nir.subjects(path, 1e-3)["neuron"], str) for path in valid[:-1])
    assert shd.read(valid[-1], 700).classes == 2


HEALTH = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.long
@settings(max_examples=400, deadline=None, derandomize=True, database=None, suppress_health_check=HEALTH)
@given(which=st.integers(0, len(NODES)), change=changes)
def test_a_changed_file_is_read_or_refused(valid: list[Path], which: int, change: tuple[str, Any]) -> None:
    tried(valid, which, change)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None, database=None, suppress_health_check=HEALTH)
@given(which=st.integers(0, len(NODES)), change=changes)
def test_many_changed_files_are_read_or_refused(valid: list[Path], which: int, change: tuple[str, Any]) -> None:
    tried(valid, which, change)
