"""Effective synaptic operations of one launch: accumulations where spikes arrive, against dense multiply-accumulates."""

from typing import Any

from torch import Tensor, nn

from spikebench.metric import Running, Unavailable

unit = "1"
process = "timing"

HOROWITZ = {
    "source": "M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014: 45 nm, 32 bit float",
    "mac": 4.6e-12,
    "ac": 0.9e-12,
}
SATA = {  # per operation in pJ, 16 bit; memory accesses are left out
    "source": "R. Yin et al., SATA: Sparsity-Aware Training Accelerator for Spiking Neural Networks, IEEE TCAD 2022",
    **{"mul": 0.239, "acc": 0.0389, "add": 0.00967, "and": 0.000794, "comp": 0.00309, "mux": 0.00172, "reg": 0.0301},
    "shift": 0.00605,
}


def sample(running: Running) -> list[float]:
    """[operations on spikes]: one per nonzero weight under each input of −1, 0 or 1 that is not 0.

    A layer whose input has other values multiplies: its operations are effective MACs, in the detail with the dense
    count and the layers apart. `estimates` has energies by operation count, in J, by the name of the model; they are
    no measurement.
    """
    work = running.workload
    layers = [m for m in work.module.modules() if isinstance(m, nn.Linear)]
    if not layers:
        raise Unavailable("a neuron alone has no synapses: take workload projection or network")
    counted: list[dict[str, float]] = []
    hooks = [layer.register_forward_hook(lambda m, x, out: counted.append(_count(m, x[0], out))) for layer in layers]
    work.launch()
    for hook in hooks:
        hook.remove()
    totals = {key: sum(layer[key] for layer in counted) for key in ("ac", "mac", "dense")}
    neurons = float(sum(layer["neurons"] for layer in counted))
    estimates = {"horowitz_45nm": _horowitz(totals)} | {"sata": _sata(counted, neurons)}
    running.detail |= totals | {"layers": counted, "estimates": estimates}
    running.detail["other_weights"] = _others(work.module)
    return [totals["ac"]]


def _count(layer: nn.Module, x: Tensor, out: Tensor) -> dict[str, float]:
    """Operations of one linear layer; where a gradient comes back, `gradient` is the share of it that is not 0."""
    weight = layer.get_parameter("weight").detach()
    fan_out = (weight != 0).sum(0).double()  # [in]
    active = (x.detach() != 0).flatten(0, -2).sum(0).double()  # [in]
    effective = float(active @ fan_out)
    spikes = bool(((x == 0) | (x.abs() == 1)).all())
    found = {"ac": effective * spikes, "mac": effective * (not spikes), "neurons": out.numel()}
    found |= {"dense": float(x.numel() * weight.shape[0]), "active": float((x != 0).double().mean())}
    if out.requires_grad:
        out.register_hook(lambda g: found.update(gradient=float((g != 0).double().mean())))
    return found


def _horowitz(totals: dict[str, float]) -> dict[str, Any]:
    spiking = totals["ac"] * HOROWITZ["ac"] + totals["mac"] * HOROWITZ["mac"]
    return {
        "label": "estimate",
        "forward_joules": spiking,
        "dense_joules": totals["dense"] * HOROWITZ["mac"],
        "source": HOROWITZ["source"],
    }


def _sata(layers: list[dict[str, float]], neurons: float) -> dict[str, Any]:
    """SATA's counts: forward and weight update cost per arriving spike, the way back per gradient that is not 0."""
    pj = {k: float(v) for k, v in SATA.items() if k != "source"}
    step = pj["add"] + pj["comp"] + 2 * pj["mux"] + 3 * pj["reg"] + pj["shift"]
    arriving = sum(layer["active"] * layer["dense"] for layer in layers)
    found: dict[str, Any] = {"label": "estimate", "source": SATA["source"], "left_out": "memory accesses"}
    found["forward_joules"] = 1e-12 * (neurons * step + arriving * (pj["acc"] + pj["and"]))
    if all("gradient" in layer for layer in layers):
        surrogate = pj["mul"] + 2 * pj["add"] + pj["mux"] + 2 * pj["shift"]
        back = sum(layer["gradient"] * layer["dense"] for layer in layers) * (pj["mul"] + pj["acc"])
        found["backward_joules"] = 1e-12 * (neurons * surrogate + back)
        found["update_joules"] = 1e-12 * arriving * (pj["acc"] + pj["and"])
    return found


def _others(module: nn.Module) -> list[str]:
    """Weights of two and more dimensions outside linear layers, which are not counted."""
    linear = {id(p) for m in module.modules() if isinstance(m, nn.Linear) for p in m.parameters()}
    return [name for name, p in module.named_parameters() if p.dim() > 1 and id(p) not in linear]
