"""EventProp is its definition, tends to the exact gradient as steps get shorter, and what is wrong in it is told."""

from typing import Any

import pytest
import torch

from spikebench import scheme
from spikebench.cases.subject import parse_subject
from spikebench.loading.subject import load
from spikebench.network import Classifier
from spikebench.schemes import eventprop, fast_and_deep
from tests.schemes.test_events import T, batch, made, off, told_by_the_gate
from tests.spoiled import spoiled

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("backend", ["eager", "fused"])
@pytest.mark.parametrize("options", [{}, {"grazing": 0.5}, {"temperature": 1.0}], ids=str)
def test_eventprop_is_its_definition(backend: str, options: dict[str, Any]) -> None:
    for dtype, limit in ((torch.float64, 1e-11), (torch.float32, 2e-5)):
        stack, (x, y, mask) = made(backend, dtype=dtype), batch(dtype)
        mine, want = (f(stack, x, y, mask, **options) for f in (eventprop.gradients, eventprop.definition))
        assert abs(float(mine[0] - want[0])) <= limit * float(want[0]) and off(mine[1], want[1]) <= limit
        assert list(mine[1]) == scheme.learned(stack)
        assert all(float(mine[1][p].abs().max()) > 1e-2 for p in stack.parameters() if p.ndim == 2)


def test_eventprop_tends_to_the_exact_gradient_as_steps_get_shorter() -> None:
    """The same network, weights and times on grids of 1/r: the error of the gradient falls with the length of a step."""
    stack, (x, y, mask) = made(hidden=(5,)), batch()
    exact = fast_and_deep.gradients(stack, x, y, mask, temperature=1.0)[1]
    gain, errors = fast_and_deep.layers(stack, 1)[0].neuron.gain, list[float]()
    for r in (16, 64, 256):
        finer = parse_subject(f"lif[decay={0.9 ** (1 / r)!r},synapse_decay={0.81 ** (1 / r)!r}]")
        grid = Classifier(6, (5,), 4, lambda n, s=finer: load(s, n, T, torch.float64, "cpu"), batch_norm=False).double()
        scale = gain * (0.9 ** (1 / r) - 0.81 ** (1 / r))
        with torch.no_grad():
            for p, q in zip(grid.parameters(), stack.parameters(), strict=True):
                p.copy_(q * scale if p.ndim == 2 else q)
        found = eventprop.gradients(grid, x * r, y, mask.repeat_interleave(r, 0), temperature=1.0)[1]
        errors.append(off({p: g * scale for p, g in found.items()}, exact))
    assert errors[0] > 2 * errors[1] > 4 * errors[2] and errors[2] < 0.05


EVENTPROP = [  # what stands there, and what is wrong
    ("neuron.gain * (p - q)", "neuron.gain * p"),
    ("p / neuron.tau - q / neuron.tau_s", "p - q"),
    ("- neuron.threshold / neuron.tau * p)", ")"),
    ("return torch.cat([errors[1:], torch.zeros_like(errors[:1])])", "return errors"),
    ("neuron.decays[1] * (q + c)", "neuron.decays[1] * q + c"),
    ("- theta / neuron.tau", "- 0 * theta"),
]


@pytest.mark.parametrize(("right", "wrong"), EVENTPROP)
def test_what_is_wrong_in_eventprop_is_told(monkeypatch: pytest.MonkeyPatch, right: str, wrong: str) -> None:
    module = spoiled(monkeypatch, right, wrong, "spikebench.schemes.eventprop")
    stack, (x, y, mask) = made(), batch()
    loss, want = eventprop.definition(stack, x, y, mask)
    mine, found = module.gradients(stack, x, y, mask)
    assert max(off(found, want), abs(float(mine - loss))) > 1e-6
    assert told_by_the_gate("eventprop@eager")
