"""SEW, MS and plain stacks against their equations in NumPy, forward and backward; what is wrong in one place is told."""

from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from spikebench.backend import Refused
from spikebench.cases.case import Case, NetworkStep, expect
from spikebench.cases.named import parse_network
from spikebench.cases.recipe import Recipe
from spikebench.errors import Problem
from spikebench.networks import _norms, _residual
from spikebench.neurons.lif import LIF
from spikebench.task import Dataset, Sequences
from spikebench.verify import network_gate
from spikebench.workloads import network, training
from spikebench.workloads.network import build, layer_rates
from tests.spoiled import spoiled
from tests.verify.test_inside import timed

Array = NDArray[np.float64]
Fire = Callable[[Array], Array]
T, B, C, WIDTH, CLASSES = 5, 3, 2, 4, 3
FORMS = [("sew", "add"), ("sew", "and"), ("sew", "iand"), ("ms", "add"), ("none", "add")]
NORMS = ("none", "batch", "tdbn", "tebn", "bntt", "bntt_loop")


pytestmark = pytest.mark.usefixtures("one_thread")


def spiking(x: Array) -> Array:
    """LIF with decay 0.9, threshold 1 and soft reset, as a loop."""
    v, out = np.zeros_like(x[0]), np.zeros_like(x)
    for t, x_t in enumerate(x):
        u = 0.9 * v + x_t
        out[t] = u >= 1
        v = u - out[t]
    return out


def smooth(x: Array) -> Array:
    """A neuron with a derivative, which remembers: a leaky sum through a sigmoid."""
    v, out = np.zeros_like(x[0]), np.zeros_like(x)
    for t, x_t in enumerate(x):
        v = 0.5 * v + x_t
        out[t] = 1 / (1 + np.exp(-v))
    return out


