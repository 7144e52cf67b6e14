"""A scheme with one thing wrong is told from the definition and from the oracle, and the gate gives it no number."""

from collections.abc import Callable
from importlib import import_module

import pytest
import torch

from spikebench import scheme
from spikebench.cases.case import Case, NetworkStep
from spikebench.verify import scheme_gate
from tests.schemes.test_schemes import SCHEMES, batch, flat, in_numpy, lif, made, off
from tests.spoiled import spoiled

pytestmark = pytest.mark.usefixtures("one_thread")

SHARED, ANN = "_online", "_ann"
MUTANTS: dict[str, list[tuple[str, str, str]]] = {  # the file, what stands there, and what is wrong
    "bptt": [
        ("bptt", "stack.spikes(x, mask)", "stack.spikes(x, mask).detach()"),
        ("bptt", "shares(x, mask))\n    found", "shares(x, None))\n    found"),
        ("bptt", "stack.spikes(x, mask)", "stack.spikes(x.flip(0), mask)"),
        ("bptt", "loss_of(o, labels", "loss_of(o, labels.flip(0)"),
        ("bptt", "else g for p, g", "else -g for p, g"),
        ("bptt", "else g for p, g", "else g * (1 + 1e-5) for p, g"),
    ],
    "ottt": [
        (SHARED, "alpha=decay", "alpha=1.0"),
        (SHARED, "else torch.add(s, old", "else torch.add(0 * s, old"),
        (SHARED, "alpha=decay", "alpha=decay * 0.99999"),
        ("ottt", "decays[-1] if readout_trace else None", "None"),
        ("ottt", "decays[0] if input_trace else None", "decays[0]"),
        (SHARED, "sums[layer.bias] += delta", "sums[layer.bias] = own[layer.bias] = delta"),
    ],
    "sltt": [
        ("sltt", "(None,) *", "(0.5,) *"),
        (SHARED, "s, _, state = neuron.step(current, state)", "s, _, state = neuron.step(current, neuron.initial(current))"),
        (SHARED, "currents.append(_through(self.readout, s))", "currents.append(_through(self.readout, s) * 0.9)"),
        (SHARED, "labels, share[t])", "labels, share[0])"),
        (SHARED, "before.append(self._before(number, s))", "before.append(self._before(number, s).abs())"),
        (SHARED, "sums[layer.weight].addmm_(delta.t(), a)", "sums[layer.weight].addmm_(delta.t(), a, alpha=0.999)"),
        (SHARED, "labels, share[t])", "labels.flip(0), share[t])"),
    ],
    "sltt_k": [
        ("sltt_k", "[:k].tolist()", "[: k + 1].tolist()"),
        ("sltt_k", "[:k].tolist()", "[k:].tolist()"),
        ("sltt_k", "torch.randperm(steps)", "torch.arange(steps)"),
        (SHARED, "or t in rule.steps\n        with", "or t not in rule.steps\n        with"),
        (SHARED, "            currents, before = loop.step(x[t])\n            if not learns:\n                continue", "            if not learns:\n                continue\n            currents, before = loop.step(x[t])"),
    ],
    "snn2ann": [
        ("snn2ann", "n * (r > 0)", "n"),
        ("snn2ann", "+ steps * linear.bias).relu()", "+ linear.bias).relu()"),
        ("snn2ann", "functional.linear(z / steps", "functional.linear(z"),
        ("snn2ann", "return count.clone()", "return r.clone()"),
        ("snn2ann", "return grad, None", "return grad * 0.999, None"),
        (ANN, "else s * mask[t, :, None]", "else s"),
    ],
    "proxy": [
        ("proxy", "a = linear(a).relu()", "a = linear(a)"),
        ("proxy", "2 * away / away.numel())", "2 * away / len(away))"),
        ("proxy", "fires=True)[-1], _ann.mean", "fires=True)[-1] / len(x), _ann.mean"),
        ("proxy", "_ann.mean(x, mask)\n    for linear in _ann.linears(stack):\n        a = ", "_ann.summed(x, mask)\n    for linear in _ann.linears(stack):\n        a = "),
        (ANN, "s, _, states[number] = neuron.step(current, states[number])", "s, _, states[number] = neuron.step(current, states[0])"),
    ],
    "noise_step": [
        ("noise_step", "neuron.step(current + _noise(current, mean, spread)", "neuron.step(current + _noise(current, 0.0, spread)[:1]"),
        ("noise_step", "return (mean + spread * drawn)", "return (mean - spread * drawn)"),
        ("noise_step", "return (mean + spread * drawn)", "return (mean + spread * drawn.abs())"),
        ("noise_step", "s = _ann.mean(x, mask)", "s = _ann.mean(x, None)"),
        ("noise_step", "s = _ann.mean(x, mask)", "s = x[-1]"),
        ("noise_step", "neuron.initial(current.detach()))[0]", "neuron.initial(current.detach()))[0].detach()"),
    ],
    "hoyer": [
        ("hoyer", "return 0.5 * grad", "return grad"),
        ("hoyer", "(z < 1) if", "(z < 1.5) if"),
        ("hoyer", "c.square()))", "c))"),
        ("hoyer", "z.double().clamp(0, 1)", "z.double().clamp(0, 2)"),
        ("hoyer", "torch.where(one > 0, two / one, 1.0)", "torch.where(one > 0, 0.9 * two / one, 1.0)"),
        ("hoyer", "(z >= level).to(z.dtype)\n\n    @static", "(z >= 1).to(z.dtype)\n\n    @static"),
        ("hoyer", "_ann.mean(x, mask), x.new_zeros", "_ann.mean(x, None), x.new_zeros"),
    ],
    "sparse": [
        ("sparse", "alpha=row.decay", "alpha=1.0"),
        ("sparse", "later[place], weight = back[0].clone(),", "later[place], weight = None,"),
        ("sparse", "(z.abs() < reach).flatten()", "(z < reach).flatten()"),
        ("sparse", "e.view(-1)[active] =", "e.view(-1)[:] = (back @ weight).view(-1); e.view(-1)[active] ="),
        ("sparse", "* row.slope(kept.z)", "* row.slope(0 * kept.z)"),
        ("sparse", "labels, share[here], total)", "labels, share[:len(s)], total)"),
        ("sparse", "if row.state is None else row.state", "if t == 0 else row.state"),
    ],
    "conversion": [
        ("conversion", "a = linear(a).relu()\n        a = a if top is None else torch.minimum(a, top)\n    return", "a = linear(a)\n    return"),
        ("conversion", "a = linear(a).relu()\n        a = a if top is None else torch.minimum(a, top)\n    return", "a = linear(a).relu().clamp_max(1)\n    return"),
        ("conversion", "stack.readout(a), labels", "stack.readout(a), labels.flip(0)"),
        ("conversion", "a = _ann.mean(x, mask)\n", "a = _ann.summed(x, mask)\n"),
        ("conversion", "a = _ann.mean(x, mask)\n", "a = _ann.mean(x, None)\n"),
        (ANN, "loss_of(o, labels, o.new_full((len(labels),), 1 / len(labels)))", "loss_of(o, labels, o.new_full((len(labels),), 1.0))"),
    ],
}  # fmt: skip


