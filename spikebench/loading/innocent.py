"""Reads a submitted neuron's file without running it: which modules it imports, and which names it may not use.

That is a filter for what nobody needs, not a proof: what runs is watched and shut in, see `host/enclosure.py`.
"""

import ast
from collections.abc import Iterator

ALLOWED = frozenset(
    (
        *("torch", "numpy", "math", "cmath", "typing", "dataclasses", "collections", "functools", "itertools", "enum"),
        *("abc", "__future__", "types", "operator", "numbers", "triton", "numba", "spikebench"),
        *("spikingjelly", "snntorch", "norse", "sinabs", "einops"),
    )
)
FORBIDDEN = frozenset(
    (
        *("eval", "exec", "compile", "__import__", "open", "input", "breakpoint", "globals", "vars", "__builtins__"),
        *("Event", "perf_counter", "monotonic", "process_time", "elapsed_time", "time_ns", "Timer", "benchmark", "_os"),
        *("os", "sys", "ctypes", "subprocess", "socket", "load_library", "load_inline", "__subclasses__", "f_back"),
    )
)


def suspicious(text: str, name: str) -> str | None:
    """The first line of a file that imports or uses what no neuron needs, with why; None if there is none."""
    try:
        tree = ast.parse(text, name)
    except (SyntaxError, ValueError, RecursionError) as error:
        return f"{name} is not Python: {type(error).__name__}: {error}"
    return next((f"{name}:{line} {why}" for line, why in sorted(_found(tree))), None)


def _found(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names]
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else names
            for module in modules:
                if (isinstance(node, ast.ImportFrom) and node.level) or module.split(".")[0] not in ALLOWED:
                    yield (
                        node.lineno,
                        f"imports {module or 'from its folder'}: a neuron reads no clock, file or network",
                    )
            for word in {w for n in (*names, *modules) for w in n.split(".")} & FORBIDDEN:
                yield node.lineno, f"imports {word}"
        word = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if word in FORBIDDEN:
            yield getattr(node, "lineno", 0), f"uses {word}, which no neuron needs"