class Smooth(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        v, out = torch.zeros_like(x[0]), []
        for x_t in x:
            v = 0.5 * v + x_t
            out.append(torch.sigmoid(v))
        return torch.stack(out)


def normed(p: dict[str, Array], at: str, x: Array, norm: str) -> Array:
    """x [T, B, C, …] normed with batch statistics, each channel by itself, and for BNTT each step."""
    out = np.empty_like(x)
    spans = [slice(t, t + 1) for t in range(len(x))] if norm.startswith("bntt") else [slice(None)]
    for c in range(x.shape[2]):
        for t, span in enumerate(spans):
            part = x[span, :, c]
            scaled = (part - part.mean()) / np.sqrt(part.var() + (1e-4 if norm.startswith("bntt") else 1e-5))
            if norm == "bntt":
                out[span, :, c] = p[f"{at}.norm.weight"][t * x.shape[2] + c] * scaled
            elif norm == "bntt_loop":
                out[span, :, c] = p[f"{at}.norms.{t}.weight"][c] * scaled
            else:
                out[span, :, c] = p[f"{at}.weight"][c] * scaled + p[f"{at}.bias"][c]
    if norm == "tebn":
        for t in range(len(x)):
            out[t] *= p[f"{at}.p"][t]
    return out


def currents(p: dict[str, Array], at: str, x: Array, norm: str, stride: int = 1) -> Array:
    """W x and its norm; a convolution is a sum over the offsets of its kernel."""
    w, bias = p[f"{at}.synapses.weight"], p.get(f"{at}.synapses.bias")
    if w.ndim == 2:
        out = np.einsum("tbi,oi->tbo", x, w)
    else:
        reach, side = w.shape[-1] // 2, x.shape[-1]
        wide, out = np.pad(x, [(0, 0)] * 3 + [(reach, reach)] * 2), np.zeros(())
        for i in range(2 * reach + 1):
            for j in range(2 * reach + 1):
                part = wide[..., i : i + side : stride, j : j + side : stride]
                out = out + np.einsum("tbchw,oc->tbohw", part, w[:, :, i, j])
    if bias is not None:
        out += bias.reshape(-1, *(1,) * (w.ndim - 2))
    return out if norm == "none" else normed(p, f"{at}.norm", out, norm)


def by_hand(net: _residual.ResidualNetwork, x: Array, fire: Fire, moved: dict[str, Array] | None = None) -> Array:
    """The logits from the equations of the two papers; `moved` are other values of some parameters."""
    p = {k: v.detach().numpy() for k, v in net.state_dict().items()} | (moved or {})
    form = net.form
    if net.image[1]:
        x = x.reshape(*x.shape[:2], *net.image)
    x = currents(p, "stem", x, form.norm)
    x = x if form.residual == "ms" else fire(x)
    for k in range(len(net.blocks)):
        at = f"blocks.{k}"
        stride = 2 if p[f"{at}.first.synapses.weight"].shape[0] > x.shape[2] else 1
        short = currents(p, f"{at}.joins", x, form.norm, 2) if f"{at}.joins.synapses.weight" in p else x
        if form.residual == "ms":
            y = currents(p, f"{at}.first", fire(x), form.norm, stride)
            x = currents(p, f"{at}.second", fire(y), form.norm) + short
            continue
        short = fire(short) if short is not x else x
        s = fire(currents(p, f"{at}.second", fire(currents(p, f"{at}.first", x, form.norm, stride)), form.norm))
        if form.residual == "none":
            x = s
        else:
            x = {"add": s + short, "and": s * short, "iand": short - s * short}[form.connect]
    x = fire(x) if form.residual == "ms" else x
    axes = (0,) if x.ndim == 3 else (0, 3, 4)
    return x.mean(axes) @ p["readout.weight"].T + p["readout.bias"]


def made(
    residual: str = "sew",
    connect: str = "add",
    norm: str = "batch",
    side: int = 0,
    stages: int = 1,
    neuron: type[nn.Module] = LIF,
    within: ModuleType = _residual,
) -> Any:
    """A small network in float64, its norms at other numbers than they start with."""
    torch.manual_seed(4)
    form = within.Form(lambda n: neuron(), residual, connect, norm, T)
    net = within.ResidualNetwork(form, 2, WIDTH, 2, CLASSES, side=side, stages=stages).double()
    for name, p in net.named_parameters():
        if p.ndim == 1 and "readout" not in name:
            p.data.uniform_(0.5, 1.5)
    return net


def batch(side: int) -> torch.Tensor:
    torch.manual_seed(5)
    return torch.randn(T, B, 2 * max(1, side) ** 2, dtype=torch.float64)


def off(net: Any, x: torch.Tensor, fire: Fire, seed: int = 6) -> float:
    """How far logits, and with a smooth neuron the gradients, are from what the equations give.

    The gradient is compared along one direction of all parameters with a central difference of the equations.
    """
    logits = net(x)
    wrong = float(np.abs(logits.detach().numpy() - by_hand(net, x.numpy(), fire)).max())
    if fire is spiking:
        return wrong
    random = np.random.default_rng(seed)
    weights = random.normal(size=logits.shape)
    logits.backward(torch.from_numpy(weights))
    along = {name: (p, random.normal(size=p.shape)) for name, p in net.named_parameters()}
    ends = [
        by_hand(net, x.numpy(), fire, {name: p.detach().numpy() + h * d for name, (p, d) in along.items()})
        for h in (1e-6, -1e-6)
    ]
    want = float(((ends[0] - ends[1]) * weights).sum() / 2e-6)
    return max(
        wrong,
        abs(sum(float((p.grad * torch.from_numpy(d)).sum()) for p, d in along.values() if p.grad is not None) - want),
    )


@pytest.mark.parametrize(("residual", "connect"), FORMS)
@pytest.mark.parametrize(("side", "stages"), [(0, 1), (5, 1), (5, 2)])
def test_networks_are_what_their_equations_say(residual: str, connect: str, side: int, stages: int) -> None:
    net = made(residual, connect, "batch", side, stages)
    x = batch(side)
    assert off(net, x, spiking) < 1e-9
    assert all(0.02 < rate < 0.98 for rate in rates(net, x)), "spikes that never change would test nothing"
    assert off(made(residual, connect, "batch", side, stages, Smooth), x, smooth) < 1e-7


def rates(net: nn.Module, x: torch.Tensor) -> list[float]:
    found: list[float] = []
    for fires in net.modules():
        if isinstance(fires, _residual.Fires):
            fires.register_forward_hook(lambda m, a, out: found.append(float(out.detach().mean())))
    net(x)
    return found


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("side", [0, 4])
def test_norms_are_what_their_equations_say(norm: str, side: int) -> None:
    x = batch(side)
    assert off(made("sew", "add", norm, side), x, spiking) < 1e-9
    assert off(made("ms", "add", norm, side, 1, Smooth), x, smooth) < 1e-7


def test_norms_start_as_published_and_remember() -> None:
    torch.manual_seed(0)
    x = torch.randn(T, 8, WIDTH)
    threshold = _norms.made("tdbn", WIDTH, T, lambda n: LIF(threshold=0.3))
    assert isinstance(threshold, nn.BatchNorm1d) and threshold.weight.eq(0.3).all() and threshold.bias.eq(0).all()
    effective = _norms.made("tebn", WIDTH, T, lambda n: LIF())
    torch.testing.assert_close(effective(x), _norms.made("batch", WIDTH, T, lambda n: LIF())(x))
    one, many = (_norms.made(norm, WIDTH, T, lambda n: LIF()) for norm in ("bntt", "bntt_loop"))
    torch.testing.assert_close(one(x), many(x))
    assert sum(p.numel() for p in one.parameters()) == T * WIDTH == sum(p.numel() for p in many.parameters())
    one.eval()
    many.eval()
    torch.testing.assert_close(one(x), many(x))
    assert not torch.allclose(one(x), one.train()(x)), "evaluation takes the running statistics"


@pytest.mark.parametrize("norm", ["tdbn", "tebn", "bntt"])
def test_a_training_has_its_norm_by_the_recipe(norm: str) -> None:
    split = Sequences.of([torch.randn(T, C, generator=torch.manual_seed(k)) for k in range(8)], [0, 1] * 4, T)
    data = Dataset("noisy", split, split, C, 2, T, {})
    recipe: Any = {"hidden": (WIDTH,), "norm": norm}
    net: Any = training.build(data, lambda n: LIF(threshold=0.5), Recipe(**recipe))
    x, mask = torch.randn(T, 8, C), (torch.arange(T)[:, None] < torch.tensor([T, 3] * 4))
    own, currents = net.norms[0], net.linears[0](x)
    if norm == "bntt":
        with pytest.raises(Refused, match="late steps are padding"):
            net(x, mask)
        means = own(currents).detach().mean(1)
        torch.testing.assert_close(means, torch.zeros_like(means), atol=1e-5, rtol=0)
        return
    rows, scale = currents[mask].detach(), 0.5 if norm == "tdbn" else 1.0
    want = scale * (rows - rows.mean(0)) / (rows.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(own(currents, mask)[mask], want)
    assert net(x, mask).shape == (8, 2)


@pytest.mark.parametrize(
    "changes", [{"norm": "layer"}, {"norm": "tebn", "batch_norm": False}, {"norm": "tdbn", "network": "psu_shd"}]
)
def test_a_norm_that_a_network_has_not_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Problem, match=f"norm={changes['norm']}"):
        Recipe(**changes)


SEW, LINEAR, SMALLER = ("sew", "add", "batch"), (0, 1), (5, 2)
MUTANTS: list[tuple[str, tuple[str, str, str], tuple[int, int], str, str]] = [
    ("_residual", ("sew", "iand", "batch"), LINEAR, "(1 - s) * x", "1 - s * x"),
    ("_residual", ("sew", "and", "batch"), LINEAR, "lambda s, x: s * x", "lambda s, x: s + x"),
    ("_residual", ("ms", "add", "batch"), LINEAR, "(self.one(x)))) + self.shortcut(x)", "(self.one(x)))) + self.shortcut(x).detach()"),
    ("_residual", ("ms", "add", "batch"), LINEAR, "self.two(self.first(self.one(x)))", "self.first(self.two(self.one(x)))"),
    ("_residual", ("ms", "add", "batch"), LINEAR, "(self.fires, *self.blocks, self.last)", "(self.fires, *self.blocks)"),
    ("_residual", SEW, SMALLER, "(s, self.shortcut(x))", "(s, x if self.joins is None else self.joins(x))"),
    ("_residual", SEW, LINEAR, "(s, self.shortcut(x))", "(s, self.shortcut(x).detach())"),
    ("_residual", SEW, LINEAR, "self.two(self.second(self.one(self.first(x))))", "self.two(self.second(self.first(x)))"),
    ("_residual", SEW, LINEAR, "(self.fires, *self.blocks, self.last)", "(*self.blocks, self.last)"),
    ("_residual", SEW, LINEAR, "x.mean(0) if flat", "x[-1] if flat"),
    ("_residual", SEW, SMALLER, "x.mean((0, -2, -1))", "x.mean(0).amax((-2, -1))"),
    ("_residual", SEW, SMALLER, "(x.flatten(0, 1)).unflatten(0, x.shape[:2])", "(x.transpose(0, 1).flatten(0, 1)).unflatten(0, x.shape[:2])"),
    ("_residual", SEW, SMALLER, "spikes.unflatten(-1, self.shape)", "spikes.unflatten(-1, self.shape).transpose(-1, -2)"),
    ("_residual", SEW, SMALLER, "(side + 1) // 2", "side // 2"),
    ("_norms", ("sew", "add", "tebn"), LINEAR, "* self.p[: len(x)].view(-1", "* self.p[: len(x)].flip(0).view(-1"),
    ("_norms", ("sew", "add", "tebn"), LINEAR, "super().forward(x, mask) * self.p", "super().forward(x, mask) + 0 * self.p"),
    ("_norms", ("sew", "add", "bntt"), LINEAR, "eps=1e-4", "eps=1e-5"),
    ("_norms", ("sew", "add", "bntt"), LINEAR, "made.bias = None", "made.bias.data += 0.1"),
    ("_norms", ("sew", "add", "bntt"), LINEAR, "rows = x.transpose(0, 1)", "rows = x.flip(0).transpose(0, 1)"),
    ("_norms", ("sew", "add", "bntt"), LINEAR, ".view(rows.shape).transpose(0, 1)", ".view(rows.shape).transpose(0, 1).flip(0)"),
    ("_norms", ("sew", "add", "bntt_loop"), LINEAR, "zip(self.norms, x.unbind(0)", "zip([self.norms[0]] * len(x), x.unbind(0)"),
    ("_norms", ("sew", "add", "batch"), SMALLER, "return StepNorm(channels)", "return EffectiveNorm(channels, T)"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "form", "sizes", "right", "wrong"), MUTANTS)
def test_what_is_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    form: tuple[str, str, str],
    sizes: tuple[int, int],
    right: str,
    wrong: str,
) -> None:
    assert off(made(*form, *sizes, Smooth), batch(sizes[0]), smooth) < 1e-7
    module = spoiled(
        monkeypatch, right, wrong, *(f"spikebench.networks.{each}" for each in (file, "_norms", "_residual"))
    )
    with suppress(RuntimeError, KeyError, ValueError):  # shapes that do not fit
        assert off(made(*form, *sizes, Smooth, module), batch(sizes[0]), smooth) > 1e-6


