"""What child processes get so that neither the working folder nor a package that cannot be written stands in their way."""

import os
import site
import sysconfig
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def variables() -> dict[str, str]:
    """Environment variables of a child process.

    Python does not look into the working folder for modules (`spikebench.loading.folders` finds those of a subject), and
    finds this spikebench where that is not installed. numba keeps compiled kernels in a folder of ours where it cannot
    keep them beside the source.
    """
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": _path(os.environ.get("PYTHONPATH", "")), **_numba()}


def _path(given: str) -> str:
    """PYTHONPATH without the working folder, which is there only for the sake of subjects, and with our own if need be."""
    root = str(PACKAGE.parent)
    there = [p for p in given.split(os.pathsep) if p and (Path(p).resolve() != Path.cwd() or _resolved(p) == root)]
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), site.getusersitepackages()}
    first = next((k for k, p in enumerate(there) if (Path(p) / PACKAGE.name / "__init__.py").exists()), len(there))
    ours = root in installed if first == len(there) else _resolved(there[first]) == root
    if not ours:
        there.insert(first, root)  # before another spikebench, which this process does not run either
    return os.pathsep.join(there)


def _resolved(path: str) -> str:
    return str(Path(path).resolve())


def _numba() -> dict[str, str]:
    """Where numba keeps what it compiles, if that cannot be beside the source and nobody has said where."""
    kernels = PACKAGE / "backends" / "cpu"
    if "NUMBA_CACHE_DIR" in os.environ or os.access(kernels, os.W_OK):
        return {}
    for folder in (Path.home() / ".cache", Path(tempfile.gettempdir())):
        own = folder / f"spikebench-{os.getuid()}" / "numba"
        try:
            own.mkdir(0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(own, os.W_OK):
            return {"NUMBA_CACHE_DIR": str(own)}
    return {}
