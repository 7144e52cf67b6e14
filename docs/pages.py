"""Pages that are made when the site is built: neurons from their files and records, the commands, the names, the notebooks."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import spikebench
from spikebench import claim, registry, units
from spikebench.analysis import assessment, bound
from spikebench.analysis.select import middle
from spikebench.records import store
from spikebench.records.flags import Flag
from spikebench.records.record import Record
from spikebench.report import rows as report_rows
from spikebench.report.claim_page import page as claim_page

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results" / "amd-epyc-f25m1-2c"
XEON = ROOT / "results" / "intel-xeon-f6m167-2c"
NOTEBOOKS = ("tour", "explained_4000x", "own_neuron", "reading_results")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file in docs/ holds."""
    from spikebench.cli.app import app

    records = store.load(RESULTS / "quick.jsonl")
    made = {f"neurons/{name}.md": "\n".join(neuron(name, records)) for name in registry.names("neurons")}
    made |= claims(store.load(ROOT / "results" / "*" / "claims.jsonl"))
    made["bound.md"] = "\n".join(bounds(store.load(XEON / "floor.jsonl")))
    made["trainings.md"] = "\n".join(trainings())
    made["cli.md"] = "\n".join(commands(typer.main.get_command(app)))
    made["api.md"] = "\n".join(names())
    for name in NOTEBOOKS:
        book = jupytext.read(ROOT / "notebooks" / f"{name}.py", fmt="py:percent")
        book.metadata = {}
        made[f"notebooks/{name}.md"] = jupytext.writes(book, fmt="md")
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, files: Files) -> str:
    """The table of neurons gets its heading and its links, the glossary a line for every flag and metric."""
    if page.file.src_path == "glossary.md":
        markdown = re.sub(r"<!-- flags:.*?-->", "\n".join(flags()), markdown)
        return re.sub(r"<!-- metrics:.*?-->", "\n".join(metrics()), markdown)
    if page.file.src_path != "neurons.md":
        return markdown
    rows = markdown.splitlines()
    ids = [row.split("|")[1].strip() for row in rows]
    linked = [
        row.replace(f"| {i} |", f"| [{i}](neurons/{i}.md) |", 1) if i in registry.names("neurons") else row
        for i, row in zip(ids, rows, strict=True)
    ]
    return "# Neurons\n\nFacts are declared in each neuron's file and checked by the tests.\n\n" + "\n".join(linked)


def flags() -> Iterator[str]:
    """A table of the flags: what each means and what to do about it."""
    yield "| flag | meaning | what to do |\n| --- | --- | --- |"
    for flag in Flag:
        yield f"| {flag} | {_cell(flag.meaning)} | {_cell(flag.remedy)} |"


def metrics() -> Iterator[str]:
    """A table of the metrics: each with the first line of its docstring."""
    yield "| metric | meaning |\n| --- | --- |"
    for name in registry.names("metrics"):
        title = ast.get_docstring(ast.parse(registry.file("metrics", name).read_text())) or ""
        yield f"| {name} | {_cell(title.partition(chr(10))[0])} |"


def neuron(name: str, records: list[Record]) -> Iterator[str]:
    """The page of a neuron: docstring, facts, options, what was measured."""
    facts = registry.facts(name)
    title, _, rest = _docstring(name).partition("\n")
    yield f"# {name}\n\n{title}\n"
    yield f"```text\n{inspect.cleandoc(rest)}\n```\n" if rest.strip() else ""
    yield "## Facts\n\n| | |\n| --- | --- |"
    for key, value in vars(facts.attributes).items():
        if key != "reference" and value is not None:
            yield f"| {key.replace('_', ' ')} | {_cell(value)} |"
    yield f"| backends | {', '.join(registry.backends(name))} |\n"
    yield "## Options\n\n| option | default | choices |\n| --- | --- | --- |"
    for key, option in facts.options.items():
        yield f"| `{key}` | `{option.default}` | {', '.join(f'`{c}`' for c in option.choices) or _cell(option.type_name)} |"
    yield f"\n## Source\n\n```bibtex\n{inspect.cleandoc(facts.attributes.reference)}\n```\n"
    yield from _measured(name, records)