STACK, RESNET = "stack[width=8,blocks=2,channels=6]", "resnet[width=3,blocks=2,side=5,stages=2]"


def case_of(subject: str, text: str, **more: Any) -> NetworkStep:
    sizes: dict[str, Any] = {"T": 12, "B": 3} | more
    return expect(Case(subject, workload="network", network=text, **sizes), NetworkStep)


def test_a_case_names_its_blocks_and_their_options() -> None:
    named = parse_network("stack[residual=ms, norm=batch, blocks=16, connect=add]")
    assert str(named) == "stack[blocks=16,residual=ms]" and named.depth == 32, "what is as published is left out"
    assert named.choices == {"residual": "ms", "connect": "add", "norm": "batch", "zero_init": False}
    case = case_of("lif@eager", "resnet[side=28]")
    assert case.gated.N == 16 * 28 * 28 and case.products == 12 * 3 * 28 * 28 and case.N == 16
    assert Case.from_json(case.to_json()) == case
    assert str(parse_network("projection[layers=1]")) == "projection"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("stack[residual=dense]", "residual=dense is not an option of network 'stack'; there are sew, ms, none"),
        ("stack[layers=2]", "no option 'layers' for network 'stack'; there are width, blocks, channels, classes, residual"),
        ("resnet[stages=0]", r"stages=0 of network 'resnet' must lie in \[1, inf\)"),
        ("resnet[side=0]", "side=0 is not a size"),
        ("stack[zero_init=1]", "zero_init=1 of network 'stack' must be bool"),
    ],
)  # fmt: skip
def test_what_is_no_network_gets_one_line(text: str, complaint: str) -> None:
    with pytest.raises(Problem, match=complaint):
        parse_network(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("resnet[blocks=1,stages=2]", "stages=2: each has a block"),
        ("stack[residual=ms,connect=and]", "connect=and"),
        ("stack[norm=none,zero_init=true]", "zero_init=true"),
        ("stack[residual=none,zero_init=true]", "zero_init=true"),
        ("stack[connect=and,norm=bntt,zero_init=true]", "takes a bias, which norm=bntt has not"),
    ],
)
def test_options_without_effect_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(Problem, match=complaint):
        build(case_of("lif@eager", text))


