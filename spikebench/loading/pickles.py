"""Which pickles may be read. Reading one executes what its writer put into it, so that nobody's is read unasked."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from spikebench.errors import Problem
from spikebench.host import files

_folder: ContextVar[str | None] = ContextVar("_folder", default=None)


@contextmanager
def allowed(folder: str | None) -> Iterator[None]:
    """While this lasts, pickles in the folder and below may be read; none where it is None."""
    before = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(before)


def read(path: Path) -> Any:
    """The object that a pickle holds. Problem if nobody has allowed it, or the file is damaged."""
    folder = _folder.get()
    if folder is None or not path.resolve().is_relative_to(Path(folder).resolve()):
        raise Problem(
            f"{path} is a pickle, and reading it executes what its writer put there; if you trust it, say --unpickle (in Python unpickle=True)"
        )
    try:
        return pickle.loads(files.regular(path).read_bytes())
    except Problem:
        raise
    except (pickle.UnpicklingError, EOFError, *files.BROKEN) as error:
        text = " ".join(str(error).split())
        raise Problem(f"{path}: no pickle, or one that cannot be read here ({type(error).__name__}: {text})") from error
