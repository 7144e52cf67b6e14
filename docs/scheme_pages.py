"""The pages of training schemes: one that lists them with what was measured, and one for each with its equations and options."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from neuron_pages import BLOCK, cell, listed, options, prose
from parts import caption

from spikebench import registry
from spikebench.analysis.scheme_times import scheme_times
from spikebench.analysis.training_memory import growths
from spikebench.cases.subject import shown
from spikebench.records.record import Record
from spikebench.report.rows import trainings

FACTS = {
    "MEMORY": "memory grows with",
    "EXACT": "the gradient of BPTT",
    "ONLINE": "online",
    "ANN_BRANCH": "needs an ANN branch",
    "NEURONS": "neurons",
    "BACKENDS": "backends",
    "EVENTS": "takes spike times",
    "VERIFIED": "equations read at their source",
}
USUAL: dict[str, object] = {"EVENTS": False}  # of facts that a scheme may leave out; the others are for all
INTRODUCTION = """# Training schemes

A scheme is a way of training a network: which gradient every weight gets, and who owns the loop over time. It stands behind a subject:
`lif[decay=0.5]@eager+ottt` trains by OTTT, and `ottt` alone means `lif@eager+ottt`. What is compared is one training step of the same
stack, `shd` if no other is named, with the same loss at every step, on the same input:

```bash
spikebench compare bptt ottt sltt -T 128 -B 16                   # time of a step, in pairs
spikebench run --subject bptt --subject ottt --network shd -T 8,32,128,512,2048 -B 16 --metric tensor_memory --metric weight_cosine
spikebench show --memory results/*/run.jsonl                     # how memory grows with T
spikebench show --schemes results/*/compare.jsonl                # time of a step against BPTT by the loop and by the fused kernel
spikebench plot frontier results/*/run.jsonl                     # memory over T; `scaling` draws time, `learning` accuracy over seconds
spikebench plot plane results/*/train.jsonl                      # memory against time, with the accuracy as colour
spikebench train digits --neuron "lif[decay=0.5]" --scheme ottt
```

`bptt@fused` is the strong opponent: backpropagation through time by the fused kernel, where a scheme in Python steps through time
itself. Before anything is timed, the gate compares the gradient of every weight with the scheme's definition, which sums outer
products over all steps. `weight_cosine` says how the gradients lie to those of BPTT, layer by layer.

`fast_and_deep` takes spike times, as lists, and has no grid of steps. It is compared with the neuron that it is the limit of, on T steps of
the same events: a finer grid has more of them. `eventprop` takes the same lists and computes on the grid, with the loss of `fast_and_deep`. What turns lists into
counts per step is part of the time, and so is sorting the lists. The gate of `fast_and_deep` finds spike times by bisection, and takes finite
differences of the loss; the metric `exactness` has the largest error, and the share of crossings that graze the threshold. `fast_and_deep` computes at most
`max_spikes` spikes of a neuron in a sample, 32 if no other number is given. A record in which a neuron would have fired more often is flagged `silenced`: there it computes
less than LIF on a grid, and is no match for it.

```bash
spikebench run events --out events.jsonl && spikebench show --schemes events.jsonl     # the cost over the spikes of a channel, beside LIF on two grids
spikebench run --subject fast_and_deep@fused --network events --rate 0.05 --dtype float64 --metric exactness
spikebench train "digits[code=time]" --neuron "lif[decay=0.996,synapse_decay=0.992016,threshold=40.0]@fused" --scheme "fast_and_deep[temperature=0.02,grazing=0.2]" --recipe weights=positive --recipe lr=0.002 --epochs 12 --seeds 3
```

