"""Numbers of options lie in the intervals that their files declare, and what lies outside is refused before anything starts."""

import math
from collections.abc import Iterator

import pytest

from spikebench import declarations, registry
from spikebench.cases.case import Case
from spikebench.cases.named import parse_task
from spikebench.cases.options import checked, parse_options
from spikebench.cases.subject import parse_subject
from spikebench.declarations import Option
from spikebench.errors import Problem
from spikebench.units import Interval


def numbers() -> Iterator[tuple[str, str, Option]]:
    """Every option of a neuron, a backend or a task that is a number: whose it is, its name, what is declared of it."""
    for neuron in registry.names("neurons"):
        for key, option in registry.facts(neuron).options.items():
            yield neuron, key, option
        for backend in registry.backends(neuron):
            for key, option in registry.backend_options(backend, neuron).items():
                yield f"{neuron}@{backend}", key, option
    for task in registry.names("tasks"):
        for key, option in (declarations.function_options(registry.file("tasks", task), "load") or {}).items():
            yield task, key, option


NUMBERS = [(w, k, o) for w, k, o in numbers() if {"float", "int"} & set(o.type_name.replace("|", " ").split())]


def test_every_number_has_a_range_that_holds_its_default() -> None:
    assert len(NUMBERS) > 150
    for whose, key, option in NUMBERS:
        assert option.within, f"{key} of {whose} has no range"
        assert option.default is None or option.default in Interval.of(option.within), (whose, key, option)


@pytest.mark.parametrize("text", ["[0, 1]", "(0, inf)", "(-inf, 0]"])
def test_an_interval_holds_its_ends_as_its_brackets_say_and_nothing_that_is_not_finite(text: str) -> None:
    found = Interval.of(text)
    for end, bracket, outward in ((found.low, text[0], -1.0), (found.high, text[-1], 1.0)):
        assert (end in found) == (bracket in "[]" and math.isfinite(end))
        assert end + outward not in found
    assert math.nan not in found and math.inf not in found and 10**400 not in found and -(10**400) not in found
    assert str(found) == text
    with pytest.raises(ValueError, match="not an interval"):
        Interval.of("0 to 1")


def test_values_outside_are_refused_by_name() -> None:
    for whose, key, option in NUMBERS:
        low, high = Interval.of(option.within).low, Interval.of(option.within).high
        outside = [v for v in (low - 1, high + 1) if math.isfinite(v)]
        assert outside, (whose, key)
        for value in outside:
            for given in {int(value)} if "int" in option.type_name else {value, int(value)}:
                with pytest.raises(Problem, match=rf"^{key}=.* of x must lie in .*; the default is "):
                    checked("x", {key: given}, {key: option})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lif[decay=1.5]", "decay=1.5 of neuron 'lif' must lie in [0, 1]; the default is 0.9"),
        ("lif[decay=nan]", "decay=nan is not a number to compute with"),
        ("lif[slope=1e999]", "slope=1e999 is not a number to compute with"),
        ("lif[refractory=99999999999999999999]", "is not a number to compute with"),
        ("lif[decay=0.5,decay=0.6]", "option 'decay' is given twice: 0.5 and 0.6; leave one out"),
        ("lif@triton[warps=64]", "warps=64 of backend 'triton' must lie in [0, 32]"),
        ("mine.py:Net[tau=inf]", "tau=inf is not a number to compute with"),
        ("mine.py:Net@eager[output=-1]", "output=-1 of a foreign module must lie in [0, inf)"),
    ],
)
def test_a_subject_with_such_a_value_is_refused(text: str, said: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_subject(text)
    assert said in str(refused.value)


def test_the_options_of_a_task_are_checked_before_it_is_loaded() -> None:
    for text in ("fsdd[hop=0]", "shd[bins=0]", "fsdd[hope=0.01]", "digits[permuted=3]"):
        with pytest.raises(Problem, match="task '"):
            Case("lif", 0, 0, 0, workload="training", task=text)
    assert str(parse_task("fsdd[hop=0.0005]")) == "fsdd[hop=0.0005]"
    assert parse_options("[hop=1]") == {"hop": 1}
