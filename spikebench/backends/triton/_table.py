"""The table of kernels in README.md: registers, spills and shared memory as compiled."""

import importlib
from pathlib import Path
from typing import Any

import torch
import triton

from spikebench.backends.triton import _aot, _launch
from spikebench.backends.triton._direct import Arguments

README = Path(__file__).with_name("README.md")
BEGIN, END = f"<!-- kernels of triton {triton.__version__} -->\n", "<!-- end of kernels -->\n"
CAPABILITIES = (90, 80)
STEPS, NEURONS = 1000, 512
CHUNK = {"lif": 256, "spsn": 256, "psu": 256, "exodus": 256, "slayer": 256, "rpsu": 256}
CHUNK |= {"para_lif": 256, "prf": 256, "prf_lif": 256}
FORM = {"spike_sampler": {"form": "dot"}, "lif": {"save": "checkpoints"}}
ARGUMENTS = {
    "spike_sampler": {"n": NEURONS},
    "prf": {"n": NEURONS},
    "psn": {"T": STEPS},
    "rpsu": {"T": STEPS},
}
NEURON_IDS = (*CHUNK, "spike_sampler", "psn", "sliding_psn")


def listed(neuron: str) -> list[tuple[int, _launch.Launch]]:
    """Number of series and launch of a neuron's kernels, float32, each form, M = 16,384; in chunks, M = 512."""
    run = importlib.import_module(f"spikebench.backends.triton.{neuron}").run
    there = vars(importlib.import_module(f"spikebench.neurons.{neuron}"))
    kind = next(v for k, v in there.items() if k.lower() == neuron.replace("_", ""))
    sizes: list[tuple[int, dict[str, int] | dict[str, str]]] = [(32, {})]
    if neuron in CHUNK:
        sizes.append((1, {"chunk": CHUNK[neuron]}))
    if neuron in FORM:
        sizes.append((32, FORM[neuron]))
    found: dict[tuple[Any, ...], tuple[int, _launch.Launch]] = {}
    for batch, how in sizes:
        made = kind(**ARGUMENTS.get(neuron, {}))
        for each in _aot.launches(run, made, (STEPS, batch, NEURONS), torch.float32, **how):
            absent = tuple(name for name, value in each.arguments.items() if value is None)
            way = tuple(each.arguments.get(name) for name in ("WHICH", "REVERSE"))
            found.setdefault((each.kernel, absent, way), (batch * NEURONS, each))
    return list(found.values())


def once() -> list[tuple[int, _launch.Launch]]:
    """Number of series and launch of every kernel, each in the first of its variants."""
    found: dict[str, tuple[int, _launch.Launch]] = {}
    for neuron in NEURON_IDS:
        for series, launch in listed(neuron):
            found.setdefault(_aot.named(launch), (series, launch))
    return list(found.values())


def label(launch: _launch.Launch) -> str:
    """What tells launches of one kernel apart."""
    given = launch.arguments
    if "f0" in given:
        kinds = {(True, True): "constant factors", (True, False): "one factor from data"}
        one = "one state, " if given["second"] is None else ""
        return one + kinds.get((given["f0_at"] is None, given["f1_at"] is None), "factors from data")
    if "WHICH" in given:
        which = {"pq": "two states", "p": "the first state", "q": "the second state"}[given["WHICH"]]
        return f"{which}, backwards" if given["REVERSE"] else which
    if given.get("REVERSE"):
        return "backwards"
    if "entering" in given:
        return ""
    if given.get("THROUGH") is False:
        return ", ".join(["reset passed by", *_passes(given)])
    return ", ".join(_passes(given))


def _passes(given: Arguments) -> list[str]:
    if given.get("ENDS"):
        return ["ends of chunks"]
    if given.get("ends") is not None and "STEP" in given:
        return ["ends of chunks" if given["state"] is None else "ends of chunks of the second state"]
    if given.get("bits") is not None:
        return ["checkpoints"]
    kept = next((name for name in ("u", "q", "kept") if name in given), None)
    parts = ["nothing kept"] if kept and given[kept] is None else []
    return [*parts, *(["chunks"] if given.get("state") is not None else [])]


def row(series: int, binaries: list[_aot.Binary]) -> str:
    """One line of the table: a kernel compiled for each capability."""
    first = binaries[0]
    shape = first.launch.arguments
    copies = "/".join(str(width) for width in first.copies) or "none"
    used = " | ".join(f"{b.registers} | {b.spills} | {b.shared:,}" for b in binaries)
    ahead = "{} of {}".format(*first.loads) if first.loads[1] else "none"
    tile = f"{shape.get('R', '')} | {shape.get('STAGES', '')} | {ahead} | {copies}"
    size = f"{series:,} | {shape['BLOCK']:,} | {first.launch.warps} | {tile}"
    return f"| {first.name.removesuffix('_kernel')} | {label(first.launch)} | {size} | {used} |\n"


def text() -> str:
    """The whole table, with the versions it was made with."""
    head = "| kernel | variant | M | block | warps | rows | stages | reads before writes | copies (bytes) |"
    rule = "|---|---|---|---|---|---|---|---|---|"
    for capability in CAPABILITIES:
        head += f" sm_{capability} registers | spills (bytes) | shared (bytes) |"
        rule += "---|---|---|"
    lines = [f"Made with triton {triton.__version__}.\n\n", head + "\n", rule + "\n"]
    for neuron in NEURON_IDS:
        for series, launch in listed(neuron):
            lines.append(row(series, [_aot.compiled(launch, capability) for capability in CAPABILITIES]))
    return "".join(dict.fromkeys(lines))


def written() -> str | None:
    """The table of this version of triton as it stands in README.md, or None."""
    _, found, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    return rest.partition(END)[0] if found else None


def write() -> None:
    """Put the table into README.md, in place of the one of this version of triton if there is one."""
    before, found, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2] if found else ""
    README.write_text(before.rstrip("\n") + "\n\n" + BEGIN + text() + END + after, encoding="utf-8")
