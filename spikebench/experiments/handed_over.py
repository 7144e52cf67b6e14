"""The subject of a profile: from text, or from an object in memory that its workers must be handed."""

import ast
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from spikebench.cases.options import read_value
from spikebench.cases.subject import PICKLED, Subject, parse_subject
from spikebench.errors import Problem


def given(text: str, init: Mapping[str, Any] | None, how: Mapping[str, Any]) -> Subject:
    """The subject with constructor arguments and what is said of how it is called."""
    plain = parse_subject(text)
    options = {**plain.options, **(init or {})}
    if not all(map(_plain, options.values())):
        raise Problem(f"init {init}: only numbers, true, false, null and plain words can be written into a subject")
    said = {k: v for k, v in how.items() if v is not None}
    if said and not plain.foreign:
        raise Problem(f"{plain} is a neuron of ours; {', '.join(said)} is for modules of others")
    made = replace(plain, options=options, how=plain.how | said)
    checked = parse_subject(str(made))
    return replace(checked, how=made.how) if plain.foreign else checked  # what is as usual may be said, too


def _plain(value: Any) -> bool:
    """Whether a value is the same after it was written into a subject and read again."""
    if isinstance(value, str):
        return read_value(value) == value and not set("[],=@") & set(value)
    return value is None or isinstance(value, bool | int | float)


def named(subject: Any) -> tuple[str, Any]:
    """The text of a subject, and what must be kept for it: an object in memory is pickled into a folder."""
    if isinstance(subject, str):
        if subject.endswith(".py"):
            raise Problem(_which(Path(subject)))
        return subject, None
    module, name = getattr(subject, "__module__", "__main__"), getattr(subject, "__qualname__", "")
    import cloudpickle
    from torch import nn  # here, so that nobody waits for torch who asks for something else

    home = sys.modules.get(module)
    path = getattr(home, "__file__", None)
    if module != "__main__" and path and getattr(home, name, None) is subject:
        return (f"{module}:{name}" if getattr(home, "__package__", "") else f"{path}:{name}"), None
    if not (isinstance(subject, nn.Module) or callable(subject)):
        raise Problem(
            f"{subject!r} is no subject; give a class, a factory(n), a module, or text like paper.py:MyNeuron"
        )
    folder = tempfile.TemporaryDirectory(prefix="spikebench-")
    label = getattr(subject, "__name__", type(subject).__name__).replace("<lambda>", "factory")
    if home is not None and _own_code(home):
        cloudpickle.register_pickle_by_value(home)
    where = Path(folder.name) / f"{label}{PICKLED}"
    where.write_bytes(cloudpickle.dumps(subject))
    return f"{where}:{label}", folder


def _which(path: Path) -> str:
    """What to say where a file is named without one of its classes: those that it has, read without executing it."""
    if not path.is_file():
        return f"no file {path}; name a Python file and a class of it, as mine.py:Adaptive"
    try:
        there = classes(ast.parse(path.read_text(encoding="utf-8")))
    except (SyntaxError, ValueError) as error:
        return f"{path} does not parse: {error}"
    if not there:
        return f"{path} has no class that is a module; name a function of n as {path}:make"
    return f"{path} is a file: which class of it? there {'is' if len(there) == 1 else 'are'} " + ", ".join(
        f"{path}:{name}" for name in there
    )


def classes(tree: ast.Module) -> list[str]:
    """The classes of a file that can be called as modules: they derive from a Module, or from one that does, or have `forward`."""
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
            forward = any(isinstance(f, ast.FunctionDef) and f.name == "forward" for f in node.body)
            if bases & {"Module", *found} or (forward and "Function" not in bases):
                found.append(node.name)
    return found


def _own_code(module: Any) -> bool:
    """Whether a module is code that a worker may not be able to import: not installed, not the script itself."""
    path = getattr(module, "__file__", None)
    return module.__name__ != "__main__" and path is not None and "site-packages" not in path
