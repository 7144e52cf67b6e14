"""What is said to be parallel in time is: its operators, forward and backward, are counted at three lengths."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from spikebench import registry
from spikebench.cases.subject import parse_subject
from spikebench.loading.subject import load
from spikebench.workloads.layer import spikes_of

LENGTHS = (64, 256, 1024)
SHORT, LONG = 16, 256  # of loops, whose operators take their time
NEURONS = [n for n in registry.names("neurons") if registry.facts(n).attributes.parallel_in_time]
OURS = ("eager", "fft", "scan", "cpu")
SAYING = [f"{n}@{b}" for n in NEURONS for b in OURS if registry.parallel(n, b)]
LOOPS = [n for n in NEURONS if registry.facts(n).attributes.stepwise]
LEARNING = "[learn_tau=true,learn_threshold=true,heterogeneous=true,recurrent=true]"
SAYING += [f"para_lif{LEARNING}@{b}" for b in ("fft", "scan")]


class _Counting(TorchDispatchMode):
    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def operators(text: str, steps: int) -> int:
    """Operators that torch dispatches in a forward and backward pass, the second on these sizes."""
    torch.manual_seed(0)
    module = load(parse_subject(text), 5, steps, torch.float32, "cpu")
    x = torch.randn(steps, 2, 5).requires_grad_()
    wanted = [x, *(p for p in module.parameters() if p.requires_grad)]
    counts: list[int] = []
    for _ in range(2):
        with _Counting() as counting:
            s = spikes_of(module(x))
            torch.autograd.grad(s, wanted, torch.ones_like(s), allow_unused=True)
        counts.append(counting.count)
    return counts[1]


def grows(text: str) -> str | None:
    """The counts at the three lengths, unless they are equal or those of a scan by doubling: as many more for each doubling."""
    short, middle, long = (operators(text, steps) for steps in LENGTHS)
    return None if long - middle == middle - short else f"{text}: {short}, {middle}, {long} operators"


@pytest.mark.parametrize("text", SAYING)
def test_operators_of_what_says_so_do_not_grow_with_time(text: str) -> None:
    assert grows(text) is None


@pytest.mark.parametrize("neuron", LOOPS)
def test_a_definition_that_is_a_loop_says_so(neuron: str) -> None:
    short, long = (operators(f"{neuron}@eager", steps) for steps in (SHORT, LONG))
    assert long > 8 * short


@pytest.mark.parametrize("neuron", NEURONS)
def test_a_neuron_that_says_so_has_a_form_that_is(neuron: str) -> None:
    """Of every neuron the cpu backend is one too: a fused pass over time is one operator, and products are few."""
    there = [b for b in OURS if b in registry.backends(neuron) and (b != "eager" or neuron not in LOOPS)]
    assert there and not [seen for b in there if b == "cpu" or b == there[0] if (seen := grows(f"{neuron}@{b}"))]


def test_the_count_sees_a_loop() -> None:
    short, middle, long = (operators("lif@eager", steps) for steps in LENGTHS)
    assert long - middle != middle - short and long > 8 * short
    assert not registry.parallel("lif", "eager") and not registry.parallel("spsn", "eager")
    assert (
        registry.parallel("spsn", "fft")
        and registry.parallel("psn", "eager")
        and not registry.parallel("prf_lif", "fft")
    )
