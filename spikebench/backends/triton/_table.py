"""The table of kernels in README.md: registers, spills and shared memory as compiled."""

import importlib
from pathlib import Path
from typing import Any

import torch
import triton

from spikebench.backends.triton import _aot, _bits, _bits_linear, _launch
from spikebench.backends.triton._direct import Arguments

README = Path(__file__).with_name("README.md")
BEGIN, END = f"<!-- kernels of triton {triton.__version__} -->\n", "<!-- end of kernels -->\n"
CAPABILITIES = (90, 80)
STEPS, NEURONS = 1000, 512
CHUNK = {"lif": 256, "spsn": 256, "psu": 256, "exodus": 256, "slayer": 256, "rpsu": 256}
CHUNK |= {"para_lif": 256, "prf": 256, "prf_lif": 256, "plif": 256, "c_silif": 256, "silif": 256, "dsn": 256}
FORMS: dict[str, tuple[dict[str, str], ...]] = {
    "spike_sampler": ({"form": "dot"},),
    "lif": ({"save": "checkpoints"}, {"spikes": "bits"}, {"spikes": "bits", "save": "checkpoints"}),
    "psu": ({"spikes": "bits"},),
}
LEARNING = {"lif": {"learn_decay": True, "learn_threshold": True, "input_scale": "1-decay", "synapse_decay": 0.9}}
MANY = {"lif": 128, "exodus": 128, "spsn": 128, "psu": 128}  # batch items at which wide accesses are better
LINEAR = (torch.float32, torch.bfloat16, torch.float64)  # of the Linear that reads bits, N = 512 both ways
ARGUMENTS = {
    "spike_sampler": {"n": NEURONS},
    "prf": {"n": NEURONS},
    "c_silif": {"n": NEURONS},
    "silif": {"n": NEURONS},
    "dsn": {"n": NEURONS},
    "psn": {"T": STEPS},
    "rpsu": {"T": STEPS},
}
NEURON_IDS = (*CHUNK, "spike_sampler", "psn", "sliding_psn")
LISTED = (*NEURON_IDS, "_bits")


def listed(neuron: str) -> list[tuple[int, _launch.Launch]]:
    """Number of series and launch of a neuron's kernels, float32, each form, M = 16,384; in chunks, M = 512; many series."""
    if neuron == "_bits":
        return [(32 * NEURONS, launch) for launch in _of_bits()]
    run = importlib.import_module(f"spikebench.backends.triton.{neuron}").run
    there = vars(importlib.import_module(f"spikebench.neurons.{neuron}"))
    kind = next(v for k, v in there.items() if k.lower() == neuron.replace("_", ""))
    options = ARGUMENTS.get(neuron, {})
    sizes: list[tuple[int, dict[str, Any], dict[str, Any]]] = [(32, {}, options)]
    if neuron in CHUNK:
        sizes.append((1, {"chunk": CHUNK[neuron]}, options))
    sizes += [(32, how, options) for how in FORMS.get(neuron, ())]
    if neuron in LEARNING:
        sizes += [(batch, {}, LEARNING[neuron]) for batch in (32, MANY[neuron])]
    if neuron in MANY:
        sizes += [(MANY[neuron], how, options) for how in ({}, *FORMS.get(neuron, ()))]
    found: dict[tuple[Any, ...], tuple[int, _launch.Launch]] = {}
    for batch, how, made in sizes:
        for each in _aot.launches(run, kind(**made), (STEPS, batch, NEURONS), torch.float32, **how):
            given = each.arguments
            if made is not options and "decay_sum" not in given:
                continue
            absent = tuple(name for name, value in given.items() if value is None)
            way = tuple(given.get(name) for name in ("WHICH", "REVERSE", "BLOCK", "R"))
            found.setdefault((each.kernel, absent, way), (batch * NEURONS, each))
    return list(found.values())


def _of_bits() -> list[_launch.Launch]:
    """What packing and unpacking launch, and a Linear that reads bits, forward and backward."""
    with _launch.recording() as found:
        spikes = torch.empty(STEPS, 32, NEURONS, device="meta")
        _bits.unpack(packed := _bits.pack(spikes))
        for dtype in LINEAR:
            layer = torch.nn.Linear(NEURONS, NEURONS, dtype=dtype, device="meta")
            out = _bits_linear.linear(packed, layer.weight, layer.bias)
            out.backward(torch.empty_like(out))
    return found


def once() -> list[tuple[int, _launch.Launch]]:
    """Number of series and launch of every kernel, each in the first of its variants."""
    found: dict[str, tuple[int, _launch.Launch]] = {}
    for neuron in LISTED:
        for series, launch in listed(neuron):
            found.setdefault(_aot.named(launch), (series, launch))
    return list(found.values())


def label(launch: _launch.Launch) -> str:
    """What tells launches of one kernel apart."""
    given = launch.arguments
    if "PARTS" in given:
        return {0: "float64", 1: "bfloat16", 3: "float32"}[given["PARTS"]]
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
    if "WORD" in given:
        return []
    sent = ["bits"] if given.get("words") is not None or ("s" in given and given["s"] is None) else []
    if given.get("bits") is not None:
        return ["checkpoints", *sent]
    if given.get("threshold_sum") is not None:
        return ["everything learned"]
    kept = next((name for name in ("u", "q", "kept") if name in given), None)
    parts = [*(["nothing kept"] if kept and given[kept] is None else []), *sent]
    return [*parts, *(["chunks"] if given.get("state") is not None else [])]


def row(series: int, binaries: list[_aot.Binary]) -> str:
    """One line of the table: a kernel compiled for each capability."""
    first = binaries[0]
    shape = first.launch.arguments
    copies = "/".join(str(width) for width in first.copies) or "none"
    used = " | ".join(f"{b.registers} | {b.spills} | {b.shared:,}" for b in binaries)
    ahead = "{} of {}".format(*first.loads) if first.loads[1] else "none"
    tile = f"{shape.get('R', '')} | {shape.get('STAGES', '')} | {ahead} | {copies}"
    size = f"{series:,} | {shape.get('BLOCK', shape.get('OUT')):,} | {first.launch.warps} | {tile}"
    return f"| {first.name.removesuffix('_kernel')} | {label(first.launch)} | {size} | {used} |\n"


def text() -> str:
    """The whole table, with the versions it was made with."""
    head = "| kernel | variant | M | block | warps | rows | stages | reads before writes | copies (bytes) |"
    rule = "|---|---|---|---|---|---|---|---|---|"
    for capability in CAPABILITIES:
        head += f" sm_{capability} registers | spills (bytes) | shared (bytes) |"
        rule += "---|---|---|"
    lines = [f"Made with triton {triton.__version__}.\n\n", head + "\n", rule + "\n"]
    for neuron in LISTED:
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