@pytest.mark.parametrize(
    ("text", "options"),
    [(STACK, "residual=ms,norm=none"), (RESNET, "residual=ms"), (RESNET, "norm=tebn"), (STACK, "residual=none")],
)
def test_layers_fire_at_the_cases_rate(text: str, options: str) -> None:
    text = text.replace("]", f",{options}]") if options else text
    work = build(case_of("lif@eager", text, T=100))
    assert layer_rates(work) == pytest.approx([0.3] * len(layer_rates(work)), rel=0.3)
    held = work.module
    assert isinstance(held, _residual.ResidualNetwork) and not any("forward" in vars(m) for m in held.neurons)
    other = build(case_of("lif@indexed", text, T=100))
    assert all(a.equal(b) for a, b in zip(work.parameters, other.parameters, strict=True))


def test_blocks_can_start_as_their_shortcuts() -> None:
    forms = [("sew", "add", "batch"), ("sew", "and", "batch"), ("sew", "iand", "bntt_loop"), ("ms", "add", "bntt")]
    for residual, connect, norm in forms:
        text = f"stack[width=8,blocks=2,channels=6,residual={residual},connect={connect},norm={norm},zero_init=true]"
        work = build(case_of("lif@eager", text))
        net = work.module
        assert isinstance(net, _residual.ResidualNetwork)
        x = (torch.rand(12, 3, 8) < 0.3).float()
        assert all(torch.equal(block(x), x) for block in net.blocks), "after the biases were moved"
        work.launch()
        assert all(p.grad is not None and p.grad.eq(0).all() for n, p in net.named_parameters() if "first.syn" in n)


