"""An id is accepted with dashes and underscores wherever one is read, and there is one way in which it is printed."""

from collections.abc import Callable

import pytest

from spikebench import claim, registry
from spikebench.cases import sweeps
from spikebench.cases.case import Case
from spikebench.cases.named import parse_network, parse_task
from spikebench.cases.subject import parse_subject
from spikebench.cli import _options
from spikebench.experiments import compare
from spikebench.run.settings import Settings

READ: dict[str, tuple[Callable[[str], object], str]] = {
    "neuron": (lambda text: str(parse_subject(text)), "para_lif@eager"),
    "backend": (lambda text: parse_subject(f"exodus@{text}").backend, "sinabs_exodus"),
    "option": (lambda text: str(parse_subject(f"lif[{text}]")), "detach_reset=true"),
    "choice": (lambda text: str(parse_subject(f"lif[surrogate={text}]")), "fast_sigmoid"),
    "metric": (lambda text: Settings((text,)).metrics[0], "peak_memory"),
    "network": (lambda text: str(parse_network(text)), "psu_shd"),
    "task": (lambda text: str(parse_task(text)), "japanese_vowels"),
    "claim": (lambda text: claim.load(text), "spsn_4000x"),
    "sweep": (sweeps.sweep, "equal_input"),
    "python": (lambda text: _options.interpreters([f"{text}=/x"]), "sinabs_exodus"),
    "case": (lambda text: Case("lif", 0, 0, 0, workload="training", task=text).case_id, "japanese_vowels"),
    "figure": (lambda text: registry.find("plots", text), "learning"),
}


@pytest.mark.parametrize("kind", READ)
def test_dashes_and_underscores_are_read_as_the_same_id(kind: str) -> None:
    read, written = READ[kind]
    assert read(written.replace("_", "-")) == read(written)
    assert kind in ("claim", "sweep", "case") or written in str(read(written.replace("_", "-")))


def test_a_comparison_records_the_metric_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def floors(_: object, metric: str, **__: object) -> object:
        seen.append(metric)
        raise InterruptedError

    monkeypatch.setattr(compare.noise, "recorded", floors)
    for verb in (compare.compare, compare.aa):
        with pytest.raises(InterruptedError):
            verb("lif", "lif@indexed", metric="peak-memory")
    with pytest.raises(InterruptedError):
        compare.diff([], [], metric="peak-memory")
    assert seen == ["peak_memory"] * 3
