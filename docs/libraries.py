"""The table of libraries in the README and on the page of other tools, from the committed records.

`python docs/libraries.py` writes it into the README, which a test holds to the records.
"""

import math
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spikebench import units
from spikebench.analysis import paired, stats
from spikebench.analysis.select import medians
from spikebench.cases.sweeps import COMMON
from spikebench.records import store
from spikebench.records.record import Record

ROOT = Path(__file__).parent.parent
CPU = ROOT / "results" / "amd-epyc-f25m17-2c" / "libraries.jsonl"
GPU = ROOT / "results" / "nvidia-h200-16c" / "gpu.jsonl"
T, GPU_SIZES = 1000, {"T": 1024, "B": 32, "N": 512, "mode": "train", "dtype": "float32"}
BASELINE = "eager"


@dataclass(frozen=True)
class Row:
    """A line of the table: its name, its backend on a CPU, and its subjects on a GPU."""

    name: str
    backend: str
    on_gpu: tuple[str, ...] = ()


ROWS = (
    Row("spikebench, one fused kernel: `lif@fused`", "cpu", ("lif@triton",)),
    Row("PyTorch loop, compiled: `lif@compiled`", "compiled"),
    Row("PyTorch loop over `x.unbind(0)`: `lif@eager`", "eager"),
    Row("SpikingJelly", "spikingjelly", ("lif@spikingjelly[provider=triton]", "lif@spikingjelly[provider=cuda]")),
    Row("Norse", "norse"),
    Row("snnTorch", "snntorch"),
    Row("PyTorch loop over `x[t]`: `lif@indexed`", "indexed"),
    Row("Sinabs", "sinabs"),
)


def table() -> Iterator[str]:
    """The lines of the table, as Markdown, the fastest first."""
    records = [r for r in store.load(CPU) if r.case["T"] == T]
    on_gpu = store.load(GPU)
    yield "| library | CPU: time of a training step | speed-up over a plain loop | GPU: its time on the device |"
    yield "| --- | ---: | ---: | ---: |"
    by_backend = {row: [r for r in records if r.case["backend"] == row.backend] for row in ROWS}
    for row, mine in sorted(
        by_backend.items(), key=lambda each: statistics.geometric_mean(medians(each[1], "latency"))
    ):
        version = mine[0].environment["versions"].get(row.backend, "")
        yield f"| {f'{row.name} {version}'.strip()} | {time(mine)} | {against(records, mine)} | {device(on_gpu, row.on_gpu)} |"


def time(records: Sequence[Record]) -> str:
    """The geometric mean of the medians of processes with its 95 % t interval."""
    logs = [math.log(seconds) for seconds in medians(records, "latency")]
    low, high = stats.mean_interval(logs)
    shown = [units.show(math.exp(v), "s").split() for v in (sum(logs) / len(logs), low, high)]
    if len({unit for _, unit in shown}) == 1:
        (middle, unit), *ends = shown
        return f"{middle} [{', '.join(number for number, _ in ends)}] {unit}"
    middle, *ends = map(" ".join, shown)
    return f"{middle} [{', '.join(ends)}]"


def against(records: Sequence[Record], mine: Sequence[Record]) -> str:
    """The ratio of pairs to the baseline, or a dash for the baseline itself."""
    base = [r for r in records if r.case["backend"] == BASELINE]
    found = paired.compared(base, mine).ratio
    if mine[0].case["backend"] == BASELINE or found is None:
        return "1"
    return units.ratio(found.estimate, found.low, found.high, found.n)


def device(records: Sequence[Record], subjects: Sequence[str]) -> str:
    """The median times of one process each, of the device; a dash where none was timed."""
    found: list[str] = []
    for subject in subjects:
        cases = [r for r in records if r.case.items() >= (GPU_SIZES | {"subject": subject}).items()]
        times = [m for r in cases if (m := r.measurement("device_time")) and m.samples]
        found += [units.show(stats.median(m.samples), "s") for m in times[:1]]
    how = [s.partition("provider=")[2].strip("]") for s in subjects]
    named = {"triton": "Triton", "cuda": "CUDA"}
    words = [f"{t} ({named[h]})" if h else t for t, h in zip(found, how, strict=True)]
    return ", ".join(words) or "—"


def options() -> str:
    """The one neuron that all libraries can be set to, as it is written in a subject."""
    return ",".join(f"{k}={v}" for k, v in COMMON.items())


def written(text: str) -> str:
    """A text with the table of today in the place of the one it has, which begins with the word `library`."""
    lines = "".join(f"{line}\n" for line in table())
    return re.sub(r"^\| library \|.*\n(?:\|.*\n)+", lambda _: lines, text, flags=re.MULTILINE)


if __name__ == "__main__":
    README = ROOT / "README.md"
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
