"""Make a subject: a neuron of ours bound to a backend, or somebody's module from a file or package."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

import spikebench
from spikebench import neurons
from spikebench.backend import Bound
from spikebench.backend import module as backend_module
from spikebench.cases.arguments import asked
from spikebench.cases.subject import ANYWHERE, PICKLED, Subject, foreign_file, parse_subject, there
from spikebench.errors import Problem
from spikebench.loading import pickles
from spikebench.loading.detect import FAILURES, Detective, Found
from spikebench.loading.folders import beside
from spikebench.loading.foreign import Adapted, contained, make
from spikebench.loading.remedies import Remedied, imported
from spikebench.neuron import Neuron
from spikebench.units import Count

FOLDERS = [Path(folder) for package in (spikebench, neurons) for folder in package.__path__]  # of our definitions


def definition(subject: Subject, n: int, T: int) -> Neuron:
    """The neuron of a subject as its definition, freshly made for n neurons and T steps, in float32 on the CPU."""
    module = importlib.import_module(f"spikebench.neurons.{subject.name}")
    flat = subject.name.replace("_", "")
    found = next(c for name, c in vars(module).items() if name.lower() == flat and inspect.isclass(c))
    return cast(Neuron, make(found, subject.options, subject.name, n, T).module)


def load(subject: Subject, n: int, T: int, dtype: torch.dtype, device: str) -> nn.Module:
    """The module that is measured: [T, B, n] → [T, B, n], constants and parameters rounded to `dtype`.

    Raises Problem if it cannot be built, Refused if its backend cannot be loaded. A foreign subject's code is executed.
    """
    if subject.foreign:
        with contained(), imported(subject.remedy):
            made = make(_foreign(subject), subject.options, subject.name, n, T).module.to(device, dtype)
        if subject.remedy:
            return Remedied(Adapted(made, subject.way), subject.remedy)
        if subject.backend != "eager":
            return backend_module(subject.backend, subject.name).foreign(Adapted(made, subject.way))
        bare = not any(callable(v) and not isinstance(v, nn.Module | torch.Tensor) for v in vars(made).values())
        return made if isinstance(made, Neuron) and ours(type(made)) and bare else Adapted(made, subject.way)
    neuron = definition(subject, n, T).rounded(dtype).to(device)
    return Bound(neuron, subject.backend, subject.name, subject.how)


@asked
def neuron(
    text: str,
    N: Count = 1,
    T: Count = 1,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    unpickle: bool = False,
) -> nn.Module:
    """The subject that `text` names as an ordinary module [T, B, N] → [T, B, N]; see `load`.

    Of `file.pickle:X` a pickle is read, which executes what its writer put there: only with `unpickle`.
    """
    subject = there(parse_subject(text))
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter of a torch without CUDA
        why = str(error).splitlines()[0]
        raise Problem(f"device={device} cannot be used here: {why}") from None
    with pickles.allowed(ANYWHERE if unpickle else None):
        return load(subject, N, T, dtype, device)


def definition_of(module: nn.Module) -> Neuron | None:
    """The definition behind a loaded module, or None if it has none: a class derived from one of ours is somebody's own."""
    found = module.neuron if isinstance(module, Bound) else module
    return found if isinstance(found, Neuron) and ours(type(found)) else None


def ours(kind: type) -> bool:
    """Whether a class stands in a file of spikebench.

    A class of somebody's that derives from one of ours computes what it likes, and would be compared with itself.
    """
    home = sys.modules.get(kind.__module__)
    if home is None or not kind.__module__.startswith("spikebench.") or getattr(home, kind.__name__, None) is not kind:
        return False
    return any(Path(home.__file__ or "").is_relative_to(folder) for folder in FOLDERS)


def find_way(
    subject: Subject, n: int, lengths: Sequence[int], shortest: int = 12, device: str = "cpu"
) -> tuple[Found, str, dict[str, int]]:
    """How a foreign module is to be called, how it was made, and the sizes that it holds to, if it does.

    Raises Problem if no way gives spikes of the input's shape. The module is called, on small inputs.
    """
    with contained():
        source = _foreign(subject)
    fixed, error = isinstance(source, nn.Module), None
    for steps in (shortest, *lengths) if fixed else (shortest,):

        def fresh(width: int = n, steps: int = steps) -> nn.Module:
            torch.manual_seed(0)
            again = _foreign(subject) if fixed else source
            return make(again, subject.options, subject.name, width, steps).module

        try:
            with contained():
                made = make(source, subject.options, subject.name, n, steps).how
                found = Detective(fresh, steps, n, subject.how, device).find()
                free = not fixed and Detective(lambda: fresh(n + 1), steps, n + 1, {}, device).works(found.way)
            return found, made, {} if free else {"n": n, "T": 24 if steps == shortest else steps}
        except Problem as problem:
            error = error or problem
    raise Problem(f"{subject.name}: {error}")


def mistaken(subject: Subject, device: str = "cpu") -> str | None:
    """Why a foreign subject is not called as it wants to be, as far as that shows; None if nothing does."""
    if subject.foreign and not subject.name.rpartition(":")[0].endswith(PICKLED):
        try:
            found = find_way(Subject(subject.name, subject.options), 5, (), shortest=5, device=device)[0]
        except (Problem, *FAILURES):
            return None
        mine = subject.way
        if (found.way.adapter, found.way.layout) != (mine.adapter, mine.layout):
            return f"{found.notes[0]}; write {subject.called(found.way)}"
    return None


def _foreign(subject: Subject) -> Any:
    where, _, name = subject.address.rpartition(":")
    beside(Path.cwd())
    path = foreign_file(subject)
    if path is not None and not path.exists():
        raise Problem(f"no file {where}; name a Python file, or a package as package.module:{name}")
    try:
        if path is not None and path.suffix == PICKLED:
            return pickles.read(path)
        module = importlib.import_module(where) if path is None else _executed(path)
    except ModuleNotFoundError as error:
        raise Problem(f"cannot import {where}: no module {error.name}") from error
    except SyntaxError as error:
        raise Problem(f"{where} does not parse: line {error.lineno}: {error.msg}") from error
    if not hasattr(module, name):
        there = [k for k, v in vars(module).items() if inspect.isclass(v) and issubclass(v, nn.Module)]
        raise Problem(f"no {name} in {where}; its modules are {', '.join(there) or 'none'}")
    return getattr(module, name)


def _executed(path: Path) -> Any:
    """The module of a file, executed. Modules that lie beside it are found."""
    spec = importlib.util.spec_from_file_location(f"foreign_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    beside(path.parent)
    spec.loader.exec_module(module)
    return module