The neuron, the options of the scheme and the recipe of the last command were selected by their accuracy on the test split of these digits: there is no other split.
So its accuracies may be higher than what the scheme reaches on digits that nothing was selected on.
"""


def files(records: list[Record], events: list[Record]) -> dict[str, str | bytes]:
    """All pages; `events`: records of the sweep `events`."""
    names = registry.names("schemes")
    made: dict[str, str | bytes] = {"schemes.md": "\n".join(index(records, events))}
    return made | {f"schemes/{n}.md": "\n".join(page(n)) for n in names}


def index(records: list[Record], events: list[Record]) -> Iterator[str]:
    """The page that lists them."""
    yield INTRODUCTION
    yield f"| scheme | what it is | {' | '.join(FACTS.values())} |\n| --- |{' --- |' * (len(FACTS) + 1)}"
    for name in registry.names("schemes"):
        facts = registry.scheme_facts(name)
        cells = [_shown(key, facts.get(key, USUAL.get(key, "all"))) for key in FACTS]
        yield f"| [{name}](schemes/{name}.md) | {cell(facts['title'])} | {' | '.join(cells)} |"
    if rows := [g.cells for g in growths(records)]:
        yield "\n## Memory over T\n\nPeak memory of a training step beyond parameters and input, one process a point. `a step` is the slope against T,"
        yield "`a doubling` what a doubling of T adds, each with its 95 % interval, and `the last` the same between the two longest T."
        yield "Tensors are counted by torch's allocator, byte by byte; a process also holds pages used in part, and the graph of a loop in objects.\n"
        yield from pictured("frontier-tensors-*-network-shd", "Bytes of tensors of a training step over T, by scheme")
        yield f"| {' | '.join(rows[0])} |\n|{' --- |' * len(rows[0])}"
        for row in rows:
            yield f"| {' | '.join(f'`{v}`' if k == 'subject' else cell(v) for k, v in row.items())} |"
    yield from times(records)
    yield from over_spikes(events)
    yield from alignments(records)
    yield from trained(records)
    yield ""


def times(records: list[Record]) -> Iterator[str]:
    """The time of a training step over T, against BPTT by the loop and by the fused kernel, in pairs."""
    if rows := [row.cells for row in scheme_times(records)]:
        yield "\n## Time of a step over T\n\nA training step with its optimiser. The speed-up is in pairs of fresh processes, with 95 % t intervals: below 1x the scheme is slower.\n"
        yield from pictured("scaling-train-B16-N128-network-shd", "Time of a training step over T, by scheme")
        yield f"| {' | '.join(rows[0])} |\n|{' --- |' * len(rows[0])}"
        for row in rows:
            yield f"| {' | '.join(f'`{v}`' if k == 'subject' else cell(v) for k, v in row.items())} |"


def over_spikes(records: list[Record]) -> Iterator[str]:
    """The time of a training step from spike times, over their number, beside LIF on two grids of steps."""
    if rows := [row.cells for row in scheme_times(records)]:
        heads = [
            k for k in rows[0] if k not in ("subject", "network") and any(row[k] not in (None, "—") for row in rows)
        ]
        yield "\n## Time over the spikes of a channel\n\nA training step of one layer from lists of spike times, on two cores of a Xeon. `rate` is that of a channel per step, so that"
        yield "T · rate is its number of spikes. T = 100 and T = 1000 are grids of 1 and 0.1 ms over the same 100 ms, and `bptt` is that of the fused LIF on them. The"
        yield "ratio is in pairs of fresh processes, with 95 % t intervals: above 1x the scheme is faster.\n"
        yield f"| scheme | {' | '.join(heads)} |\n| --- |{' --- |' * len(heads)}"
        for row in rows:
            yield f"| `{str(row['subject']).rpartition('+')[2]}` | {' | '.join(cell(row[k]) for k in heads)} |"


def alignments(records: list[Record]) -> Iterator[str]:
    """How the gradients lie to those of BPTT on an untrained network, from the input to the readout."""
    found = [(r, m) for r in records if r.case["workload"] == "network" and (m := r.measurement("weight_cosine"))]
    if found:
        yield "\n## Gradients beside those of BPTT\n\nThe cosine of each weight's gradient to BPTT's, and the ratio of their norms, from the input to the readout, on an untrained network.\n"
        yield "| subject | T | B | cosine | norm over BPTT's |\n| --- | ---: | ---: | --- | --- |"
    for r, m in found:
        ratios = [float(v) for v in cast(list[float], m.detail["norm_ratio"])]
        numbers = (" ".join(f"{v:.3g}" for v in each) for each in (m.samples, ratios))
        yield f"| `{shown(str(r.case['subject']))}` | {r.case['T']} | {r.case['B']} | {' | '.join(numbers)} |"


def trained(records: list[Record]) -> Iterator[str]:
    """Accuracy, time, memory, and how the gradients lie to those of BPTT at the end of the training."""
    wanted, rows = list[str](), trainings(records)
    if rows:
        wanted = [k for k in rows[0] if k not in ("subject", "rate per layer")]
        yield "\n## Trainings\n\n`tensors` are those of a training step, beyond parameters and input. The cosine is that of each weight's gradient to"
        yield "BPTT's, from the input to the readout, on the trained network. A converted network takes so many steps until it is within 1 % of its ReLU"
        yield "network. Means over the seeds.\n"
        yield from pictured(
            "plane-*", "Memory of a step against the time of an epoch, with the accuracy of each scheme"
        )
        yield f"| subject | {' | '.join(wanted)} |\n| --- |{' --- |' * len(wanted)}"
    for row in rows:
        yield f"| `{row['subject']}` | {' | '.join(cell(row.get(k, '—')) for k in wanted)} |"


def pictured(names: str, alt: str) -> Iterator[str]:
    """The committed figures of these names, each with its caption."""
    for file in sorted((Path(__file__).parent / "figures").glob(f"{names}.png")):
        yield f"![{alt}](figures/{file.name})\n\n{caption(file.stem)}\n"


def page(name: str) -> Iterator[str]:
    """The page of one scheme."""
    facts, text, found = registry.scheme_facts(name), docstring(name), registry.scheme_options(name)
    title, _, rest = text.partition("\n")
    yield f"# {name}\n\n{title}\n\n## Equations\n\n{prose(rest.partition(BLOCK)[0].strip(chr(10)), set(found))}"
    yield "\n## Facts\n\n| fact | value |\n| --- | --- |"
    yield from (f"| {said} | {_shown(key, facts.get(key, USUAL.get(key, 'all')))} |" for key, said in FACTS.items())
    yield ""
    yield from options(f"lif+{name}", found, listed(text))
    yield f"\n## Source\n\n```bibtex\n{inspect.cleandoc(facts['SOURCE'])}\n```\n"


def docstring(name: str) -> str:
    """The docstring of a scheme's file."""
    return ast.get_docstring(ast.parse(registry.file("schemes", name).read_text(encoding="utf-8"))) or ""


def _shown(key: str, value: object) -> str:
    if key == "MEMORY":
        return "T" if value == "T" else "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
