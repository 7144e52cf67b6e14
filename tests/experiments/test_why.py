"""Why a neuron is slow, through the whole of `profile`: the reason stands first on the page, with the gain of its remedy."""

from pathlib import Path
from typing import Any

import pytest
import slow_neurons

from spikebench.experiments.profile import Profile, profile
from spikebench.report import profile_html, profile_verdict
from spikebench.run.session import Settings

FILE = Path(slow_neurons.__file__)
SIZES: dict[str, Any] = {"T": [64], "B": 16, "N": 128, "mode": "train", "against": ["lif@cpu"], "pairs": 2}
FIRST = {
    "Indexed": "indexed",
    "Double": "float64",
    "Waits": "waits",
    "Allocates": "allocates",
    "Clones": "copies",
    "ByNeuron": "neurons",
    "Breaks": "break",
    "Recompiles": "recompiled",
}


def profiled(name: str, **changes: Any) -> Profile:
    settings = Settings(
        metrics=("latency", "compile_time", "spike_rate", "peak_memory"), samples=5, timeout=120.0, budget=120.0
    )
    return profile(f"{FILE}:{name}", settings=settings, **SIZES | changes)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", FIRST)
def test_the_page_names_the_reason_first(name: str) -> None:
    made = profiled(name)
    assert made.status == "ok", made.reason
    assert [r.cause.id for r in made.why.reasons][:1] == [FIRST[name]]
    first = profile_verdict.reasons(made)[0]
    assert f"because it {made.why.reasons[0].cause.what}" in profile_verdict.sentence(made)
    page = profile_html.page(made)
    assert first.what in page
    assert page.index(first.what.replace("'", "&#39;")) < page.index("All comparisons")
    reason = made.why.reasons[0]
    assert reason.ratio is not None or reason.cause.tried is None or reason.note


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", ["Window", "Compiled"])
def test_a_fast_one_has_no_reason(name: str) -> None:
    made = profiled(name)
    assert made.status == "ok", made.reason
    assert profile_verdict.reasons(made) == []
    assert "because" not in profile_verdict.sentence(made)
