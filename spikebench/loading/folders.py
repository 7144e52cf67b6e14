"""Modules that lie beside a subject. They are found last, and none has a name that Python or a library of a backend goes by.

So a `triton.py`, `select.py` or `queue.py` in the working folder is never imported in place of what torch, numba or Python
mean by that name. A subject that brings such a file must give it another name.
"""

import sys
from collections.abc import Sequence
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from spikebench import registry


class Beside(MetaPathFinder):
    """Finds modules in the folders of subjects."""

    def __init__(self) -> None:
        self.folders: list[str] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module, where nobody else has found one."""
        if path is not None or fullname in _reserved():
            return None
        return PathFinder.find_spec(fullname, self.folders)


def beside(folder: Path) -> None:
    """From now on modules in a folder are found by their names, after all others."""
    finder = next((f for f in sys.meta_path if isinstance(f, Beside)), None)
    if finder is None:
        finder = Beside()
        sys.meta_path.append(finder)
    if (name := str(folder.resolve())) not in finder.folders:
        finder.folders.append(name)


@cache
def _reserved() -> frozenset[str]:
    """Names of Python's own modules, and of libraries, which may not be installed."""
    needs = (registry.declared(b, None, "REQUIRES", ()) for b in registry.names("backends"))
    return sys.stdlib_module_names | {name for each in needs for name in each}
