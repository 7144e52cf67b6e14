"""The reference: commands as typer declares them, the names of the package, and the files that say what one is."""

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

from neuron_pages import cell, prose

import spikebench

WIDE = 88
ITEMS = ("neuron", "backend", "metric", "network", "task", "claim")  # each has a file that says what one is
HELD = ("cases.point", "cases.case", "cases.subject", "records.record")  # what is measured, and what was


def commands(group: Any) -> Iterator[str]:
    """The commands with their arguments and options."""
    yield "# Command line\n\n`spikebench COMMAND --help` prints the same. Exit codes: 0 finished, 1 a verdict failed or nothing was measured, 2 bad usage, 130 interrupted.\n"
    for name, command in sorted(group.commands.items()):
        context = command.make_context(name, [], resilient_parsing=True)
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"## {name}\n\n    spikebench {name} {usage}\n\n{inspect.cleandoc(command.help or '')}\n"
        rows = [p for p in command.params if p.name != "help"]
        if rows:
            yield "| option | what it does | default |\n| --- | --- | --- |"
        for p in rows:
            words = p.name.upper() if p.param_type_name == "argument" else ", ".join([*p.opts, *p.secondary_opts])
            default = "" if p.default in (None, (), False) or callable(p.default) else f"`{p.default}`"
            yield f"| `{cell(words)}` | {cell(getattr(p, 'help', None) or '')} | {cell(default)} |"
        yield ""


def names() -> Iterator[str]:
    """The public names of the package, then the files that say what one is."""
    yield "# Python\n\n    import spikebench as sb\n\nEverything that a command does is a function here."
    yield "What [one of each kind](#what-one-is) is, stands below.\n"
    for name in spikebench.__all__:
        found = getattr(spikebench, name)
        if callable(found):
            yield f"## sb.{name}\n\n```python\n{signature(name, found)}\n```\n\n{prose(inspect.getdoc(found) or '')}\n"
    yield "## What one is\n\nWhoever adds a neuron, a backend, a metric, a network, a task or a claim writes one file; these say what it holds.\n"
    for name in ITEMS:
        yield from _module(name)
    yield "## Cases and records\n\nWhat is measured, and what a process gave. Neither needs torch.\n"
    for name in HELD:
        yield from _module(name)


def _module(name: str) -> Iterator[str]:
    """A module with the classes and functions that are its own."""
    module = importlib.import_module(f"spikebench.{name}")
    yield f"### spikebench.{name}\n\n{prose(inspect.getdoc(module) or '')}\n"
    for key, value in vars(module).items():
        own = getattr(value, "__module__", "") == module.__name__ and not key.startswith("_")
        if own and (inspect.isclass(value) or inspect.isfunction(value)):
            yield f"```python\n{signature(key, value)}\n```\n\n{prose(inspect.getdoc(value) or '')}\n"


def signature(name: str, found: Any) -> str:
    """A call with its parameters, one a line where they would not fit on one."""
    try:
        said = inspect.signature(found)
    except ValueError:  # an exception has none
        return f"{name}(message)"
    text = f"{name}{said}"
    if len(text) > WIDE:
        head, _, tail = text.rpartition(")")
        parts = list(map(str, said.parameters.values()))
        kinds = [p.kind for p in said.parameters.values()]
        if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
            parts.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
        text = f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){tail}" if head else text
    text = re.sub(r"<function [^>]+>", "…", text)  # a default that is a function: its address is another in every build
    return re.sub(r"\b(?:\w+\.)+(?=[A-Z])", "", text)  # pandas.core.frame.DataFrame as DataFrame
