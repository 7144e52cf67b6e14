"""Several calls: a state that is carried on, with its gradient, and the same call again and again."""

from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from spikebench import backends, registry
from spikebench.cases.case import Case
from spikebench.cases.subject import Way, parse_subject
from spikebench.loading.foreign import Adapted, contained
from spikebench.loading.subject import definition
from spikebench.neuron import State, SteppedNeuron, StochasticNeuron
from spikebench.neurons.lif import LIF
from spikebench.verify import calls, check
from spikebench.verify.gate import gate
from tests.foreign_neurons import ResetState, Spike, TimeFirst
from tests.verify.test_gate import CHEATS

HERE = "tests/verify/test_calls.py"


pytestmark = pytest.mark.usefixtures("one_thread")


def both(T: int = 24, B: int = 2, N: int = 6, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """An input and an output gradient."""
    generator = torch.Generator().manual_seed(3)
    x, g = (torch.randn(T, B, N, generator=generator, dtype=torch.float64).to(dtype) for _ in range(2))
    return 0.7 * x + 0.4, g


class Broken(LIF):
    """A LIF that goes wrong between calls."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Tensor, state: State | None = None, return_state: bool = False) -> Any:
        if state is not None and self.how == "starts anew":
            state = None
        if state is not None and self.how == "drops the gradient":
            state = tuple(part.detach() for part in state)
        if state is not None and self.how == "scales the gradient":
            state = tuple(part.detach() + (part - part.detach()) / 2 for part in state)
        out, after = super().forward(x, state, True)
        if self.how == "a step behind" and len(x) > 1:
            after = super().forward(x[:-1], state, True)[1]
        return (out, after) if return_state else out


@pytest.mark.parametrize("how", ["starts anew", "drops the gradient", "scales the gradient", "a step behind"])
def test_a_state_that_is_carried_wrongly_is_caught(how: str) -> None:
    found = calls.stepped(Broken(how), *both())
    said = "gradients over several calls are off by" if "gradient" in how else "spike otherwise from t ="
    assert found.wrong is not None and said in found.wrong


STEPPED = [n for n in registry.names("neurons") if issubclass(type(definition(parse_subject(n), 6, 24)), SteppedNeuron)]


@pytest.mark.parametrize("name", STEPPED)
def test_every_stepped_neuron_carries_its_state_and_its_gradient(name: str) -> None:
    neuron = definition(parse_subject(name), 6, 24).double()
    assert isinstance(neuron, SteppedNeuron)
    if not isinstance(neuron, StochasticNeuron):
        assert calls.stepped(neuron, *both()) == calls.Carried(note="; so are their gradients")


class Function(torch.autograd.Function):
    """LIF over a piece from a membrane on. Its backward pass gives the membrane no gradient, as an older sinabs-exodus."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            spikes, after = _loop(leaf, v.detach())
        ctx.leaf, ctx.spikes, ctx.after = leaf, spikes, after
        return spikes.detach(), after.detach()

    @staticmethod
    def backward(ctx: Any, g: Tensor, gv: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (got,) = torch.autograd.grad((ctx.spikes, ctx.after), ctx.leaf, (g, gv))
        return got, None


def _loop(x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    spikes: list[Tensor] = []
    for x_t in x.unbind(0):
        u = 0.9 * v + x_t
        s = Spike.apply(u - 1)
        v = u - s
        spikes.append(s)
    return torch.stack(spikes), v


class Exodus(nn.Module):
    """Goes on where the last call ended, until `reset`; `how` says what happens to the gradient of what it keeps."""

    def __init__(self, how: Literal["right", "none", "detached"] = "none") -> None:
        super().__init__()
        self.how, self.v = how, None

    def reset(self) -> None:
        self.v = None

    def forward(self, x: Tensor) -> Tensor:
        v = torch.zeros_like(x[0]) if self.v is None else self.v
        spikes, after = Function.apply(x, v) if self.how == "none" else _loop(x, v)  # pyright: ignore[reportGeneralTypeIssues]
        self.v = after.detach() if self.how == "detached" else after
        return spikes


class Tires(nn.Module):
    """Forgets a spike from the fifth call on."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        spikes = _loop(x, torch.zeros_like(x[0]))[0]
        if self.count < 5:
            return spikes
        first = spikes.detach().flatten().nonzero()[0]
        kept = torch.ones_like(spikes).flatten()
        kept[first] = 0
        return spikes * kept.view_as(spikes)


WAY = Way(reset="reset")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("right", "so are their gradients"),
        ("detached", "no gradient goes from call to call"),
        ("none", "gradients over several calls are off by"),
    ],
)
def test_a_module_that_goes_on_is_held_to_its_gradient(how: Any, said: str) -> None:
    found = calls.adapted(Adapted(Exodus(how), WAY), *both())
    assert said in (found.wrong or found.note) and bool(found.wrong) == (how == "none")


def test_a_part_with_a_state_is_found_and_one_without_has_nothing_to_carry() -> None:
    x, g = both(dtype=torch.float32)
    assert "so are" in calls.adapted(Adapted(ResetState(), Way(reset="reset_state")), x, g).note
    with contained():  # it switches gradients off
        own = TimeFirst(6)
    assert not calls.adapted(Adapted(own, Way()), x, g).kept


def verdicts(subject: str, *wanted: str) -> dict[str, tuple[bool | None, str]]:
    """What some of the checks say of a subject."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "CHECKS", {name: check.CHECKS[name] for name in wanted})
        return {c.check: (c.passed, c.detail) for c in check.checks(subject)}


def test_check_says_what_several_calls_give() -> None:
    found = verdicts("lif@eager", "repeats", "carried")
    assert found["repeats"] == (True, "16 calls on the same input and noise give the same spikes and gradients")
    assert found["carried"] == (
        True,
        "pieces with carried state equal the whole; so are their gradients; state per item [[8]]",
    )
    assert verdicts("spsn@eager", "carried")["carried"][0] is None
    assert verdicts(f"{HERE}:Exodus", "carried")["carried"][0] is False
    tired = verdicts(f"{HERE}:Tires", "repeats")["repeats"]
    assert tired[0] is False and "on the same input gives 1 spikes fewer than the first" in tired[1]


def test_a_module_of_one_length_has_no_pieces() -> None:
    found = verdicts("tests/foreign_neurons.py:FixedLength", "carried")["carried"]
    assert found == (None, "it takes no sequence of another length, so that none can be cut into pieces")


def test_what_has_a_surrogate_in_its_membrane_is_not_held_to_differences() -> None:
    found = verdicts("fpt@eager", "gradient")
    assert found["gradient"][0] and "a surrogate's derivative is in the membrane" in found["gradient"][1]


def test_a_launch_that_gives_fewer_spikes_again_is_caught_by_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(CHEATS)])
    for seed, mode in enumerate(("inference", "train")):
        found = gate(Case("lif@fewer", T=64, B=2, N=16, mode=mode, seed=seed))  # pyright: ignore[reportArgumentType]  # checked at run time
        assert found.status == "failed" and "spikes fewer than the first" in str(found.reason)


def test_a_stream_is_gated_by_its_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("lif@eager", T=32, B=1, N=8, mode="stream")
    assert gate(case).status == "passed" and "pieces with carried state equal the whole" in str(gate(case).reason)
    forward = LIF.forward

    def loses(self: LIF, x: Tensor, state: State | None = None, return_state: bool = False) -> Any:
        lost = None if state is None else tuple(part.detach() for part in state)
        return forward(self, x, lost, return_state)

    monkeypatch.setattr(LIF, "forward", loses)
    assert gate(case).status == "failed"
