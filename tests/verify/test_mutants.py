"""Every neuron with one thing wrong must fail its tests: a sign, a decay, an index, a comparison.

It takes minutes: `pytest tests/verify/test_mutants.py --mutants`. SURVIVORS holds what no test can catch, with the reason.
"""

import ast
import importlib.util
import inspect
import itertools
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from spikebench import neurons, registry
from tests.neurons import test_neurons

SURVIVORS: dict[str, dict[str, str]] = {
    "newton_lif": {
        "resolved < steps → resolved <= steps in rest, start = (resolved < steps, int(resolved.mi": (
            "a series that is resolved to its end has no step left to be redone"
        ),
    },
    "s5_rf": {
        "torch.ones_like(decay) → torch.ones_like(decay * 0.99) in return (decay, (decay - 1) / rate if self.discre": (
            "what is all ones has nothing of the decay but its shape"
        ),
        "-1j → +1j in return torch.linalg.eigvalsh(-1j * (normal - tor": (
            "the eigenvalues of a real skew matrix come in pairs ±, and are sorted"
        ),
        "normal - torch.diag(normal.diagonal()) → normal + torch.diag(normal.diagonal())"
        " in return torch.linalg.eigvalsh(-1j * (normal - tor": (
            "eigvalsh takes the diagonal of normal/i as real, which is 0 then"
        ),
    },
    "spike_sampler": {
        "-1j → +1j in frequency, basis = torch.linalg.eigh(skew * -1j)": (
            "the other half of each conjugate pair: with its conjugates, the same sum"
        ),
        "-1 → +1 in if self.ssm == 's4d':": "shape[-1] of the matrix [N, S, S]",
        **dict.fromkeys(
            (
                "frequency < 0 → frequency <= 0 in half = basis[:, frequency < 0].mH",
                "frequency < 0 → frequency <= 0 in a = torch.complex(torch.full_like(frequency[freq",
            ),
            "the skew matrix of an even state has no frequency 0",
        ),
        **dict.fromkeys(
            (
                "-torch.tril(root[:, None] * root[None]) + torch.diag(index) → "
                "-torch.tril(root[:, None] * root[None]) - torch.diag(index)"
                " in legs = -torch.tril(root[:, None] * root[None]) +",
                "legs + low_rank[:, None] * low_rank[None] + torch.eye(state, dtype=torch.float64) / 2 → "
                "legs + low_rank[:, None] * low_rank[None] - torch.eye(state, dtype=torch.float64) / 2"
                " in skew = legs + low_rank[:, None] * low_rank[None]",
            ),
            "the real diagonal of the skew part is 0, and eigh takes the diagonal of skew/i as real",
        ),
    },
}
SECONDS = 60  # a mutant may loop for ever
OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
}


def mutants(path: Path) -> Iterator[tuple[str, ast.Module]]:
    """(what is wrong, the module with it) for every place in the file's functions."""
    source = path.read_text()
    for number in itertools.count():
        tree = ast.parse(source)
        places = [(owner, *place) for owner in _bodies(tree) for place in _places(owner)]
        if number == len(places):
            return
        owner, node, field, index, wrong = places[number]
        before, where = ast.unparse(node), ast.unparse(owner).splitlines()[0]
        if index is None:
            setattr(node, field, wrong)
        else:
            getattr(node, field)[index] = wrong
        yield f"{before} → {ast.unparse(ast.fix_missing_locations(node))} in {where[:48]}", tree


def _bodies(tree: ast.Module) -> list[ast.stmt]:
    """Statements of functions; not their docstrings, nor what only refuses bad options."""
    functions = [f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef)]
    found = {id(s): s for f in functions for s in f.body if not isinstance(s, ast.FunctionDef) and not _docstring(s)}
    return [s for s in found.values() if not any(isinstance(n, ast.Raise) for n in ast.walk(s))]


