"""Run by test_operator.py under TRITON_INTERPRET=1: networks with fused layers, compiled and exported without a break."""

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

import spikebench as sb
from spikebench.backend import Refused
from spikebench.backends.triton import _launch
from spikebench.neuron import StochasticNeuron

SUBJECTS = [
    "lif@triton",
    "lif[learn_decay=True,learn_threshold=True,input_scale=1-decay]@triton",
    "lif@triton[save=checkpoints,rows=4]",
    "lif[reset=hard,surrogate=triangle]@triton[chunk=4]",
    "exodus[learn_decay=True,norm_input=True]@triton",
    "slayer@triton",
    "psu@triton",
    "para_lif[mode=td,threshold=0.02,surrogate=atan,slope=2.0]@triton[chunk=4]",
    "prf[threshold=0.2]@triton",
    "prf_lif@triton",
    "plif[shared=False]@triton",
    "c_silif@triton",
    "silif[threshold=0.2]@triton",
    "s5_rf[threshold=0.2]@triton",
    "dsn[threshold=0.2]@triton",
    "rpsu@triton",
    "psn@triton",
    "masked_psn@triton",
    "ipsu@triton",
    "sliding_psn@triton",
    "spsn@triton",
    "spsn[mode=gs]@triton[chunk=4]",
    "spike_sampler[state=4]@triton",
    "spike_sampler[state=4]@triton[form=dot,chunk=16]",
]


def network(subject: str) -> tuple[nn.Sequential, Tensor]:
    torch.manual_seed(0)
    torch._dynamo.reset()
    net = nn.Sequential(nn.Linear(5, 7), sb.neuron(subject, N=7, T=9), nn.Linear(7, 3))
    return net, torch.randn(9, 2, 5) * 3


def gradients(net: nn.Module, out: Tensor, x: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(out.square().sum(), [x, *net.parameters()]))


@pytest.mark.parametrize("subject, backend", [("lif@triton", "eager"), *((s, "aot_eager") for s in SUBJECTS)])
def test_a_compiled_network_computes_what_it_does_in_eager_mode(subject: str, backend: str) -> None:
    net, x = network(subject)
    x.requires_grad_()
    compiled = torch.compile(net, fullgraph=True, backend=backend)
    of_next_call(net)
    out = net(x)
    of_next_call(net)
    found = compiled(x)
    assert torch.equal(found, out) and 0 < float(out.detach().std())
    expected = gradients(net, out, x)
    assert all(torch.equal(a, b) for a, b in zip(gradients(net, found, x), expected, strict=True))
    assert all(float(g.abs().max()) > 0 for g in expected[:3])
    of_next_call(net)
    with torch.no_grad():
        assert torch.equal(compiled(x), out)


def of_next_call(net: nn.Sequential) -> None:
    """Sets a neuron that draws back, so that its next call has the noise of this number again."""
    if isinstance(layer := cast(Any, net[1]).neuron, StochasticNeuron):
        layer.calls = 3


@pytest.mark.parametrize("subject", ["spsn@triton", "spike_sampler[state=4]@triton"])
def test_no_call_of_a_compiled_network_has_the_noise_of_another(subject: str) -> None:
    """Nor do two calls in one graph; compiled and eager calls count together, and nothing is compiled again."""
    net, x = network(subject)
    layer: Any = net[1]
    current, graphs = net[0](x).detach(), [0]

    def counting(graph: Any, _: Any) -> Any:
        graphs[0] += 1
        return graph.forward

    compiled = torch.compile(lambda x: torch.stack([layer(x), layer(x)]), fullgraph=True, backend=counting)
    found = [*compiled(current), *compiled(current), layer(current), *compiled(current)]
    assert layer.neuron.calls == 7 and graphs == [1]
    layer.neuron.calls = 0
    expected = [layer(current) for _ in found]
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert not any(torch.equal(a, b) for n, a in enumerate(found) for b in found[:n])


