"""Pages that are made when the site is built: neurons, claims, trainings and bounds from files and records, commands and names."""

import ast
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import books
import neuron_pages
import parts
import reference
import scheme_pages
import site_facts as site
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from spikebench import claim, registry
from spikebench.analysis import assessment, bound
from spikebench.records import store
from spikebench.records.flags import Flag
from spikebench.records.record import Record
from spikebench.report import rows as report_rows
from spikebench.report.claim_page import page as claim_page

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results" / "amd-epyc-f25m1-2c"
XEON = ROOT / "results" / "intel-xeon-f6m167-2c"


serving = False


def on_startup(command: str, dirty: bool) -> None:
    """While the site is served, notebooks are not run again after every change: their pages have no outputs then."""
    global serving
    serving = command == "serve"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The repository's address, where one is known, is that of the links to it."""
    config.repo_url = site.repository()
    config.extra["polyfills"] = ["assets/iframe-worker.js"]  # search without a server; else one would be fetched
    for section in (each for top in config.nav for each in top.values() if isinstance(each, list)):
        for kind in ("neurons", "schemes", "claims"):
            if f"{kind}.md" in section:
                section += [f"{kind}/{name}.md" for name in registry.names(kind)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file in docs/ holds."""
    from spikebench.cli.app import app

    records = store.load(RESULTS / "quick.jsonl")
    made: dict[str, str | bytes] = {}
    for name in registry.names("neurons"):
        made |= neuron_pages.files(name, records)
    made |= claims(
        [*store.load(ROOT / "results" / "*" / "claims*.jsonl"), *store.load(ROOT / "results" / "*" / "libraries.jsonl")]
    )
    made |= scheme_pages.files(store.load(ROOT / "results" / "*" / "schemes.jsonl"), store.load(XEON / "events.jsonl"))
    made["bound.md"] = "\n".join(bounds(store.load(XEON / "floor_a703f00.jsonl")))
    made["trainings.md"] = "\n".join(trainings())
    made["cli.md"] = "\n".join(reference.commands(typer.main.get_command(app)))
    made["api.md"] = "\n".join(reference.names())
    made |= parts.figures()
    made |= books.files(run=not serving, repository=site.repository())
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Parts made from the code, the table of neurons with its heading and links, the glossary's flags and metrics."""
    markdown = parts.fill(markdown)
    if page.file.src_path == "glossary.md":
        markdown = re.sub(r"<!-- flags:.*?-->", "\n".join(flags()), markdown)
        return re.sub(r"<!-- metrics:.*?-->", "\n".join(metrics()), markdown)
    if page.file.src_path == "cheats.md":
        return re.sub(r"<!-- cheats:.*?-->", lambda _: cheats(), markdown)
    if page.file.src_path != "neurons.md":
        return markdown
    rows = markdown.splitlines()
    ids = [row.split("|")[1].strip() for row in rows]
    linked = [
        row.replace(f"| {i} |", f"| [{i}](neurons/{i}.md) |", 1) if i in registry.names("neurons") else row
        for i, row in zip(ids, rows, strict=True)
    ]
    return "# Neurons\n\nFacts are declared in each neuron's file and checked by the tests.\n\n" + "\n".join(linked)


def on_page_content(html: str, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Headings that link to themselves are named for those who hear them."""
    return html.replace('class="headerlink"', 'class="headerlink" aria-label="Link to this heading"')


def on_post_page(output: str, page: Any, config: MkDocsConfig) -> str:
    """The search's dialog has a name, which the theme leaves out; the link to the repository asks no server for its stars."""
    named = output.replace('role="dialog"', 'role="dialog" aria-label="Search"', 1)
    return named.replace(' data-md-component="source"', "")


def flags() -> Iterator[str]:
    """A table of the flags: what each means and what to do about it."""
    yield "| flag | meaning | what to do |\n| --- | --- | --- |"
    for flag in Flag:
        yield f"| {flag} | {_cell(flag.meaning)} | {_cell(flag.remedy)} |"


def cheats() -> str:
    """The corpus of cheats as a table, from the data that its tests run."""
    spec = importlib.util.spec_from_file_location("corpus", ROOT / "tests" / "verify" / "corpus.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses find their module
    spec.loader.exec_module(module)
    return module.table()


def metrics() -> Iterator[str]:
    """A table of the metrics: each with the first line of its docstring."""
    yield "| metric | meaning |\n| --- | --- |"
    for name in registry.names("metrics"):
        title = ast.get_docstring(ast.parse(registry.file("metrics", name).read_text(encoding="utf-8"))) or ""
        yield f"| {name} | {_cell(title.partition(chr(10))[0])} |"


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


def _cell(value: Any) -> str:
    shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return shown.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit("mkdocs loads this file: make docs")
