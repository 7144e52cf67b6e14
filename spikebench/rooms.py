"""The rooms: which ids are in one, and what their files declare, read without importing them.

A neuron, backend, metric, task or claim is a file; its name is its id. Facts are literals in that file.
"""

import ast
import difflib
import importlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any


class Problem(ValueError):
    """Bad input; the message is one line: what was asked, what there is, what to do."""


def canonical(name: str) -> str:
    """The id a person means: `-` and `_` are the same."""
    return name.strip().replace("-", "_")


def folders(room: str) -> list[Path]:
    """The folders of a room (more than one only when the package path was extended)."""
    return [Path(p) for p in importlib.import_module(f"spikebench.{room}").__path__]


def names(room: str) -> list[str]:
    """Ids in a room, sorted: its Python files and packages whose name does not start with an underscore."""
    found: set[str] = set()
    for folder in folders(room):
        for path in folder.iterdir():
            if path.name.startswith(("_", ".")):
                continue
            if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py"))):
                found.add(path.stem)
    return sorted(found)


def find(room: str, name: str) -> str:
    """The id in `room` that `name` means; Problem with the nearest ones if there is none."""
    wanted, there = canonical(name), names(room)
    if wanted not in there:
        near = difflib.get_close_matches(wanted, there, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise Problem(f"no {room.removesuffix('s')} {name!r}; there are {', '.join(there)}{hint}")
    return wanted


def installed(neuron: str) -> str | None:
    """The `package.module:Class` that an installed package offers under the entry points `spikebench.neurons`."""
    if canonical(neuron) in names("neurons"):
        return None
    there = metadata.entry_points(group="spikebench.neurons")
    return next((e.value for e in there if canonical(e.name) == canonical(neuron)), None)


@dataclass(frozen=True)
class Option:
    """One keyword of a neuron's constructor or a backend's `run`: its default and, if closed, its choices."""

    default: Any
    choices: tuple[Any, ...] = ()
    type_name: str = ""


@dataclass(frozen=True)
class Facts:
    """What a file declares: literal attributes, options with defaults, the first line of its docstring."""

    title: str
    attributes: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Option] = field(default_factory=dict)
    wants: tuple[str, ...] = ()  # constructor arguments that the workload gives: n, T
    stepped: bool = False


def facts(neuron: str) -> Facts:
    """Facts of a neuron id, read from its file by syntax alone."""
    return class_facts(file("neurons", neuron), None, neuron)


@lru_cache(maxsize=256)
def class_facts(path: Path, class_name: str | None, like: str = "") -> Facts:
    """Facts of one class in a file: `class_name`, or the class whose name is `like` without case and underscores."""
    chain = _lineage(path, class_name, like)
    attributes: dict[str, Any] = {}
    init: ast.FunctionDef | None = None
    aliases: dict[str, ast.expr] = {}
    for tree, node in reversed(chain):
        aliases |= _aliases(tree)
        attributes |= _literals(node.body)
        init = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), init)
    options, wants = _signature(init, aliases) if init else ({}, ())
    title = (ast.get_docstring(chain[0][1]) or ast.get_docstring(chain[0][0]) or "").split("\n")[0].rstrip(":")
    stepped = any(node.name == "SteppedNeuron" for _, node in chain)
    return Facts(title, attributes, options, wants, stepped)


def backends(neuron: str) -> list[str]:
    """Backends that can compute a neuron, by the files that exist."""
    return [b for b in names("backends") if backend_file(b, neuron) is not None]


def backend_file(backend: str, neuron: str) -> Path | None:
    """The file of a backend for a neuron: backends/<backend>/<neuron>.py, or backends/<backend>.py for all of them."""
    for folder in folders("backends"):
        if (own := folder / backend / f"{neuron}.py").exists():
            return own
        shared = folder / f"{backend}.py"
        if shared.exists() and (not module_literals(shared).get("STEPPED_ONLY") or facts(neuron).stepped):
            return shared
    return None


def backend_options(backend: str, neuron: str) -> dict[str, Option]:
    """Keyword options of the backend's `run` for a neuron."""
    path = backend_file(backend, neuron)
    if path is None:
        raise Problem(f"no backend {backend!r} for {neuron!r}; there are {', '.join(backends(neuron))}")
    tree = _parse(path)
    run = next((f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == "run"), None)
    if run is None:
        raise Problem(f"backend {backend!r} has no run() for {neuron!r}: write one in {path.name}")
    return {k: v for k, v in _signature(run, _aliases(tree))[0].items() if k != "seed"}


def backend_later(backend: str, neuron: str) -> tuple[str, ...]:
    """Options that a backend got after cases of it were recorded: `LATER` in its file."""
    path = backend_file(backend, neuron)
    return () if path is None else tuple(module_literals(path).get("LATER", ()))


def parallel(neuron: str, backend: str) -> bool:
    """Whether a backend says that it computes all steps of a neuron at once: its operators do not grow with T.

    Fused kernels say nothing: they are one operator whatever goes on inside.
    """
    declared = facts(neuron).attributes
    if backend == "eager":
        return declared["parallel_in_time"] and not declared["stepwise"]
    package = next((p for d in folders("backends") if (p := d / backend / "__init__.py").exists()), None)
    says = package is not None and module_literals(package).get("PARALLEL_IN_TIME", False)
    return bool(declared["parallel_in_time"] and says and backend in backends(neuron))


def module_literals(path: Path) -> dict[str, Any]:
    """Literal names assigned at the top of a file, and `title`, the first line of its docstring."""
    tree = _parse(path)
    return {"title": (ast.get_docstring(tree) or "").split("\n")[0]} | _literals(tree.body)