def test_the_graph_holds_operators_and_a_changed_option_makes_another() -> None:
    net, x = network("lif@triton")
    graphs: list[Any] = []

    def seen(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    layer: Any = net[1].neuron
    compiled: Any = torch.compile(net, fullgraph=True, backend=seen)
    before = compiled(x)
    layer.threshold = 0.1
    after = compiled(x)
    assert torch.equal(after, net(x)) and not torch.equal(after, before)
    assert len(graphs) == 2
    layer.threshold = 0.3
    assert torch.equal(compiled(x), net(x))
    for graph in graphs:
        assert [str(n.target) for n in graph.graph.nodes].count("spikebench.fused") == 1


def test_a_layer_whose_parameters_alone_learn() -> None:
    net, _ = network("lif[learn_decay=True]@triton")
    wanted = list(net[1].parameters())
    compiled = torch.compile(net[1], fullgraph=True, backend="aot_eager")
    current = torch.randn(9, 2, 7)
    expected = torch.autograd.grad(net[1](current).sum(), wanted)
    found = torch.autograd.grad(compiled(current).sum(), wanted)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_network_is_exported() -> None:
    net, x = network("lif@triton")
    exported = torch.export.export(net, (x,), strict=True)
    assert torch.equal(exported.module()(x), net(x))
    assert "spikebench.fused" in str(exported.graph)


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("subject", ["lif[learn_decay=True]@triton", "psu@triton"])
def test_the_operators_pass_torchs_own_checks(subject: str, learns: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    layer: Any = sb.neuron(subject, N=3, T=5)
    calls: list[tuple[Any, ...]] = []

    def backend(graph: Any, examples: Any) -> Any:
        for node in graph.graph.nodes:
            if "fused" in str(node.target):
                calls.append(node.args)
        return graph.forward

    x = torch.randn(5, 2, 3, requires_grad=learns)
    torch._dynamo.reset()
    with torch.set_grad_enabled(learns):
        torch.compile(layer, fullgraph=True, backend=backend)(x)
    ((_, _, numbers, spec, wants, _),) = calls
    learned = [p.detach().requires_grad_(learns) for p in layer.parameters()]
    checks = ("test_schema", "test_faketensor", "test_autograd_registration")
    torch.library.opcheck(
        torch.ops.spikebench.fused.default, (x, learned, list(numbers), spec, list(wants), []), test_utils=checks
    )


def test_eager_mode_calls_no_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = network("lif@triton")
    from spikebench.backends.triton import _operator

    monkeypatch.setattr(_operator, "_taped", lambda *_: pytest.fail("an operator was called"))
    net(x.requires_grad_()).sum().backward()


def test_what_is_more_than_one_function_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from spikebench.backends.triton import _operator, lif
    from spikebench.neurons.lif import LIF

    plain = {k: v for k, v in vars(LIF()).items() if isinstance(v, (*_operator.PLAIN, float))}
    of = ("spikebench.backends.triton.lif", "spikebench.neurons.lif", "LIF", plain, [], [], {})
    spec = str((_operator.__name__, of))

    def twice(neuron: Any, x: Tensor, **how: Any) -> Tensor:
        return lif_run(neuron, lif_run(neuron, x, **how), **how)

    lif_run = lif.run.__wrapped__  # pyright: ignore[reportFunctionMemberAccess]  # functools.wraps puts it there
    monkeypatch.setattr(lif.run, "__wrapped__", twice)
    with pytest.raises(Refused, match="more than one fused function"):
        torch.ops.spikebench.fused(torch.randn(3, 1, 2), [], [], spec, [True], [])


def test_this_is_interpreted() -> None:
    assert _launch.interpreted()


def test_another_size_is_traced_again() -> None:
    net, _ = network("lif@triton")
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    for steps, batch in ((9, 2), (6, 2), (4, 3), (5, 1)):
        part = torch.randn(steps, batch, 5) * 3
        assert torch.equal(compiled(part), net(part))