def claims(records: list[Record]) -> dict[str, str]:
    """A page per claim, judged by the records, and the one that lists them."""
    found = [(c, assessment.assessments(name, c, records)) for name, c in claim.every()]
    lines = [
        "# Claims\n",
        "What papers say, set against the committed records. Most are of machines with two CPU cores and no GPU, where a claim about a",
        "GPU cannot be tested: the figure shows what the ratio is there, at the sizes that its page names. A verdict takes five pairs of",
        "one commit whose interval is narrower than a factor 2. `spikebench reproduce --from FILES` judges the records of another machine.\n",
        "| claim | published | measured | strongest opponent | verdict |\n| --- | ---: | ---: | ---: | --- |",
    ]
    for _, (f, *_) in found:
        cells = (f.claimed, f.shown, f.strong.shown if f.strong else "—", f.verdict)
        lines.append(f"| [{f.claim.replace('_', '-')}](claims/{f.claim}.md) | {' | '.join(map(_cell, cells))} |")
    return {"claims.md": "\n".join(lines) + "\n"} | {
        f"claims/{fs[0].claim}.md": "\n".join(claim_page(f, c) for f in fs) for c, fs in found
    }


def bounds(records: list[Record]) -> Iterator[str]:
    """How far the fused kernels are from a copy of their input, from the committed records."""
    where = records[0].environment
    yield "# Distance to the bandwidth bound\n\nA training step of our fused CPU kernels, set against `out.copy_(x)` of its input into a tensor that is there already, in the same"
    yield "process on the same threads. `x copy` divides by copies that follow one another; `fraction of bound` is the share of the copy"
    yield "bandwidth at which the bytes move that the algorithm must move ([why the two differ](method.md#what-is-in-the-timed-region)). Peak memory is that of one step,"
    yield "over the bytes of the input. Ratios of medians of fresh processes with 95 % t intervals on the logs;"
    yield f"{where['cpu']}, {where['threads']} threads, PyTorch {where['versions']['torch']}. `spikebench show --floor FILES` prints it of yours.\n"
    rows = [row.cells for row in bound.bound_rows(records)]
    yield f"| {' | '.join(rows[0])} |\n|{' --- |' * len(rows[0])}"
    for row in rows:
        yield f"| {' | '.join(f'`{v}`' if k == 'subject' else _cell(v) for k, v in row.items())} |"
    yield ""


TRAININGS = {
    "quick": "Japanese Vowels, as `make bench` trains it.",
    "fsdd": "Spoken digits in frames of 10 ms, T = 100. Lines of the same table had the same recipe and epochs.",
    "fsdd2000": "The same recordings in frames of 0.5 ms, T = 2000, two epochs: the accuracy is that of a beginning.",
    "fsdd70": "Real speech as cochlear spike trains in the layout of SHD, in bins of 4 ms, with a recipe tuned for it. It is not SHD.",
    "fsdd70-paper": "The same spike trains, 1 ms bins, with the network, optimiser and loss that the authors of SPSN take for SHD, two epochs. "
    "For SHD, 700 channels and 8,156 recordings, their result files say: an epoch takes LIF 252.29 s and SPSN-SB 5.51 s; "
    "accuracy 71.4 % and 77.2 %; of 128 neurons 3.2, 5.0 and 13.8 spike in a step with LIF, 63, 53 and 58 with SPSN-SB.",
    "listops": "Nested MIN, MAX, MED and SM of digits, 10 to 2,000 tokens (the Long Range Arena draws 500 to 2,000, and 96,000 of them), the network of "
    "P-SpikeSSM with two blocks of 64. Each neuron had five minutes of training.",
}


def _chance(records: list[Record]) -> str:
    """What always saying the most frequent class would reach, from records that say it."""
    found = {m.detail["majority"] for r in records if (m := r.measurement("accuracy")) and "majority" in m.detail}
    return "".join(f" Always saying the most frequent class would be right in {share:.1%}." for share in sorted(found))


