"""Twenty hostile NIR and HDF5 files: each is refused in one line, at once, and without filling the memory."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikebench.cases import nir
from spikebench.errors import Problem
from spikebench.host import files
from spikebench.tasks import shd

LISTS = h5py.vlen_dtype(np.float16)
BIG = 2**40
Fill = Callable[[Any], object]


def events(file: Any, rows: int = 2, labels: object = (0, 1), kind: object = LISTS) -> None:
    for name, dtype in (("times", kind), ("units", h5py.vlen_dtype(np.uint16))):
        made = file.create_dataset(f"spikes/{name}", (rows,), dtype)
        for row in range(rows if made.dtype == object else 0):
            made[row] = np.arange(4) / 8 if name == "times" else np.arange(4)
    file["labels"] = labels


def deep(file: Any) -> None:
    group = file
    for _ in range(files.DEPTH + 2):
        group = group.create_group("g")


def looped(file: h5py.File) -> None:
    group = file.create_group("a")
    group["again"] = group


def chunky(file: h5py.File) -> None:
    file.create_dataset("node", (8,), "f8", maxshape=(None,), chunks=(2**28,), compression="gzip")


def many(file: h5py.File) -> None:
    for k in range(files.OBJECTS + 1):
        file.create_group(str(k))


def negative(file: Any) -> None:
    events(file)
    file["spikes/times"][0] = np.array([-1.0], np.float16)
    file["spikes/units"][0] = np.array([1], np.uint16)


def endless(file: Any) -> None:
    events(file, kind=h5py.vlen_dtype(np.float64))
    file["spikes/times"][0] = np.array([0.0, 1.0, 2.0, 1e300])


def elsewhere(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    file.create_virtual_dataset("node", layout)


def same_list(file: Any) -> None:
    """Every row of `times` names the same list of 4 MB: its reference, 16 bytes long, is copied to all of them."""
    events(file, rows=256, labels=np.zeros(256, int), kind=h5py.vlen_dtype(np.float64))
    file["spikes/times"][0] = np.zeros(2**19)


HOSTILE: dict[str, tuple[Fill, str]] = {
    "nothing": (lambda f: None, "has no neuron|cannot read"),
    "a soft link": (lambda f: f.__setitem__("node", h5py.SoftLink("/elsewhere")), "link to elsewhere"),
    "an external link": (lambda f: f.__setitem__("node", h5py.ExternalLink("/etc/passwd", "/")), "link to elsewhere"),
    "external storage": (
        lambda f: f.create_dataset("node", (64,), "u1", external=[("/etc/passwd", 0, 64)]),
        "in other files",
    ),
    "a virtual data set": (elsewhere, "in other files"),
    "a group in itself": (looped, "linked to more than once"),
    "groups too deep": (deep, "in one another"),
    "too many groups": (many, "more than 10000 groups"),
    "a data set of a terabyte": (lambda f: f.create_dataset("node", (BIG,), "u1", chunks=(64,)), "would fill more"),
    "a chunk of two gigabytes": (chunky, "would fill more"),
    "labels of a terabyte": (
        lambda f: (events(f), f.__delitem__("labels"), f.create_dataset("labels", (BIG,), "u1", chunks=(64,))),
        "would fill more",
    ),
    "times that are no lists": (lambda f: events(f, kind=np.float32), "no lists of numbers"),
    "times that are texts": (lambda f: events(f, rows=0, kind=h5py.string_dtype()), "no lists of numbers"),
    "labels that are texts": (lambda f: events(f, labels=[b"a", b"b"]), "labels are of type"),
    "fewer labels than recordings": (lambda f: events(f, labels=[0]), "do not belong together"),
    "a negative time": (negative, "negative or not finite|do not belong"),
    "a recording that never ends": (endless, "steps of 0.001 s, more than"),
    "no recordings": (lambda f: events(f, rows=0, labels=np.zeros(0, int)), "holds no recordings"),
}
SHD = {"labels of a terabyte", "times that are no lists", "times that are texts", "labels that are texts"}
SHD |= {"fewer labels than recordings", "a negative time", "a recording that never ends", "no recordings"}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    fill, why = HOSTILE[name]
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        fill(file)
    with pytest.raises(Problem, match=why) as found:
        shd.read(path, 700).binned(1e-3) if name in SHD else nir.subjects(path, 1e-3)
    assert "\n" not in str(found.value) and len(str(found.value)) < 600


def test_lists_that_name_the_same_memory_again_do_not_fill_it(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        same_list(file)
        offset, count = file["spikes/times"].id.get_offset(), 256
    data = bytearray(path.read_bytes())
    data[offset : offset + 16 * count] = bytes(data[offset : offset + 16]) * count
    path.write_bytes(data)
    with pytest.raises(Problem, match="lists are named again"):
        shd.read(path, 700)


@pytest.mark.parametrize("cut", [0, 100, 2000])
def test_a_file_that_is_cut_short_or_no_hdf5_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        events(file)
    path.write_bytes(path.read_bytes()[:cut])
    for read in (lambda: shd.read(path, 700), lambda: nir.subjects(path, 1e-3)):
        with pytest.raises(Problem, match="not an HDF5 file, or damaged"):
            read()


def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, why in (
        (tmp_path / "pipe", "a pipe"),
        (Path("/dev/zero"), "a pipe, socket or device"),
        (tmp_path, "a folder"),
    ):
        reads = threading.Thread(target=_refused, args=(path, why), daemon=True)
        reads.start()
        reads.join(5)
        assert not reads.is_alive(), f"{path} was waited for"
    with pytest.raises(Problem, match="at most 3 are read"):
        (tmp_path / "four").write_bytes(b"four")
        files.regular(tmp_path / "four", 3)


def _refused(path: Path, why: str) -> None:
    with pytest.raises(Problem, match=why):
        nir.subjects(path, 1e-3)


MEMORY = """
import resource, sys, time
from pathlib import Path
from typing import Any
from spikebench.cases import nir
from spikebench.errors import Problem
import h5py, nir as _
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
for path in Path(sys.argv[1]).glob("*.h5"):
    try:
        nir.subjects(path, 1e-3)
    except Problem:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.monotonic() - start)
"""


def test_hostile_files_take_little_memory_and_time(tmp_path: Path) -> None:
    for k, (fill, _) in enumerate(HOSTILE.values()):
        with h5py.File(tmp_path / f"{k}.h5", "w") as file:
            fill(file)
    done = subprocess.run([sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, text=True, check=True)
    kibibytes, seconds = map(float, done.stdout.split())
    assert kibibytes < 500_000 and seconds < 5 * len(HOSTILE)
