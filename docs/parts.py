"""Parts of pages that are made from the code: where a page has the line `<!-- made: NAME -->`, the part of that name stands."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import equations
import libraries
import pictures
import yaml
from drawing import shown, themed

from spikebench import units
from spikebench.analysis import paired, stats
from spikebench.analysis.bottleneck import share_rows
from spikebench.analysis.depth import depth_rows
from spikebench.analysis.parallel import parallel_rows
from spikebench.analysis.select import medians
from spikebench.cases.subject import shown as written
from spikebench.records import store
from spikebench.records.flags import OF_SAMPLES, Flag

ROOT = Path(__file__).parent.parent
XEON = ROOT / "results" / "intel-xeon-f6m167-2c"
TEXT = ("subject", "network", "mode", "bottleneck")  # columns of words
MARK = re.compile(r"<!-- made: ([\w-]+)(?: ([^>]*?))? -->")


def fill(markdown: str) -> str:
    """A page with its parts in place; KeyError for a name that there is not."""
    return MARK.sub(lambda found: PARTS[found[1]](*(found[2].split(" ", 1) if found[2] else ())), markdown)


def figures() -> dict[str, bytes]:
    """The pictures of the pages, by file."""
    drawn = {"verdicts": pictures.verdicts, "samples": pictures.samples}
    return {f"{name}-{theme}.svg": svg for name, draw in drawn.items() for theme, svg in themed(draw).items()}


def glossary(section: str) -> str:
    """The table of a section of the glossary, without its column of words that are not used."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|")[:2] for line in text.splitlines() if line.startswith("|")]
    return "\n".join(f"|{'|'.join(row)}|" for row in rows)


def flags(which: str) -> str:
    """The flags of samples, or those of a record: what each means, from when on, what to do."""
    asked = [f for f in Flag if (f in OF_SAMPLES) == (which == "samples")]
    rows = [f"| `{f}` | {f.meaning} | {f.remedy} |" for f in asked]
    return "\n".join(["| flag | it means | what to do |", "| --- | --- | --- |", *rows])


