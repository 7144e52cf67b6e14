"""The LIFs of other libraries: what they cannot be set to is refused with the reason, everything else passes the gate.

Where a library is not installed its tests skip. Each may live in an interpreter of its own: see docs/add-your-library.md.
"""

import sys
from importlib.util import find_spec
from typing import Any

import pytest

from spikebench import registry
from spikebench.backend import Refused
from spikebench.cases import sweeps
from spikebench.cases.case import Case
from spikebench.errors import Problem
from spikebench.loading.subject import neuron
from spikebench.run.session import Session
from spikebench.run.settings import Settings
from spikebench.verify.gate import gate

LIBRARIES = registry.libraries("lif")
OPTIONS = [
    {"reset": reset, "detach_reset": detach, "strict": strict, "reset_delay": delay, "input_scale": scale}
    for reset in ("none", "soft", "hard")
    for detach in (True, False)
    for strict in (True, False)
    for delay in (False, True)
    if not delay or reset == "soft"
    for scale in ("one", "1-decay")
]
SURROGATES = [("fast_sigmoid", 1.0), ("fast_sigmoid", 5.0), ("atan", 2.0), ("sigmoid", 4.0), ("triangle", 1.0)]
EXPRESSIBLE = {"snntorch": 30, "spikingjelly": 24, "norse": 12, "sinabs": 16, "spyx": 4}  # of the cases below


def cases(library: str, options: dict[str, Any], **more: Any) -> Case:
    written = ",".join(f"{k}={v}" for k, v in (options | more).items())
    return Case(f"lif[{written}]@{library}", T=48, B=3, N=16)


def needs(library: str) -> Any:
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed here; it lives in an environment of its own")
    return __import__(f"spikebench.backends.{library}.lif", fromlist=["refuses"])


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_a_library_can_be_set_to_equals_the_definition(library: str) -> None:
    adapter, passed, reasons = needs(library), 0, set[str]()
    for options in OPTIONS:
        for surrogate, slope in SURROGATES if options["strict"] else SURROGATES[:1]:
            case = cases(library, options, surrogate=surrogate, slope=slope, decay=0.9)
            if (reason := adapter.refuses(case)) is not None:
                reasons.add(reason)
                continue
            result = gate(case)
            assert result.status == "passed", f"{case.subject}: {result.reason}"
            passed += 1
    assert passed == EXPRESSIBLE.get(library, passed) > 0
    assert all(library in reason for reason in reasons)


@pytest.mark.parametrize("library", sweeps.able())
@pytest.mark.parametrize("decay", [0.5, 0.99, 0.999])
def test_the_common_lif_passes_at_every_decay(library: str, decay: float) -> None:
    adapter = needs(library)
    case = cases(library, sweeps.COMMON, decay=decay)
    assert adapter.refuses(case) is None
    assert gate(case).status == "passed"


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("options", ["", ",strict=true", ",input_scale=1-decay,surrogate=atan,slope=2.0"])
def test_state_leaky_is_the_lif_without_a_reset(decay: float, options: str) -> None:
    adapter = needs("snntorch")
    case = Case(f"lif[decay={decay},reset=none{options}]@snntorch[layer=state_leaky]", T=300, B=3, N=16)
    assert adapter.refuses(case) is None
    assert gate(case).status == "passed"
    resets = Case(
        "lif[reset=soft,reset_delay=true,strict=true,detach_reset=true]@snntorch[layer=state_leaky]", T=8, B=2, N=4
    )
    assert "StateLeaky has no reset" in str(adapter.refuses(resets))


