"""Reads what a file declares from its syntax, without importing it: literals, options with their defaults, its title."""

import ast
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from spikebench.errors import Problem


@dataclass(frozen=True)
class Option:
    """One keyword of a neuron's constructor or a backend's `run`: its default and, if closed, its choices.

    `within` is the interval that its values lie in, as "[0, 1]"; see `units.Interval`.
    """

    default: Any
    choices: tuple[Any, ...] = ()
    type_name: str = ""
    within: str = ""


@dataclass(frozen=True)
class Attributes:
    """What a neuron's class declares, with the defaults of `Neuron`; neuron.py says what each means."""

    reference: str = ""
    reset_kind: str = "none"
    stochastic: bool = False
    causal: bool = True
    parallel_in_time: bool = False
    stepwise: bool = False
    coupled: bool = False
    verified: bool = True
    fixed_length: bool = False
    approximates: str | None = None
    approximates_where: dict[str, str] = field(default_factory=dict)
    gradient_reference: str | None = None
    surrogate_membrane: bool = False
    per_neuron: tuple[str, ...] = ()
    LATER: tuple[str, ...] = ()
    LONGEST_T: int | None = None
    operations: dict[str, float | str] = field(default_factory=dict)
    state_words: float | str = 0
    state_writes: float | str | None = None


@dataclass(frozen=True)
class Facts:
    """What a neuron's file declares: attributes, options with defaults, the first line of its docstring."""

    title: str
    attributes: Attributes = field(default_factory=Attributes)
    options: dict[str, Option] = field(default_factory=dict)
    wants: tuple[str, ...] = ()  # constructor arguments that the workload gives: n, T
    stepped: bool = False


Need = tuple[Mapping[str, Any], str, tuple[Any, ...], str]


@dataclass(frozen=True)
class Limits:
    """What a neuron can be set to. `can` has the values of an option, and of an option without any there is every value.

    Each of `needs` says more where other options have these values: which, an option, its values there, and the reason.
    """

    can: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    needs: tuple[Need, ...] = ()

    @property
    def names(self) -> set[str]:
        """The options of which something is said."""
        return {*self.can, *(name for _, name, _, _ in self.needs), *(k for where, *_ in self.needs for k in where)}

    def values(self, name: str) -> list[Any]:
        """The values of an option that are named anywhere."""
        wheres = [where[name] for where, *_ in self.needs if name in where]
        return [*self.can.get(name, ()), *wheres, *(v for _, n, values, _ in self.needs if n == name for v in values)]

    def lacking(self, have: Mapping[str, Any]) -> str | None:
        """The first of these values that there is not, as "no slope=2.0; it has 1.0"; None if there are all."""
        for name, values in self.can.items():
            if name in have and have[name] not in values:
                return f"no {name}={have[name]}; it has {', '.join(map(str, values))}"
        for where, name, values, why in self.needs:
            if all(have.get(k) == v for k, v in where.items()) and have[name] not in values:
                there = ", ".join(f"{k}={v}" for k, v in where.items())
                return f"no {name}={have[name]} with {there}, but {', '.join(map(str, values))}: {why}"
        return None


@lru_cache(maxsize=256)
def class_facts(path: Path, class_name: str | None, like: str = "") -> Facts:
    """Facts of one class in a file: `class_name`, or the class whose name is `like` without case and underscores."""
    chain = _lineage(path, class_name, like)
    known = {f.name for f in fields(Attributes)}
    attributes = Attributes()
    init: ast.FunctionDef | None = None
    aliases: dict[str, ast.expr] = {}
    for tree, node in reversed(chain):
        aliases |= _aliases(tree)
        attributes = replace(attributes, **{k: v for k, v in _literals(node.body) if k in known})
        init = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), init)
    options, wants = _signature(init, aliases) if init else ({}, ())
    title = (ast.get_docstring(chain[0][1]) or ast.get_docstring(chain[0][0]) or "").split("\n")[0].rstrip(":")
    stepped = any(node.name == "SteppedNeuron" for _, node in chain)
    return Facts(title, attributes, options, wants, stepped)


def function_options(path: Path, name: str) -> dict[str, Option] | None:
    """Keyword options of a function at the top of a file, with their defaults; None if it has no such function."""
    tree = _parse(path)
    found = next((f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == name), None)
    return None if found is None else _signature(found, _aliases(tree))[0]


def function_title(path: Path, name: str) -> str:
    """The first line of the docstring of a function at the top of a file, "" if it has none."""
    found = next((f for f in _parse(path).body if isinstance(f, ast.FunctionDef) and f.name == name), None)
    return "" if found is None else (ast.get_docstring(found) or "").split("\n")[0]


def module_literals(path: Path) -> dict[str, Any]:
    """Literal names assigned at the top of a file, and `title`, the first line of its docstring."""
    return dict(_module_literals(path))


@lru_cache(maxsize=256)
def _module_literals(path: Path) -> dict[str, Any]:
    tree = _parse(path)
    return {"title": (ast.get_docstring(tree) or "").split("\n")[0], **dict(_literals(tree.body))}


@lru_cache(maxsize=256)
def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise Problem(f"{path.name} does not parse: line {error.lineno}: {error.msg}") from error
    except ValueError as error:
        raise Problem(f"{path.name} does not parse: {error}") from error
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


def _literals(body: Iterable[ast.stmt]) -> Iterator[tuple[str, Any]]:
    for n in body:
        target = n.target if isinstance(n, ast.AnnAssign) else n.targets[0] if isinstance(n, ast.Assign) else None
        value = n.value if isinstance(n, ast.AnnAssign | ast.Assign) else None
        if isinstance(target, ast.Name) and value is not None and not target.id.startswith("_"):
            try:
                yield target.id, ast.literal_eval(value)
            except ValueError:
                continue


def _aliases(tree: ast.Module) -> dict[str, ast.expr]:
    """Names that stand for a Literal[...] or an Annotated[...] in a file, followed through imports of ours."""
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
            options[arg.arg] = Option(value, *_declared(arg.annotation, aliases))
    return options, tuple(wants)


def _declared(annotation: ast.expr | None, aliases: dict[str, ast.expr]) -> tuple[tuple[Any, ...], str, str]:
    """What an annotation says: the choices of a Literal, the name of the type, the interval of Annotated[float, "[0, 1]"]."""
    if isinstance(annotation, ast.BinOp):  # a type or None
        _, name, within = _declared(annotation.left, aliases)
        return (), f"{name} | {ast.unparse(annotation.right)}", within
    meant = aliases.get(annotation.id, annotation) if isinstance(annotation, ast.Name) else annotation
    name = "" if annotation is None else ast.unparse(annotation)
    if not isinstance(meant, ast.Subscript):
        return (), name, ""
    kind = ast.unparse(meant.value).split(".")[-1]
    if kind == "Literal":
        value = ast.literal_eval(meant.slice)
        return value if isinstance(value, tuple) else (value,), name, ""
    if kind == "Annotated" and isinstance(meant.slice, ast.Tuple):
        return (), ast.unparse(meant.slice.elts[0]), ast.literal_eval(meant.slice.elts[1])
    return (), name, ""
