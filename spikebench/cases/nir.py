"""Neurons from and to NIR, the exchange format of spiking networks: what it can say of `lif`, and why the rest is refused.

NIR's equations are continuous; a time step `dt` in seconds makes them ours. With a = exp(−dt/τ), or 1 − dt/τ by Euler's rule
("euler"), and zero v_leak and v_reset (Pedersen et al., Nature Communications 15, 8122, 2024; nir 1.0):

    LIF       τ v' = v_leak − v + r·I          v_t = a·v_{t−1} + (1 − a)·r·I_t
    CubaLIF   τ_syn i' = −i + w_in·I, and v driven by r·i
    IF        v' = r·I                         v_t = v_{t−1} + dt·r·I_t
    all       spike where v > v_threshold, then v = v_reset

`lif` has an input gain of 1 or 1 − decay, so other gains are refused. Surrogates and detached resets are not in NIR.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from spikebench.cases.alike import Chosen, within
from spikebench.cases.options import Options, number
from spikebench.cases.subject import Subject, parse_subject
from spikebench.declarations import Limits
from spikebench.errors import Problem
from spikebench.host import files

Rule = Literal["exact", "euler"]
REFUSED = {"LI": "it emits its membrane and no spikes, and a neuron here emits spikes"}
LIMITS = Limits({"reset": ("hard",), "strict": (True,), "shared": (True,), "refractory": (0,)})
CLOSE = 1e-6  # relative; NIR files mostly hold float32


def subjects(path: Path, dt: float, rule: Rule = "exact") -> dict[str, str | Problem]:
    """The spiking nodes of a NIR file by name: each as a subject, or the Problem that says why it cannot be one."""
    nir = _nir()
    with files.hdf5(path):
        pass
    try:
        graph = nir.read(str(path))
    except (*files.BROKEN, RecursionError, MemoryError) as error:
        text = " ".join(str(error).split())
        raise Problem(f"cannot read {path} as a NIR graph: {type(error).__name__}: {text}") from error
    found: dict[str, str | Problem] = {}
    for name, node in graph.nodes.items():
        if type(node).__name__ in (*READ, *REFUSED):
            try:
                found[name] = str(_read(name, node, dt, rule))
            except Problem as problem:
                found[name] = problem
    if not found:
        kinds = ", ".join(sorted({type(n).__name__ for n in graph.nodes.values()})) or "no nodes"
        raise Problem(f"{path} has no neuron: it holds {kinds}; {', '.join(READ)} can be read")
    return found


def sayable(subject: str) -> Chosen:
    """The subject with what it leaves open as NIR's neurons have it, and a line that says what that is."""
    return within(subject, LIMITS, "NIR's neurons") if parse_subject(subject).name == "lif" else Chosen([subject])


def write(subject: str, path: Path, n: int, dt: float, rule: Rule = "exact") -> None:
    """A graph of one node between input and output, with n neurons; Problem names the option that NIR cannot say."""
    import numpy as np

    nir = _nir()
    kind, values = _node(parse_subject(subject), dt, rule)
    node = getattr(nir, kind)(**{k: np.full(n, v) for k, v in values.items()})
    ends = {"input": nir.Input({"input": np.array([n])}), "output": nir.Output({"output": np.array([n])})}
    graph = nir.NIRGraph(nodes={**ends, "neuron": node}, edges=[("input", "neuron"), ("neuron", "output")])
    path.parent.mkdir(parents=True, exist_ok=True)
    nir.write(str(path), graph)


def _nir() -> Any:
    try:
        import nir
    except ImportError as error:
        raise Problem("NIR files need the package nir: pip install -e '.[nir]'") from error
    return nir


