"""What neurons declare that a step costs, against a count of what their definitions do."""

import pytest
import torch
from operations import counted
from oracles import oracle

from spikebench import registry
from spikebench.analysis import cost
from spikebench.cases.subject import parse_subject
from spikebench.errors import Problem
from spikebench.loading.subject import definition
from spikebench.neuron import StochasticNeuron

T, B, N = 64, 16, 8
NEURONS = registry.names("neurons")
# definitions that do more than their equation needs; what they declare may not exceed it
MORE = [n for n in NEURONS if hasattr(oracle(n), "MORE")]


def declared(name: str) -> dict[str, float]:
    subject = parse_subject(name)
    facts = registry.facts(name).attributes
    return cost.per_step(facts.operations, {**subject.all_options, "T": T, "N": N})


def seen(name: str) -> dict[str, float]:
    torch.manual_seed(0)
    neuron = definition(parse_subject(name), N, T).eval()
    x = torch.randn(T, B, N).abs() + 0.1
    noise = {"uniforms": neuron.draw(x)} if isinstance(neuron, StochasticNeuron) else {}
    return counted(neuron, x, **noise)


@pytest.mark.parametrize("name", NEURONS)
def test_every_neuron_says_what_a_step_costs(name: str) -> None:
    facts = registry.facts(name).attributes
    found = declared(name)
    assert found["compare"] >= 1 and found["mul"] >= 1, f"{name} declares no operations of a step (see neuron.py)"
    assert cost.value(facts.state_words, {**parse_subject(name).all_options, "T": T, "N": N}) >= 1
    assert (found["draw"] > 0) == facts.stochastic


@pytest.mark.parametrize("name", [n for n in NEURONS if n not in MORE])
def test_what_is_declared_is_what_the_definition_does(name: str) -> None:
    """But for the first step, in which some have no state yet: a few operations in 64 steps."""
    found, said = seen(name), declared(name)
    assert {k: said[k] for k in found} == {k: pytest.approx(v, abs=8 / T) for k, v in found.items()}


@pytest.mark.parametrize("name", MORE)
def test_no_more_is_declared_than_the_definition_does(name: str) -> None:
    found, said = seen(name), declared(name)
    assert all(said[k] <= found[k] + 4 / T for k in ("mul", "add", "compare")), (found, said)


def test_arithmetic_over_options_and_sizes() -> None:
    assert cost.value("(T + 1) / 2 + 3 * k", {"T": 7, "k": 2}) == 10
    assert cost.per_step({"mul": "T"}, {"T": 5})["mul"] == 5
    with pytest.raises(Problem, match="no arithmetic over T"):
        cost.value("__import__('os')", {"T": 1})
    with pytest.raises(Problem, match="no kind of operation mult; there are mul, add"):
        cost.per_step({"mult": 1}, {})
