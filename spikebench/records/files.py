"""Files that somebody names: whether they can be read, and whether they can be written, said in a line before any work begins."""

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from spikebench.errors import Problem, printable

LARGEST = 2**32  # bytes of a file that is read


def regular(path: Path, most: int | None = LARGEST) -> Path:
    """The path, if it is a plain file of at most so many bytes; a FIFO or a device would never end. Problem if not."""
    found = _status(path)
    if found is None:
        raise Problem(f"no file {_named(path)}; name one that is there")
    if not stat.S_ISREG(found.st_mode):
        raise Problem(f"{_named(path)} is {_kind(found)}; name a plain file")
    if most is not None and found.st_size > most:
        raise Problem(f"{_named(path)} has {found.st_size} bytes; at most {most} are read")
    return path


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_text(path: Path, text: str, remedy: str) -> Path:
    """Write a text file, whose folders are made; its path. Problem with the remedy if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise Problem(f"cannot write {path}: {error.strerror}; {remedy}") from error
    return path


def folder(path: Path, option: str) -> Path:
    """The path, if it is a folder that can be read; Problem if not."""
    found = _status(path)
    if found is None or not stat.S_ISDIR(found.st_mode):
        raise Problem(f"{option} {_named(path)} is {_kind(found) if found else 'not there'}; name a folder")
    if not os.access(path, os.R_OK | os.X_OK):
        raise Problem(f"{option} {_named(path)}: permission denied; name another folder")
    return path


def file_to_write(path: Path, option: str) -> Path:
    """The path, if a file can be written there: a new one, whose folders are made, or one that exists. Problem if not."""
    return _to_write(path, option, "file", stat.S_ISREG, os.W_OK)


def folder_to_write(path: Path, option: str) -> Path:
    """The path, if files can be written into a folder there: a new one, or one that exists. Problem if not."""
    return _to_write(path, option, "folder", stat.S_ISDIR, os.W_OK | os.X_OK)


def path_to_write(path: Path, option: str) -> Path:
    """The path, if a folder or a file can be written there, whichever it then is. Problem if not."""
    return (folder_to_write if path.is_dir() else file_to_write)(path, option)


def _to_write(path: Path, option: str, what: str, is_one: Callable[[int], bool], access: int) -> Path:
    found = _status(path)
    if found is None:
        return _below(path, option, what)
    if not is_one(found.st_mode):
        raise Problem(f"{option} {_named(path)} is {_kind(found)}; name a {what}")
    if not os.access(path, access):
        raise Problem(f"{option} {_named(path)}: permission denied; name another {what}")
    return path


def _below(path: Path, option: str, what: str) -> Path:
    """The path, which is not there yet, if it can be made in the nearest folder that is."""
    for parent in path.parents:
        if (found := _status(parent)) is None:
            continue
        if not stat.S_ISDIR(found.st_mode):
            raise Problem(f"{option} {_named(path)}: {_named(parent)} is {_kind(found)}; name another {what}")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise Problem(f"{option} {_named(path)}: permission denied in {_named(parent)}; name another {what}")
        break
    return path


def _status(path: Path) -> os.stat_result | None:
    """What is there, None for nothing; Problem for a name that no file can have or that cannot be asked about."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise Problem(f"{_named(path)}: {(getattr(error, 'strerror', None) or str(error)).lower()}") from None


def _kind(found: os.stat_result) -> str:
    if stat.S_ISDIR(found.st_mode):
        return "a folder"
    return "a file" if stat.S_ISREG(found.st_mode) else "a pipe, socket or device"


def _named(path: Path) -> str:
    """The path in one line, a long one cut."""
    text = printable(str(path))
    return text if len(text) <= 200 else f"{text[:100]}…{text[-60:]}"
