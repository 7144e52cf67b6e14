"""The operations that a neuron's equation needs in one time step. Its file declares them, as numbers or arithmetic over its options."""

import ast
import operator
from collections.abc import Callable, Mapping

from spikebench.errors import Problem

KINDS = ("mul", "add", "compare", "select", "special", "draw")
_DO: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def per_step(operations: Mapping[str, float | str], sizes: Mapping[str, object]) -> dict[str, float]:
    """Operations of each kind that one neuron does in one step; `sizes` has T, N and the neuron's options."""
    unknown = sorted(set(operations) - set(KINDS))
    if unknown:
        raise Problem(f"no kind of operation {', '.join(unknown)}; there are {', '.join(KINDS)}")
    return {kind: value(operations.get(kind, 0), sizes) for kind in KINDS}


def value(declared: float | str, sizes: Mapping[str, object]) -> float:
    """A declared number: itself, or what its arithmetic gives, as in "3 * state" or "(T + 1) / 2"."""
    if not isinstance(declared, str):
        return float(declared)
    return _value(ast.parse(declared, mode="eval").body, declared, sizes)


def _value(node: ast.expr, text: str, sizes: Mapping[str, object]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name) if isinstance(size := sizes.get(name), int | float):
            return float(size)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _DO:
            return _DO[type(op)](_value(left, text, sizes), _value(right, text, sizes))
    raise Problem(f"{text!r} is no arithmetic over {', '.join(sizes)}: write numbers, names and + - * /")
