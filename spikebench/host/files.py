"""Files that somebody else wrote: what is checked before one is read, so that none can hang, fill the memory or lead elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikebench.errors import Problem
from spikebench.records.files import regular

if TYPE_CHECKING:
    import h5py

MOST = 2**28  # bytes that the data sets of an HDF5 file may fill, unless a reader says otherwise
DEPTH, OBJECTS = 8, 10_000  # of groups in groups, and of groups and data sets
BROKEN = (
    OSError,
    RuntimeError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    AssertionError,
)  # of a damaged file


@contextmanager
def hdf5(path: Path, most: int = MOST) -> "Iterator[h5py.File]":
    """An HDF5 file, opened for reading once nothing in it leads elsewhere and its data sets fill at most so many bytes.

    Lists of varying length count as their references: who reads them sums their lengths. Problem if the file is no HDF5
    or damaged, or holds soft, external or repeated links, external or virtual storage, too deep or too many groups.
    """
    import h5py

    try:
        with h5py.File(regular(path), "r") as file:
            _inspect(path, file, most)
            yield file
    except Problem:
        raise
    except BROKEN as error:
        text = " ".join(str(error).split())
        raise Problem(f"{path}: not an HDF5 file, or damaged ({type(error).__name__}: {text})") from None


def _inspect(path: Path, file: "h5py.File", most: int) -> None:
    import h5py

    root: Any = file  # a group, of which h5py's stubs know too little
    left, seen, filled = [(root, "", 0)], set[Any](), 0
    while left:
        group, where, depth = left.pop()
        for name in group:
            place = f"{where}/{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise Problem(f"{path}: {place!r} is a link to elsewhere; a file must hold its own data")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr  # pyright: ignore[reportAttributeAccessIssue]  # not in the stubs
            if address in seen:
                raise Problem(f"{path}: {place!r} is linked to more than once")
            seen.add(address)
            if len(seen) > OBJECTS or depth >= DEPTH:
                raise Problem(f"{path}: more than {OBJECTS} groups and data sets, or {DEPTH} in one another")
            if isinstance(item, h5py.Group):
                left.append((item, place, depth + 1))
            elif isinstance(item, h5py.Dataset):
                filled += _bytes(path, place, item)
            if filled > most:
                raise Problem(f"{path}: its data sets would fill more than {most} bytes, with {place!r}")


def _bytes(path: Path, place: str, item: "h5py.Dataset") -> int:
    """Memory that a data set fills when it is read, or one of its chunks where these are larger."""
    if item.external or item.is_virtual:
        raise Problem(f"{path}: {place!r} keeps its data in other files; a file must hold its own data")
    chunk = 1
    for size in item.chunks or ():
        chunk *= size
    return max(int(item.size or 0), chunk) * item.dtype.itemsize