def describe(room: str) -> list[dict[str, Any]]:
    """One row per id in a room, for `list`."""
    rows: list[dict[str, Any]] = []
    for name in names(room):
        if room == "neurons":
            f = facts(name)
            rows.append({"id": name, "title": f.title, "backends": backends(name), **f.attributes})
        else:
            path = next((p for d in folders(room) if (p := d / f"{name}.py").exists()), None)
            rows.append({"id": name, **(module_literals(path) if path else _package(room, name))})
    return rows


def _package(room: str, name: str) -> dict[str, Any]:
    folder = next(d / name for d in folders(room) if (d / name).is_dir())
    title = module_literals(folder / "__init__.py")["title"] if (folder / "__init__.py").exists() else ""
    inside = sorted(p.stem for p in folder.glob("*.py") if p.stem in names("neurons"))
    return {"title": title, "neurons": inside}


def file(room: str, name: str) -> Path:
    """The file of an id in a room."""
    found = find(room, name)
    return next(p for d in folders(room) if (p := d / f"{found}.py").exists())


@lru_cache(maxsize=256)
def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text())
    except SyntaxError as error:
        raise Problem(f"{path.name} does not parse: line {error.lineno}: {error.msg}") from error
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror}") from error


def _lineage(path: Path, class_name: str | None, like: str = "") -> list[tuple[ast.Module, ast.ClassDef]]:
    """A class and its bases as far as they are ours, nearest first."""
    tree = _parse(path)
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef)]
    flat = like.replace("_", "")
    node = next((c for c in classes if (c.name == class_name if class_name else c.name.lower() == flat)), None)
    if node is None:
        there = ", ".join(c.name for c in classes) or "none"
        raise Problem(f"no class {class_name or like!r} in {path.name}; there are {there}")
    chain = [(tree, node)]
    for base in node.bases:
        where = _import_of(tree, path, ast.unparse(base))
        if where is not None:
            chain += _lineage(where, ast.unparse(base))
    return chain


def _import_of(tree: ast.Module, path: Path, name: str) -> Path | None:
    if any(isinstance(n, ast.ClassDef) and n.name == name for n in tree.body):
        return path
    for n in tree.body:
        if isinstance(n, ast.ImportFrom) and (n.module or "").startswith("spikebench."):
            if any((a.asname or a.name) == name for a in n.names):
                spec = importlib.util.find_spec(n.module or "")
                return Path(spec.origin) if spec and spec.origin else None
    return None


def _literals(body: Iterable[ast.stmt]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for n in body:
        target = n.target if isinstance(n, ast.AnnAssign) else n.targets[0] if isinstance(n, ast.Assign) else None
        value = n.value if isinstance(n, ast.AnnAssign | ast.Assign) else None
        if isinstance(target, ast.Name) and value is not None and not target.id.startswith("_"):
            try:
                found[target.id] = ast.literal_eval(value)
            except ValueError:
                continue
    return found


def _aliases(tree: ast.Module) -> dict[str, ast.expr]:
    """Names that stand for a Literal[...] in a file, followed through imports of ours."""
    found: dict[str, ast.expr] = {}
    for n in tree.body:
        if isinstance(n, ast.Assign) and isinstance(n.value, ast.Subscript) and isinstance(n.targets[0], ast.Name):
            found[n.targets[0].id] = n.value
        if isinstance(n, ast.ImportFrom) and (n.module or "").startswith("spikebench."):
            spec = importlib.util.find_spec(n.module or "")
            if spec and spec.origin and spec.origin.endswith(".py"):
                there = _aliases_here(Path(spec.origin))
                found |= {a.asname or a.name: there[a.name] for a in n.names if a.name in there}
    return found


def _aliases_here(path: Path) -> dict[str, ast.expr]:
    return {
        n.targets[0].id: n.value
        for n in _parse(path).body
        if isinstance(n, ast.Assign) and isinstance(n.value, ast.Subscript) and isinstance(n.targets[0], ast.Name)
    }


def _signature(f: ast.FunctionDef, aliases: dict[str, ast.expr]) -> tuple[dict[str, Option], tuple[str, ...]]:
    """Keyword options of a function with literal defaults, and the arguments without one."""
    options: dict[str, Option] = {}
    wants: list[str] = []
    plain = f.args.args[-len(f.args.defaults) :] if f.args.defaults else []
    pairs = [*zip(plain, f.args.defaults, strict=True), *zip(f.args.kwonlyargs, f.args.kw_defaults, strict=True)]
    wants += [a.arg for a in f.args.args if a not in plain and a.arg != "self"]
    for arg, default in pairs:
        if arg.arg in ("n", "N", "T"):
            wants.append(arg.arg)
        elif default is None:
            wants.append(arg.arg)
        else:
            try:
                value = ast.literal_eval(default)
            except ValueError:
                continue
            options[arg.arg] = Option(value, _choices(arg.annotation, aliases), _type_name(arg.annotation))
    return options, tuple(wants)


def _choices(annotation: ast.expr | None, aliases: dict[str, ast.expr]) -> tuple[Any, ...]:
    if isinstance(annotation, ast.Name):
        annotation = aliases.get(annotation.id)
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).split(".")[-1] == "Literal":
        value = ast.literal_eval(annotation.slice)
        return value if isinstance(value, tuple) else (value,)
    return ()


def _type_name(annotation: ast.expr | None) -> str:
    return "" if annotation is None else ast.unparse(annotation)
