"""Remedies change how PyTorch computes somebody's module, and not what: the same spikes and gradients, without the habit."""

from collections.abc import Callable
from pathlib import Path

import pytest
import slow_neurons as slow
import torch
from torch import Tensor, nn

from spikebench.cases.case import Case
from spikebench.cases.subject import parse_subject
from spikebench.errors import Problem
from spikebench.loading.remedies import REMEDIES, Remedied
from spikebench.loading.subject import neuron
from spikebench.verify.gate import gate

FILE = Path(slow.__file__)
SIZES = (12, 2, 5)


def both(module: nn.Module, remedy: str) -> list[tuple[Tensor, Tensor]]:
    """Spikes and the input's gradient of a module as it is, and with a remedy in a second call."""
    found: list[tuple[Tensor, Tensor]] = []
    remedied = Remedied(module, remedy)
    x = (torch.randn(SIZES, generator=torch.Generator().manual_seed(1)) + 0.4).requires_grad_()
    remedied(x)
    for called in (module, remedied):
        spikes = called(x)
        found.append((spikes.detach(), torch.autograd.grad(spikes, x, torch.ones_like(spikes))[0]))
    return found


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (slow.Indexed, "unbind"),
        (slow.Double, "float32"),
        (slow.Waits, "no-wait"),
        (slow.Allocates, "reuse"),
        (slow.Clones, "no-clone"),
    ],
)
def test_a_remedy_changes_no_spike_and_leaves_pytorch_as_it_was(make: Callable[[], nn.Module], remedy: str) -> None:
    before = torch.Tensor.__getitem__, torch.Tensor.clone, torch.Tensor.item, torch.zeros, torch.float64
    (spikes, gradient), (with_remedy, its_gradient) = both(make(), remedy)
    assert spikes.sum() > 0
    assert torch.equal(spikes, with_remedy)
    assert torch.allclose(gradient, its_gradient, rtol=1e-4, atol=1e-6)
    assert (torch.Tensor.__getitem__, torch.Tensor.clone, torch.Tensor.item, torch.zeros, torch.float64) == before
    assert remedy in REMEDIES


def test_unbind_takes_the_habit_out_of_the_graph() -> None:
    x = torch.randn(SIZES, requires_grad=True)

    def names(out: Tensor) -> set[str]:
        todo, found = [out.grad_fn], set[str]()
        while todo:
            if (node := todo.pop()) is not None and node.name() not in found:
                found.add(node.name())
                todo += [n for n, _ in node.next_functions]
        return found

    assert "SelectBackward0" in names(slow.Indexed()(x))
    assert "SelectBackward0" not in names(Remedied(slow.Indexed(), "unbind")(x))


def test_a_remedy_that_changes_spikes_is_stopped_by_the_gate(tmp_path: Path) -> None:
    path = tmp_path / "keeps.py"
    path.write_text(
        "import torch\nfrom torch import nn\n"
        "class Keeps(nn.Module):\n"
        "    def forward(self, x):\n"
        "        before = x.clone()\n"
        "        u = x.cumsum(0).mul_(0.0).add_(before)\n"
        "        kept = u.clone()\n"
        "        u.zero_()\n"
        "        return (kept > 0.5).to(x.dtype) + 0 * u\n"
    )
    plain = gate(Case(f"{path}:Keeps", T=8, B=2, N=8, mode="inference"), 0.5)
    assert plain.status == "none"
    wrong = gate(Case(f"{path}:Keeps@eager[remedy=no-clone]", T=8, B=2, N=8, mode="inference"), 0.5)
    assert wrong.status == "failed"
    assert "spike at other steps" in str(wrong.reason)


def test_a_module_of_others_runs_on_backends_that_take_it() -> None:
    for backend in ("eager", "compiled", "cudagraph"):
        assert parse_subject(f"{FILE}:Indexed@{backend}").backend == backend
    with pytest.raises(Problem, match="there are compiled, cudagraph, eager for it"):
        parse_subject(f"{FILE}:Indexed@cpu")
    with pytest.raises(Problem, match="remedy=wash is not an option of a foreign module; there are unbind"):
        parse_subject(f"{FILE}:Indexed@eager[remedy=wash]")


def test_the_id_of_a_case_knows_no_remedy_where_none_is_tried() -> None:
    case = Case("mine.py:Adaptive", T=8, B=2, N=8)
    assert case.to_json()["backend_options"] == {
        "layout": "TB", "adapter": "sequence", "state": "hidden", "reset": None, "output": 0
    }  # fmt: skip
    assert case.case_id == "e0b3b2f40f75"
    assert Case("mine.py:Adaptive@eager[remedy=unbind]", T=8, B=2, N=8).case_id != case.case_id


@pytest.mark.slow
@pytest.mark.parametrize("name", ["foreign_neurons.py:StepCarried@compiled[adapter=step,state=carried]",
                                  "foreign_neurons.py:StepReset@compiled[adapter=step,reset=reset]",
                                  "slow_neurons.py:Indexed@compiled"])  # fmt: skip
def test_a_compiled_module_of_others_gives_its_spikes(name: str) -> None:
    found = gate(Case(f"{FILE.parent}/{name}", T=20, B=2, N=8))
    assert found.status == "none", found.reason
    assert "spikes as" in str(found.reason)
    assert neuron(f"{FILE.parent}/{name}", N=8, T=20)(torch.randn(20, 2, 8)).shape == (20, 2, 8)