def compared() -> str:
    """A comparison of the committed records, as `compare` prints it."""
    records = [r for r in store.load(libraries.CPU) if r.case["T"] == libraries.T]
    sides = {b: [r for r in records if r.case["backend"] == b] for b in ("eager", "cpu", "spikingjelly")}
    rows = [
        "| subject | against | T | baseline | time | speed-up | verdict |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for name in ("cpu", "spikingjelly"):
        result = paired.compared(sides["eager"], sides[name])
        ratio = result.ratio
        assert ratio is not None
        times = [units.show(stats.median(medians(side, "latency")), "s") for side in (sides["eager"], sides[name])]
        cells = [
            f"`{written(f'lif@{name}')}`",
            "`lif@eager`",
            str(libraries.T),
            *times,
            units.ratio(ratio.estimate, ratio.low, ratio.high, ratio.n),
        ]
        rows.append(f"| {' | '.join(cells)} | {result.verdict} |")
    return "\n".join(rows)


def one() -> str:
    """A comparison in a line."""
    _, _, first, *_ = compared().splitlines()
    subject, against, *_, ratio, verdict = (cell.strip(" `") for cell in first.strip("|").split("|"))
    return f"    {subject} against {against}: {ratio}, {verdict}"


@lru_cache
def printed(most: str, line: str) -> str:
    """What a command prints, as it stands, and at most so many lines of it."""
    words = line.removeprefix("spikebench ").split()
    env = os.environ | {"COLUMNS": "100", "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
    done = subprocess.run(
        [sys.executable, "-m", "spikebench", *words], cwd=ROOT, capture_output=True, text=True, env=env
    )
    if done.returncode:
        raise RuntimeError(f"{line}: {done.stderr}")
    lines = [text.rstrip() for text in done.stdout.rstrip().splitlines()]
    more = ["…"] * (len(lines) > int(most))
    return "\n".join(["```console", f"$ {line}", *lines[: int(most)], *more, "```"])


def caption(name: str) -> str:
    """The caption beside a figure."""
    text = (ROOT / "docs" / "figures" / f"{name}.txt").read_text(encoding="utf-8").strip()
    return f"*{equations.safe(text)}*"


def shares() -> str:
    """The neurons' share of the time behind a linear layer, from the committed records of the sweep `bottleneck`."""
    rows = [row.cells for row in share_rows(store.load(libraries.CPU.with_name("bottleneck.jsonl")))]
    return table(rows, ["subject", "mode", "T", "N", "neurons' share", "bottleneck", "at most"])


def parallel() -> str:
    """Training steps beside the fused LIF's with accuracy and agreement, from the committed records of all three."""
    agree = sorted(libraries.CPU.parent.glob("agreement*.jsonl"))
    files = [XEON / "parallel.jsonl", *agree, *sorted(XEON.parent.glob("*/fsdd.jsonl"))]
    return table([row.cells for row in parallel_rows([r for path in files for r in store.load(path)])])


def depth() -> str:
    """What a layer adds to time, memory and the gradient's norm, from the committed records of the sweep `depth`."""
    heads = ["subject", "network", "time a layer", "memory a layer", "gradient a layer", "first over last", "processes"]
    return table([row.cells for row in depth_rows(store.load(XEON / "depth.jsonl"))], heads)


def table(rows: Sequence[Mapping[str, object]], heads: list[str] | None = None) -> str:
    """Rows as Markdown, with all columns or those named."""
    heads = heads or list(rows[0])
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join('---' if h in TEXT else '---:' for h in heads)} |"]
    return "\n".join([*lines, *(f"| {' | '.join(str(cells[h]) for h in heads)} |" for cells in rows)])


def suite() -> str:
    """A BibTeX entry of what CITATION.cff says."""
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    authors = " and ".join("{" + author["name"] + "}" for author in said["authors"])
    fields = {"title": said["title"], "author": authors, "version": said["version"], "note": said["license"]}
    lines = [f"  {key} = {{{value}}}," for key, value in fields.items()]
    return "\n".join(["```bibtex", f"@software{{{said['title']},", *lines, "}", "```"])


def sentence() -> str:
    """A methods section's sentence for the table of libraries, from its records."""
    records = [r for r in store.load(libraries.CPU) if r.case["T"] == libraries.T]
    case, env = records[0].case, records[0].environment
    commits = ", ".join(sorted({r.environment["commit"][:7] for r in records}))
    n = 1 + max(r.repeat for r in records)
    return (
        f"> Training steps (forward and backward) of one LIF layer, T = {case['T']}, B = {case['B']}, N = {case['N']}, {case['dtype']}, were timed "
        f"with spikebench (commit {commits}) on {env['threads']} cores of an {env['cpu']} with PyTorch {env['versions']['torch']}, in {n} blocks "
        "of one fresh process per subject, after each had passed the comparison of its spikes and gradients with the float64 definition. "
        "Ratios are geometric means over blocks with 95 % t intervals."
    )


PARTS: dict[str, Callable[..., str]] = {
    "columns": lambda: glossary("Headings of tables"),
    "statuses": lambda: glossary("Statuses"),
    "verdicts": lambda: glossary("Verdicts"),
    "flags": flags,
    "compared": compared,
    "one": one,
    "libraries": lambda: "\n".join(libraries.table()),
    "picture-verdicts": lambda: shown(
        "verdicts", "Six ratios with their intervals beside the band of 2 %, each with its verdict"
    ),
    "picture-samples": lambda: shown(
        "samples", "Samples of six processes: steady ones, and one panel for each flag of samples"
    ),
    "output": printed,
    "caption": caption,
    "shares": shares,
    "parallel": parallel,
    "depth": depth,
    "suite": suite,
    "sentence": sentence,
}