UNSEEN = {  # what only samples of different lengths tell, or an input below 0: a case of the gate has neither
    ("sltt", "before.append(self._before(number, s).abs())"),
    ("sparse", "labels, share[:len(s)], total)"),
    ("bptt", "shares(x, None))\n    found"),
    ("sltt", "labels, share[0])"),
    ("snn2ann", "else s"),
    ("noise_step", "s = _ann.mean(x, None)"),
    ("hoyer", "_ann.mean(x, None), x.new_zeros"),
    ("conversion", "a = _ann.mean(x, None)\n"),
}


@pytest.mark.parametrize(("name", "file", "right", "wrong"), [(n, *m) for n, ms in MUTANTS.items() for m in ms])
def test_what_is_wrong_is_told(monkeypatch: pytest.MonkeyPatch, name: str, file: str, right: str, wrong: str) -> None:
    definition = vars(scheme.load(name))["definition"]
    module = spoiled(monkeypatch, right, wrong, *(f"spikebench.schemes.{each}" for each in (file, SHARED, ANN, name)))
    if name == "sparse":
        monkeypatch.setattr(module, "PIECE", 4)
    x, y, mask = batch()

    def error(compute: Callable[..., tuple[torch.Tensor, scheme.Gradients]]) -> float:
        stack, worst = made(lif(name)), 0.0
        for held in (None, mask):
            torch.manual_seed(3)
            given = None if held is None else held.numpy()
            loss, want = import_module(f"oracles.{name}").gradients(in_numpy(stack), x.numpy(), y.numpy(), given)
            torch.manual_seed(3)
            mine, found = compute(stack, x, y, held)
            worst = max(worst, off(flat(stack, found), want), abs(float(mine) - loss))
        return worst

    try:
        told = error(module.gradients) > 1e-6
    except RuntimeError:
        told = True  # a graph that was freed
    assert told
    monkeypatch.setattr(module, "definition", definition)  # the right one, where a shared file is wrong
    try:
        found = scheme_gate.compare(gated(name))
    except RuntimeError:
        return
    assert found.status == ("passed" if (name, wrong) in UNSEEN else "failed")
    assert found.status == "passed" or "from that of the definition" in str(found.reason)


def test_every_scheme_has_five_that_the_gate_tells() -> None:
    assert set(MUTANTS) == set(SCHEMES)
    assert all(sum((name, wrong) not in UNSEEN for *_, wrong in each) >= 5 for name, each in MUTANTS.items())


def gated(name: str) -> NetworkStep:
    """A small case on three layers, whose readout neurons fire, too, where they have any."""
    case = Case(
        f"{lif(name)}+{name}", T=12, B=2, workload="network", network="shd[channels=12,width=16,classes=6]", rate=0.7
    )
    assert isinstance(case, NetworkStep) and case.named.sizes["layers"] == 3 and case.dtype == "float32"
    return case


@pytest.mark.parametrize("name", SCHEMES)
def test_the_gate_passes_every_scheme_on_three_layers(name: str) -> None:
    """A case in float32 is compared in float64 first; what steps through time itself then in its own precision, too."""
    found = scheme_gate.compare(gated(name))
    assert found.status == "passed" and found.gradient_error is not None and found.gradient_error < 1e-8