def _docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _places(statement: ast.stmt) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """(node, field, index in it, what to put there): each is one mutant."""
    for node in ast.walk(statement):
        if isinstance(node, ast.BinOp) and type(node.op) in OTHER:
            yield node, "op", None, OTHER[type(node.op)]()
        if isinstance(node, ast.Compare):
            for i, op in enumerate(node.ops):
                if type(op) in OTHER:
                    yield node, "ops", i, OTHER[type(op)]()
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield node, "op", None, ast.UAdd()
        if isinstance(node, ast.Subscript):
            for field in ("lower", "upper"):
                if isinstance(node.slice, ast.Slice) and (bound := getattr(node.slice, field)) is not None:
                    yield node.slice, field, None, ast.BinOp(bound, ast.Add(), ast.Constant(1))
        for field, value in ast.iter_fields(node):
            for i, child in enumerate(value if isinstance(value, list) else [value]):
                named = getattr(child, "attr", getattr(child, "id", ""))
                loaded = isinstance(getattr(child, "ctx", None), ast.Load)
                if "decay" in str(named) and loaded and isinstance(node, ast.BinOp | ast.Call | ast.keyword):
                    wrong = ast.BinOp(child, ast.Mult(), ast.Constant(0.99))
                    yield node, field, i if isinstance(value, list) else None, wrong


@contextmanager
def in_place(name: str, tree: ast.Module) -> Iterator[None]:
    """The neuron's module is the mutant for a while."""
    full = f"{neurons.__name__}.{name}"
    spec = importlib.util.find_spec(full)
    assert spec is not None
    right, wrong = importlib.import_module(full), importlib.util.module_from_spec(spec)
    sys.modules[full] = wrong
    setattr(neurons, name, wrong)
    try:
        exec(compile(tree, str(spec.origin), "exec"), vars(wrong))
        yield
    finally:
        sys.modules[full] = right
        setattr(neurons, name, right)


def asked_of(name: str) -> Iterator[Callable[[], None]]:
    """What test_neurons asks of this neuron, then all of its own file; only tests that take no fixtures."""
    yield from _calls(test_neurons, name)
    own = Path(__file__).parents[1] / "neurons" / f"test_{name}.py"
    if own.exists():
        spec = importlib.util.spec_from_file_location(f"mutated_{own.stem}", own)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield from _calls(module, None)


def _calls(module: ModuleType, name: str | None) -> Iterator[Callable[[], None]]:
    for key, function in list(vars(module).items()):
        if not key.startswith("test_"):
            continue
        marks = [m for m in getattr(function, "pytestmark", []) if m.name == "parametrize"]
        for chosen in itertools.product(*(_given(m.args[0], m.args[1]) for m in marks)):
            given: dict[str, Any] = {k: v for part in chosen for k, v in part.items()}
            if given.keys() == inspect.signature(function).parameters.keys() and given.get("name", name) == name:
                yield lambda function=function, given=given: function(**given)


def _given(names: str | tuple[str, ...], values: list[Any]) -> list[dict[str, Any]]:
    keys = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
    return [dict(zip(keys, v if len(keys) > 1 else [v], strict=True)) for v in values]


def survives(name: str, tree: ast.Module) -> bool:
    def late(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        with in_place(name, tree):
            for test in asked_of(name):
                test()
    except Exception:  # noqa: BLE001  # a mutant may fail in any way; failing is what is asked of it
        return False
    finally:
        signal.alarm(0)
    return True


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", registry.names("neurons"))
def test_what_is_wrong_is_caught(name: str, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--mutants"):
        pytest.skip("takes minutes: give --mutants")
    path = Path(str(neurons.__file__)).parent / f"{name}.py"
    assert not survives(name, ast.parse("raise RuntimeError")) and survives(name, ast.parse(path.read_text()))
    found = list(mutants(path))
    alive = {text for text, tree in found if survives(name, tree)}
    assert alive == SURVIVORS.get(name, {}).keys(), f"of {len(found)}"