def trainings() -> Iterator[str]:
    """What was trained, from the committed records."""
    yield "# Trainings\n\nNetworks of each neuron, on real speech but for ListOps, on a machine with two CPU cores. Accuracy and time per epoch are means over seeds"
    yield "(of times the geometric one) with their 95 % t intervals; rates are spikes per neuron and step on the test split. `ceiling` is a network with one"
    yield "element-wise pass in the neuron's place: but for noise, no neuron can make an epoch faster than that.\n"
    for name, text in TRAININGS.items():
        records = store.load(RESULTS / f"{name}.jsonl")
        rows = report_rows.trainings(records)
        for task in dict.fromkeys(row["task"] for row in rows):
            yield f"## {name}\n\n{text}{_chance(records)}\n\n`{task}`\n"
            mine = [{k: v for k, v in row.items() if k != "task"} for row in rows if row["task"] == task]
            yield f"| {' | '.join(mine[0])} |\n|{' --- |' * len(mine[0])}"
            for row in mine:
                cells = [row["subject"].replace(report_rows.CEILING, "ceiling"), *list(row.values())[1:]]
                yield f"| {' | '.join(map(_cell, cells))} |"
            yield ""


def _docstring(name: str) -> str:
    tree = ast.parse(registry.file("neurons", name).read_text())
    wanted = name.replace("_", "")
    found = next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name.lower() == wanted), tree)
    return ast.get_docstring(found) or ast.get_docstring(tree) or ""


def _cell(value: Any) -> str:
    shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return shown.replace("|", "\\|").replace("\n", " ")


def _measured(name: str, records: list[Record]) -> Iterator[str]:
    rows = [r for r in records if r.case["neuron"] == name and r.case["workload"] == "layer" and r.case["B"] == 4]
    if not rows:
        return
    yield "## Measured\n\n| subject | mode | T | B | N | time | peak memory |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for r in rows:
        shown = [
            units.show(middle(r, k), m.unit) if (m := r.measurement(k)) else "—" for k in ("latency", "peak_memory")
        ]
        yield (
            "| "
            + " | ".join([f"`{r.case['subject']}`", *(str(r.case[k]) for k in ("mode", "T", "B", "N")), *shown])
            + " |"
        )
    where = rows[0].environment
    yield f"\nOne process a row, medians of its samples; {where['cpu']}, {where['threads']} threads, PyTorch {where['versions']['torch']}.\n"


def commands(group: Any) -> Iterator[str]:
    """The commands with their arguments and options, as typer declares them."""
    yield "# Command line\n\n`spikebench COMMAND --help` prints the same. Exit codes: 0 finished, 1 a verdict failed, 2 bad usage, 130 interrupted.\n"
    for name, command in sorted(group.commands.items()):
        context = command.make_context(name, [], resilient_parsing=True)
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"## {name}\n\n    spikebench {name} {usage}\n\n{inspect.cleandoc(command.help or '')}\n"
        rows = [p for p in command.params if p.name != "help"]
        if rows:
            yield "| | | default |\n| --- | --- | --- |"
        for p in rows:
            words = p.name.upper() if p.param_type_name == "argument" else ", ".join([*p.opts, *p.secondary_opts])
            default = "" if p.default in (None, (), False) or callable(p.default) else f"`{p.default}`"
            yield f"| `{_cell(words)}` | {_cell(getattr(p, 'help', None) or '')} | {_cell(default)} |"
        yield ""


def names() -> Iterator[str]:
    """The public names of the package."""
    yield "# Python\n\n    import spikebench as sb\n"
    for name in spikebench.__all__:
        found = getattr(spikebench, name)
        if callable(found):
            yield f"## sb.{name}\n\n```python\n{name}{_signature(found)}\n```\n\n```text\n{inspect.getdoc(found) or ''}\n```\n"


def _signature(found: Any) -> str:
    try:
        return str(inspect.signature(found))
    except ValueError:  # an exception has none
        return "(message)"


if __name__ == "__main__":
    sys.exit("mkdocs loads this file: make docs")
