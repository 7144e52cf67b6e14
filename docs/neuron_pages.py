"""The page of a neuron: its equations, what it does, its facts and options, its source, what was measured."""

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import equations
import traces
from drawing import shown, themed

from spikebench import registry, units
from spikebench.analysis.select import middle
from spikebench.cases.subject import shown as shown_subject
from spikebench.declarations import Option
from spikebench.neuron import OPTIONS
from spikebench.records.record import Record

LABELS = ("Backward", "State", "Source", "Caveat", "Surrogate", "Start", "Left out", "Here")
BLOCK = "\nOptions:\n"


def files(name: str, records: list[Record]) -> dict[str, str | bytes]:
    """A neuron's page, and its figure for a light and a dark page."""
    found = traces.trace(name)
    figures = {f"neurons/{name}-{theme}.svg": image for theme, image in themed(lambda: traces.figure(found)).items()}
    return {f"neurons/{name}.md": "\n".join(page(name, traces.caption(found), records))} | figures


def page(name: str, caption: str, records: list[Record]) -> Iterator[str]:
    """The lines of the page."""
    facts = registry.facts(name)
    title = (ast.get_docstring(_module(name)) or "").partition("\n")[0]
    yield f"# {name}\n\n{title}\n\n## Equations\n"
    yield prose(docstring(name).partition(BLOCK)[0], set(facts.options))
    yield "\n## What it does\n"
    yield shown(name, f"Input, membrane and spikes of {name} over {traces.STEPS} steps")
    yield f"\n*{caption}*\n\n## Facts\n\n| fact | value |\n| --- | --- |"
    for key, value in vars(facts.attributes).items():
        if key not in ("reference", "LATER") and value not in (None, (), {}, ""):
            yield f"| {key.replace('_', ' ')} | {cell(value)} |"
    yield f"| backends | {', '.join(registry.called(name))} |\n"
    yield from options(name, facts.options, OPTIONS | described(name))
    yield f"\n## Source\n\n```bibtex\n{inspect.cleandoc(facts.attributes.reference)}\n```\n"
    yield from measured(name, records)


def options(subject: str, found: Mapping[str, Option], meaning: Mapping[str, str]) -> Iterator[str]:
    """The table of the options of a neuron or a scheme. They are written in brackets behind `subject`: `lif[reset=hard]`."""
    if not found:
        return
    first, default = next((key, _word(option.default)) for key, option in found.items())
    yield f"## Options\n\nAn option is written in brackets, as in `{subject}[{first}={default}]`.\n"
    yield "| option | what it is | default | values |\n| --- | --- | --- | --- |"
    for key, option in found.items():
        choices = ", ".join(f"`{c}`" for c in option.choices) or cell(
            f"{option.type_name} in {option.within}" if option.within else option.type_name
        )
        yield f"| `{key}` | {cell(meaning[key])} | `{_word(option.default)}` | {choices} |"


def described(name: str) -> dict[str, str]:
    """What a neuron's docstring says of its options, and those of the neurons that it derives from."""
    node = _class(name)
    by_class = {n.replace("_", ""): n for n in registry.names("neurons")}
    found: dict[str, str] = {}
    for base in node.bases if isinstance(node, ast.ClassDef) else ():
        parent = by_class.get(ast.unparse(base).lower())
        found |= described(parent) if parent else {}
    return found | listed(docstring(name))


def listed(text: str) -> dict[str, str]:
    """What a docstring says of each option in its last block."""
    lines = text.partition(BLOCK)[2].splitlines()
    return {key: said for key, _, said in (line.strip().partition(": ") for line in lines)}


def docstring(name: str) -> str:
    """The docstring of a neuron's class, or else of its file."""
    return ast.get_docstring(_class(name)) or ast.get_docstring(_module(name)) or ""


def _module(name: str) -> ast.Module:
    return ast.parse(registry.file("neurons", name).read_text(encoding="utf-8"))


def _class(name: str) -> ast.ClassDef | ast.Module:
    tree, wanted = _module(name), name.replace("_", "")
    return next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name.lower() == wanted), tree)


def prose(text: str, names: set[str] = frozenset()) -> str:  # pyright: ignore[reportArgumentType]  # an empty set is one
    """A docstring as Markdown: what is indented is set as equations, what is named in `names` as code."""
    out: list[str] = []
    for part in re.split(r"\n\s*\n", text):
        lines = part.splitlines()
        while lines:
            indented = lines[0].startswith("    ")
            mine: list[str] = []
            while lines and lines[0].startswith("    ") == indented:
                mine.append(lines.pop(0))
            out.append(equations.block(mine) if indented else _sentences(" ".join(mine), names))
    return "\n\n".join(out)


def _sentences(text: str, names: set[str]) -> str:
    """A paragraph: labels bold, variables with an index as mathematics, the rest safe from Markdown."""
    pieces = re.split(r"(`[^`]*`)", text)
    for k, piece in enumerate(pieces):
        if k % 2 == 0:
            safe = piece.replace("&", "&amp;").replace("<", "&lt;").replace("*", r"\*")
            safe = re.sub(
                r"(?<![\w`])[a-z_]+\[[^\]]*=[^\]]*\](?:@[a-z]+)?",
                lambda subject: f"`{subject[0].replace(' ', '')}`",
                safe,
            )
            safe = re.sub(
                rf"(?<![\w,\[=])({'|'.join(sorted(n for n in names if '_' in n) or ['(?!)'])})(?![\w=])", r"`\1`", safe
            )
            safe = re.sub(rf"(^|\. )({'|'.join(LABELS)}):", r"\1**\2:**", safe)
            pieces[k] = "".join(p if p[:1] == "`" else equations.inline(p) for p in re.split(r"(`[^`]*`)", safe))
    return "".join(pieces)


def measured(name: str, records: list[Record]) -> Iterator[str]:
    """What the committed records of the quick sweep hold of a neuron."""
    rows = [r for r in records if r.case["neuron"] == name and r.case["workload"] == "layer" and r.case["B"] == 4]
    if not rows:
        return
    yield "## Measured\n\n| subject | mode | T | B | N | time | peak memory |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for r in rows:
        shown = [
            units.show(middle(r, k), m.unit) if (m := r.measurement(k)) else "—" for k in ("latency", "peak_memory")
        ]
        cells = [f"`{shown_subject(r.case['subject'])}`", *(str(r.case[k]) for k in ("mode", "T", "B", "N")), *shown]
        yield f"| {' | '.join(cells)} |"
    where = rows[0].environment
    yield f"\nOne process a row, medians of its samples; {where['cpu']}, {where['threads']} threads, PyTorch {where['versions']['torch']}.\n"


def cell(value: Any) -> str:
    """A value as one cell of a Markdown table."""
    if isinstance(value, dict):
        value = [f"{k} {v}" for k, v in value.items()]
    shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return shown.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _word(value: Any) -> str:
    """A default as it is written in a subject."""
    return str(value).lower() if isinstance(value, bool) else str(value)