RIGHT = [(STACK, "residual=ms"), (RESNET, ""), (RESNET, "residual=ms")]
SLOW = [(STACK, ""), (STACK, "residual=none"), (RESNET, "residual=none"), (RESNET, "norm=bntt"), (STACK, "norm=tebn")]


def passes(subject: str, text: str, options: str) -> None:
    case = case_of(subject, text.replace("]", f",{options}]") if options else text)
    found = network_gate.compare(case)
    assert (found.status, found.dtype) == ("passed", "float64"), found.reason
    assert found.layers == len(layer_rates(build(case)))
    assert timed(case, 3) is None


@pytest.mark.parametrize(("text", "options"), RIGHT)
def test_right_networks_pass_the_gate_and_are_timed(text: str, options: str) -> None:
    passes("lif@indexed", text, options)


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["lif@indexed", "lif@cpu", "psn@cpu", "spsn@cpu", "psu@cpu"])
@pytest.mark.parametrize(("text", "options"), RIGHT + SLOW)
def test_every_kind_passes_with_every_neuron(subject: str, text: str, options: str) -> None:
    passes(subject, text, options)


@pytest.mark.parametrize("what", ["output", "gradient"])
def test_a_backend_that_is_wrong_on_maps_alone_is_caught(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikebench.backends import indexed

    right = indexed.run

    def wrong(neuron: Any, x: torch.Tensor, seed: int | None = None) -> torch.Tensor:
        if x.shape[-1] != 3 * 25:  # the layers of the first stage
            return right(neuron, x, seed)
        return right(neuron, x + 0.01 if what == "output" else x * 0.5 + x.detach() * 0.5, seed)

    monkeypatch.setattr(indexed, "run", wrong)
    found = network_gate.compare(case_of("lif@indexed", RESNET))
    assert found.status == "failed" and found.reason
    assert found.reason.startswith("the output" if what == "output" else "the gradient of a weight")


def test_images_stand_still_and_maps_are_named() -> None:
    work = network.build(case_of("lif@eager", RESNET))
    assert work.x.shape == (12, 3, 25) and work.x[0].equal(work.x[-1])
    net = work.module
    assert isinstance(net, _residual.ResidualNetwork)
    assert net.maps == [(3, 5, 5), (3, 5, 5), (3, 5, 5), (6, 3, 3), (6, 3, 3), (6, 3, 3)]
    assert network.build(case_of("lif@eager", STACK)).module.maps == []