def _read(name: str, node: Any, dt: float, rule: Rule) -> Subject:
    kind = type(node).__name__
    if kind in REFUSED:
        raise Problem(f"node {name!r} is a {kind}: {REFUSED[kind]}")
    values = {k: _one(name, k, getattr(node, k)) for k in READ[kind]}
    for zero in ("v_leak", "v_reset"):
        if values.pop(zero, 0.0) != 0:
            raise Problem(f"node {name!r} has {zero} other than 0, which lif has not")
    given: Options = {"threshold": values["v_threshold"], "reset": "hard", "strict": "true"}
    decay = 1.0 if kind == "IF" else _decay(name, values["tau" if kind == "LIF" else "tau_mem"], dt, rule)
    gain = values["r"] * (dt if kind == "IF" else 1.0)  # before 1 − decay
    if kind == "CubaLIF":
        given["synapse_decay"] = synapse = _decay(name, values["tau_syn"], dt, rule)
        gain *= values["w_in"] * (1 - synapse)
    scales = {"one": gain * (1.0 if kind == "IF" else 1 - decay), "1-decay": gain if kind != "IF" else math.nan}
    scale = next((s for s, g in scales.items() if math.isclose(g, 1.0, rel_tol=CLOSE)), None)
    if scale is None:
        raise Problem(f"node {name!r} scales its input by {scales['one']:.6g}; lif by 1 or 1 − decay = {1 - decay:.6g}")
    given |= {"decay": decay, "input_scale": scale}
    return parse_subject(f"lif[{','.join(f'{k}={v}' for k, v in given.items())}]")


READ: Mapping[str, tuple[str, ...]] = {
    "LIF": ("tau", "r", "v_leak", "v_threshold", "v_reset"),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"),
    "IF": ("r", "v_threshold", "v_reset"),
}


def _one(node: str, name: str, values: Any) -> float:
    """The value that all neurons of a node share."""
    import numpy as np

    given = np.asarray(0.0 if values is None else values)
    if given.dtype.kind not in "iuf":
        raise Problem(f"node {node!r} has a {name} of type {given.dtype}, which should be numbers")
    found = np.unique(given.astype(float))
    if len(found) != 1 or not math.isfinite(found[0]):
        ends = f"{found.min():.6g} to {found.max():.6g}" if len(found) else "none"
        raise Problem(f"node {node!r} has a {name} per neuron ({ends}), and lif has one for all")
    return float(f"{found[0]:.9g}")


def _decay(node: str, tau: float, dt: float, rule: Rule) -> float:
    if not tau > 0 or (rule == "euler" and tau <= dt):
        raise Problem(f"node {node!r} has τ = {tau:g} s, too short for steps of {dt:g} s; give another --dt")
    return float(f"{math.exp(-dt / tau) if rule == 'exact' else 1 - dt / tau:.9g}")


def _tau(decay: float, dt: float, rule: Rule) -> float:
    return -dt / math.log(decay) if rule == "exact" else dt / (1 - decay)


def _node(subject: Subject, dt: float, rule: Rule) -> tuple[str, dict[str, float]]:
    """The kind of a NIR node and its values."""
    o = subject.all_options
    if subject.name != "lif":
        raise Problem(f"NIR has no {subject.name}; of the neurons here it can say lif[reset=hard,strict=true]")
    for option, (needed,) in LIMITS.can.items():
        if o[option] != needed:
            need = str(needed).lower()
            raise Problem(
                f"{subject} has {option}={str(o[option]).lower()}; NIR's neurons have {option}={need}, give that"
            )
    decay, synapse = number(o["decay"]), None if o["synapse_decay"] is None else number(o["synapse_decay"])
    common = {"v_threshold": number(o["threshold"]), "v_reset": 0.0}
    if decay == 1 and synapse is None and o["input_scale"] == "one":
        return "IF", common | {"r": 1 / dt}
    if not 0 < decay < 1 or (synapse is not None and not 0 < synapse < 1):
        raise Problem(f"{subject} has decays that no time constant gives: NIR takes those between 0 and 1")
    r = 1.0 if o["input_scale"] == "1-decay" else 1 / (1 - decay)
    common |= {"v_leak": 0.0, "r": r}
    if synapse is None:
        return "LIF", common | {"tau": _tau(decay, dt, rule)}
    times = {"tau_mem": _tau(decay, dt, rule), "tau_syn": _tau(synapse, dt, rule)}
    return "CubaLIF", common | times | {"w_in": 1 / (1 - synapse)}