@pytest.mark.parametrize("subject", ["psn", "masked_psn", "masked_psn[masking=0.5]", "sliding_psn", "sliding_psn[k=3]"])
@pytest.mark.parametrize("surrogate", ["atan", "sigmoid", "triangle"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_parallel_neurons_of_spikingjelly_equal_the_definition(subject: str, surrogate: str, dtype: str) -> None:
    needs("spikingjelly")
    name, _, options = subject.rstrip("]").partition("[")
    written = ",".join(filter(None, (options, f"surrogate={surrogate}")))
    result = gate(Case(f"{name}[{written}]@spikingjelly", T=40, B=3, N=16, dtype=dtype))
    assert result.status == "passed", result.reason
    assert result.probes[0].parameter_error is not None


@pytest.mark.parametrize("library", LIBRARIES)
def test_another_version_and_another_type_are_refused(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = needs(library)
    monkeypatch.setattr("spikebench.backend.metadata.version", lambda _: "0.1")
    assert "0.1 is installed" in str(adapter.refuses(cases(library, sweeps.COMMON)))


def test_snntorch_without_delay_resets_twice_where_the_definition_does_not() -> None:
    needs("snntorch")
    import snntorch  # pyright: ignore[reportMissingImports]
    import torch

    theirs: Any = snntorch.Leaky(beta=0.9, reset_mechanism="subtract", reset_delay=False)  # pyright: ignore[reportAttributeAccessIssue]
    x = torch.tensor([3.5, 0.0, 0.0])[:, None, None]
    membrane, spikes = theirs.reset_mem(), []
    for x_t in x:
        s, membrane = theirs(x_t, membrane)
        spikes.append(float(s))
    ours = neuron("lif[strict=true]", N=1, T=3)(x).flatten().tolist()
    assert ours == [1.0, 1.0, 1.0]
    assert spikes != ours


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_that_is_missing_is_refused_by_name(library: str) -> None:
    if find_spec(library) is not None:
        pytest.skip(f"{library} is installed here")
    needed = "|".join(registry.declared(library, None, "REQUIRES"))
    with pytest.raises(Refused, match=f"backend '{library}' needs ({needed}), which is not installed"):
        neuron(f"lif@{library}")


@pytest.mark.long
def test_a_case_runs_in_the_interpreter_of_its_backend() -> None:
    case = Case("lif@eager", T=8, B=2, N=8)
    settings = Settings(metrics=("latency",), samples=1, threads=1, python={"eager": sys.executable})
    with Session(settings) as session:
        record = session.measure(case)
        assert record.status == "ok", record.reason
        assert record.environment.get("versions", {})["torch"]
    with pytest.raises(Problem, match="cannot run /nowhere/python"):
        Session(Settings(python={"eager": "/nowhere/python"}))


def test_the_sweep_holds_every_library_and_all_our_backends() -> None:
    found = sweeps.sweep("libraries")
    subjects = {c.parsed.backend for c in found}
    assert subjects >= {*sweeps.able(), "eager", "compiled", "cpu"} and "spyx" not in subjects, (
        "its soft reset is another"
    )
    assert {c.mode for c in found} == {"forward", "train"}
    assert all(b in registry.backends("lif") for b in LIBRARIES)


def test_spikingjelly_on_the_cpu_has_one_provider_and_says_which() -> None:
    adapter = needs("spikingjelly")
    assert "provider=triton on CUDA" in str(adapter.refuses(Case("lif@spikingjelly[provider=triton]", T=8, B=2, N=4)))
    assert adapter.refuses(Case("lif@spikingjelly[provider=torch]", T=8, B=2, N=4)) is None
    assert adapter.ran("cpu") == {"provider": "torch"}


def test_spikingjelly_is_asked_for_the_provider_that_a_case_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library chooses once; another provider in the same process is a new choice, and one that is missing is refused."""
    adapter, chosen = needs("spikingjelly"), list[str]()
    import torch

    class Selection:
        _requested = "auto"

        def __init__(self) -> None:
            self._selections: dict[Any, Any] = {0: "the one before"}
            self._compiled_selections = {0: "the one before"}

        def diagnostics(self, device: torch.device) -> dict[str, str]:
            if self._requested == "cuda":
                raise RuntimeError("No available sj_lif CUDA implementation. cuda: not built")
            if 0 not in self._selections:
                chosen.append(self._requested)
                self._selections[0] = self._requested
            return {"implementation": self._requested}

    selection = Selection()
    monkeypatch.setattr(adapter.operator, "_selection", selection)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    adapter._choose("triton", torch.device("cuda"))
    adapter._choose("triton", torch.device("cuda"))
    assert chosen == ["triton"] and adapter.ran("cuda") == {"provider": "triton"}
    with pytest.raises(Refused, match="spikingjelly: No available sj_lif"):
        adapter._choose("cuda", torch.device("cuda"))
    selection._requested = "triton"
    selection._selections[(0, "a surrogate without kernels")] = None
    assert adapter.ran("cuda") == {"provider": "torch", "provider_reason": "a surrogate without kernels"}


def test_a_case_without_a_provider_keeps_its_id() -> None:
    case = Case("lif@spikingjelly")
    assert "provider" not in case.to_json()["backend_options"]
    assert (
        Case("lif@spikingjelly[provider=auto]").case_id
        == case.case_id
        != Case("lif@spikingjelly[provider=triton]").case_id
    )


def test_the_provider_that_ran_stands_on_the_record() -> None:
    needs("spikingjelly")
    with Session(Settings(("latency",), samples=2, fork=False)) as session:
        record = session.measure(Case("lif@spikingjelly", T=8, B=2, N=4))
    found = record.measurement("latency")
    assert record.status == "ok" and found and found.detail["provider"] == "torch"
