"""Make a subject: a neuron of ours bound to a backend, or somebody's module from a file or package."""

import importlib
import importlib.util
import inspect
import sys
from typing import Any, cast

import torch
from torch import nn

from spikebench.backend import Bound
from spikebench.case import Subject, foreign_file, parse_subject
from spikebench.neuron import Neuron
from spikebench.rooms import Problem


def definition(subject: Subject, n: int, T: int) -> Neuron:
    """The neuron of a subject as its definition, freshly made for n neurons and T steps, in float32 on the CPU."""
    module = importlib.import_module(f"spikebench.neurons.{subject.name}")
    flat = subject.name.replace("_", "")
    found = next(c for name, c in vars(module).items() if name.lower() == flat and inspect.isclass(c))
    return cast(Neuron, _construct(found, subject, n, T))


def load(subject: Subject, n: int, T: int, dtype: torch.dtype, device: str) -> nn.Module:
    """The module that is measured: [T, B, n] → [T, B, n], constants and parameters rounded to `dtype`.

    Raises Problem if it cannot be built, Refused if its backend cannot be loaded. A foreign subject's code is executed.
    """
    if subject.foreign:
        made = _construct(_foreign(subject), subject, n, T)
        if not isinstance(made, nn.Module):
            raise Problem(f"{subject.name} gives a {type(made).__name__}, not a torch.nn.Module")
        return made.to(device, dtype)
    neuron = definition(subject, n, T).rounded(dtype).to(device)
    return Bound(neuron, subject.backend, subject.name, subject.how)


def neuron(text: str, N: int = 1, T: int = 1, dtype: torch.dtype = torch.float32, device: str = "cpu") -> nn.Module:
    """The subject that `text` names as an ordinary module [T, B, N] → [T, B, N]; see `load`."""
    return load(parse_subject(text), N, T, dtype, device)


def definition_of(module: nn.Module) -> Neuron | None:
    """The definition behind a loaded module, or None if it has none."""
    return module.neuron if isinstance(module, Bound) else module if isinstance(module, Neuron) else None


def _foreign(subject: Subject) -> Any:
    where, _, name = subject.name.rpartition(":")
    path = foreign_file(subject)
    try:
        if path is None:
            module = importlib.import_module(where)
        else:
            if not path.exists():
                raise Problem(f"no file {where}; name a Python file, or a package as package.module:{name}")
            spec = importlib.util.spec_from_file_location(f"foreign_{path.stem}", path)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = module
            spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise Problem(f"cannot import {where}: no module {error.name}") from error
    except SyntaxError as error:
        raise Problem(f"{where} does not parse: line {error.lineno}: {error.msg}") from error
    if not hasattr(module, name):
        there = [k for k, v in vars(module).items() if inspect.isclass(v) and issubclass(v, nn.Module)]
        raise Problem(f"no {name} in {where}; its modules are {', '.join(there) or 'none'}")
    return getattr(module, name)


def _construct(factory: Any, subject: Subject, n: int, T: int) -> object:
    """Call a class or factory with the subject's options and, where it asks for them, n and T."""
    parameters = inspect.signature(factory).parameters
    given = dict(subject.options)
    for names, value in ((("n", "N", "num_neurons", "size", "features"), n), (("T", "steps", "seq_len"), T)):
        for name in names:
            if name in parameters and name not in given:
                given[name] = value
                break
    try:
        return factory(**given)
    except (TypeError, ValueError) as error:
        raise Problem(f"cannot make {subject.name} with {given}: {error}") from error
