"""Effective synaptic operations of one launch, against dense multiply-accumulates; and estimates of energy, with the neurons."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from spikebench.analysis.cost import KINDS, per_step, value
from spikebench.cases.case import Case
from spikebench.loading.subject import definition_of
from spikebench.metric import Running, Unavailable
from spikebench.workloads.layer import Workload, spikes_of

unit = "1"
process = "timing"

HOROWITZ = {  # J; a comparison is an integer addition, a word of state one access to 8 KiB of SRAM (10 pJ for 64 bit)
    "source": "M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014: 45 nm, 32 bit float",
    **{"mac": 4.6e-12, "ac": 0.9e-12, "mul": 3.7e-12, "add": 0.9e-12, "compare": 0.1e-12, "word": 5e-12},
}
SATA = {  # pJ per operation of 16 bit, and per access to memory
    "source": "R. Yin et al., SATA: Sparsity-Aware Training Accelerator for Spiking Neural Networks, IEEE TCAD 2022,"
    " arXiv 2204.05422 (abstract read); operations and accesses from its authors' code, RuokaiYin/SATA_Sim @ d447058",
    **{"mul": 0.239, "acc": 0.0389, "add": 0.00967, "and": 0.000794, "comp": 0.00309, "mux": 0.00172, "reg": 0.0301},
    **{"shift": 0.00605, "dram": 55.58, "sram": 1.95, "spad": 0.2779},
}
ACCESSES = (
    "counted by us, for the public code has what an access costs and not how many there are: a word of state read and"
    " written in SRAM, a weight and a partial sum (read, written) in the scratchpad for every arriving spike, every weight"
    " once from DRAM, spikes in SRAM as 16 to a word, written and read"
)
SYNAPSES = (nn.Linear, nn.Conv2d)
BITS = 16  # of a word in SATA
UNPRICED = "sigmoids, floors, random numbers"


def sample(running: Running) -> list[float]:
    """[operations on spikes]: one per nonzero weight under each input of −1, 0 or 1 that is not 0.

    A convolution has one for each place that the kernel reaches inside the image. A layer whose input has other values
    multiplies: its operations are effective MACs, in the detail with the dense count and the layers apart.
    `neuron_operations` are those that the neurons declare. `estimates` has energies by operation count, in J, by the
    name of the model; they are no measurement. `forward_joules` is the whole of `synapse_joules`, `neuron_joules` and `memory_joules`: products and
    sums over weights, what the neurons declare that their steps take (neuron.py, at the default options), and the words
    that have to be fetched. Who leaves out neurons and memory, as papers do, has `synapse_joules` alone.
    """
    work = running.workload
    layers = [m for m in work.module.modules() if isinstance(m, SYNAPSES)]
    if not layers:
        raise Unavailable("a neuron alone has no synapses: take workload projection or network")
    counted: list[dict[str, float]] = []
    steps: list[dict[str, float]] = []
    hooks = [layer.register_forward_hook(lambda m, x, out: counted.append(_count(m, x[0], out))) for layer in layers]
    hooks += [
        m.register_forward_hook(lambda m, x, out: steps.append(_steps(m, work.case, out))) for m in _neurons(work)
    ]
    work.launch()
    for hook in hooks:
        hook.remove()
    totals = {key: sum(layer[key] for layer in counted) for key in ("ac", "mac", "dense")}
    neurons: dict[str, float] = {key: sum(step[key] for step in steps) for key in NEURON}
    weights = float(sum(layer.get_parameter("weight").numel() for layer in layers))
    estimates = {"horowitz_45nm": _horowitz(totals, neurons), "sata": _sata(counted, neurons, weights)}
    running.detail |= totals | {"layers": counted, "neuron_operations": neurons, "estimates": estimates}
    running.detail["other_weights"] = _others(work.module)
    return [totals["ac"]]


NEURON = (*KINDS, "reads", "writes", "steps")


def _neurons(work: Workload) -> list[nn.Module]:
    """The modules of a network that are neurons of ours: each once, however it is wrapped."""
    found = [m for m in work.module.modules() if definition_of(m) is not None]
    inner = {id(definition_of(m)) for m in found if definition_of(m) is not m}
    return [m for m in found if id(m) not in inner]


def _steps(module: nn.Module, case: Case, out: Tensor | tuple[Tensor, ...]) -> dict[str, float]:
    """Operations, words read and written, and steps of one layer of neurons in one launch."""
    neuron, many = definition_of(module), spikes_of(out).numel()
    if neuron is None:
        return dict.fromkeys(NEURON, 0.0)
    sizes = {**case.parsed.all_options, "T": case.T, "N": spikes_of(out).shape[-1]}
    found = {kind: many * each for kind, each in per_step(neuron.operations, sizes).items()}
    reads = value(neuron.state_words, sizes)
    writes = reads if neuron.state_writes is None else value(neuron.state_writes, sizes)
    return found | {"reads": many * reads, "writes": many * writes, "steps": float(many)}


def _count(layer: nn.Module, x: Tensor, out: Tensor) -> dict[str, float]:
    """Operations of one layer of synapses; where a gradient comes back, `gradient` is the share of it that is not 0."""
    effective, dense = _products(layer, x.detach() != 0)
    spikes = bool(((x == 0) | (x.abs() == 1)).all())
    found = {"ac": effective * spikes, "mac": effective * (not spikes), "inputs": float(x.numel())}
    found |= {"neurons": float(out.numel()), "dense": dense}
    found["active"] = float((x != 0).double().mean())
    if out.requires_grad:
        out.register_hook(lambda g: found.update(gradient=float((g != 0).double().mean())))
    return found


def _products(layer: nn.Module, active: Tensor) -> tuple[float, float]:
    """How many products there are of an input that is not 0 with a weight that is not 0, and of all inputs with all weights."""
    there = (layer.get_parameter("weight").detach() != 0).double()
    if isinstance(layer, nn.Conv2d):
        some = active.sum(0, dtype=torch.float64)  # [C, H, W]
        how: Any = {k: getattr(layer, k) for k in ("stride", "padding", "dilation", "groups")}
        each = partial(nn.functional.conv2d, **how)
        every = each(torch.full_like(some, float(len(active))), torch.ones_like(there))
        return float(each(some, there).sum()), float(every.sum())
    some = active.flatten(0, -2).sum(0, dtype=torch.float64)  # [in]
    return float(some @ there.sum(0)), float(active.numel() * len(there))


def _horowitz(totals: dict[str, float], neurons: dict[str, float]) -> dict[str, object]:
    price = {k: v for k, v in HOROWITZ.items() if isinstance(v, float)}
    parts = {
        "synapse_joules": totals["ac"] * price["ac"] + totals["mac"] * price["mac"],
        "neuron_joules": sum(neurons[kind] * price[kind] for kind in ("mul", "add", "compare")),
        "memory_joules": (neurons["reads"] + neurons["writes"]) * price["word"],
    }
    whole = {"forward_joules": sum(parts.values()), "dense_joules": totals["dense"] * price["mac"]}
    left_out = f"{UNPRICED}, selections; of memory all but the neurons' state"
    return {"label": "estimate", **whole, **parts, "left_out": left_out, "source": HOROWITZ["source"]}


def _sata(layers: list[dict[str, float]], neurons: dict[str, float], weights: float) -> dict[str, object]:
    """SATA's prices: forward and weight update cost per arriving spike, the way back per gradient that is not 0."""
    pj = {k: float(v) for k, v in SATA.items() if k != "source"}
    arriving = sum(layer["active"] * layer["dense"] for layer in layers)
    logic = {"mul": "mul", "add": "add", "compare": "comp", "select": "mux"}
    registers = 3 * neurons["steps"]  # the membrane, its sum with what arrives, and the reset of that
    own = sum(neurons[kind] * pj[price] for kind, price in logic.items()) + registers * pj["reg"]
    spikes = 2 * sum(layer["inputs"] for layer in layers) / BITS
    memory = (neurons["reads"] + neurons["writes"] + spikes) * pj["sram"] + 3 * arriving * pj["spad"]
    parts = {
        "synapse_joules": 1e-12 * arriving * (pj["acc"] + pj["and"]),
        "neuron_joules": 1e-12 * own,
        "memory_joules": 1e-12 * (memory + weights * pj["dram"]),
    }
    found: dict[str, object] = {"label": "estimate", "forward_joules": sum(parts.values()), **parts}
    found |= {"source": SATA["source"], "accesses": ACCESSES, "left_out": f"{UNPRICED}; memory on the way back"}
    if all("gradient" in layer for layer in layers):
        surrogate = pj["mul"] + 2 * pj["add"] + pj["mux"] + 2 * pj["shift"]
        back = sum(layer["gradient"] * layer["dense"] for layer in layers) * (pj["mul"] + pj["acc"])
        found["backward_joules"] = 1e-12 * (neurons["steps"] * surrogate + back)
        found["update_joules"] = 1e-12 * arriving * (pj["acc"] + pj["and"])
    return found


def _others(module: nn.Module) -> list[str]:
    """Weights of two and more dimensions outside linear layers and convolutions, which are not counted."""
    counted = {id(p) for m in module.modules() if isinstance(m, SYNAPSES) for p in m.parameters()}
    return [name for name, p in module.named_parameters() if p.dim() > 1 and id(p) not in counted]
