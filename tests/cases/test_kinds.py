"""`Case(…)` is a layer, a network's step or a training, each with only the fields that it has, and its subject parsed once."""

import copy
import pickle
from typing import Any

import pytest

from spikebench import registry
from spikebench.cases import point
from spikebench.cases.case import Case, Layer, NetworkStep, Training, expect, grid, with_changes
from spikebench.cases.subject import shown
from spikebench.errors import Problem

SHD: dict[str, Any] = {"workload": "network", "network": "shd"}
TASK: dict[str, Any] = {"workload": "training", "task": "japanese_vowels"}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [({}, Layer), ({"workload": "projection"}, NetworkStep), (SHD, NetworkStep), (TASK, Training)],
)
def test_the_workload_picks_the_kind_and_json_gives_it_back(fields: dict[str, Any], kind: type[Case]) -> None:
    case = Case("lif@eager", **fields)
    assert type(case) is kind and isinstance(case, Case)
    assert case.workload == fields.get("workload", "layer")
    for again in (Case.from_json(case.to_json()), copy.copy(case), pickle.loads(pickle.dumps(case))):
        assert type(again) is kind and again == case and again.case_id == case.case_id
    assert type(with_changes(case, seed=3)) is kind and with_changes(case, seed=3).seed == 3
    assert isinstance(case.gated, Layer) and case.gated.gated == case.gated


def test_a_kind_has_only_its_own_fields() -> None:
    assert not hasattr(Case("lif"), "network") and not hasattr(Case("lif"), "task")
    assert not hasattr(Case("lif", **SHD), "bias") and not hasattr(Case("lif", **TASK), "rate")
    assert Case("lif", bias=0.5) == Layer("lif@eager", bias=0.5)
    assert Case("lif", **TASK, network="[epochs=2]") == Training("lif", task="japanese_vowels", recipe="[epochs=2]")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        (SHD | {"bias": 0.5}, "a network has no bias, and 0.5 was given; it is the mean input of a layer"),
        ({"task": "fsdd"}, "a layer has no task, and 'fsdd' was given; it is one of workload training"),
        (TASK | {"rate": 0.1}, "a training has no rate, and 0.1 was given; layers and networks aim at one"),
        (TASK | {"T": 5}, "a training trains, and its data give its sizes; leave T, B, N and the mode out"),
        (TASK | {"mode": "inference"}, "leave T, B, N and the mode out"),
        ({"workload": "other"}, "no workload 'other'; there are layer, projection, network, events, training"),
        ({"width": 3}, "a layer has no width, and 3 was given; no case has it"),
        ({"allocator": "mine"}, "no allocator 'mine'; there are kept, default"),
    ],
)
def test_a_field_of_another_kind_gets_one_line(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Problem) as problem:
        Case("lif", **fields)
    assert complaint in str(problem.value) and "\n" not in str(problem.value)


def test_a_case_of_another_kind_is_not_taken() -> None:
    with pytest.raises(ValueError, match="a network is no Layer"):
        expect(Case("lif", **SHD), Layer)


def test_a_subject_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    real = point.parse_subject
    monkeypatch.setattr(point, "parse_subject", lambda text, device: parsed.append(text) or real(text, device))
    (case,) = grid(["lif[decay=0.9]@cpu"])
    read = (case.to_json(), case.options, case.case_id, case.parsed)
    assert parsed == ["lif[decay=0.9]@cpu"] and str(read[-1]) == case.subject


def test_fused_is_our_kernel_for_the_device_and_keeps_the_id_of_its_records() -> None:
    here, there = Case("lif[decay=0.8]@fused"), Case("lif@fused[save=checkpoints]", device="cuda")
    assert (here.subject, there.subject) == ("lif[decay=0.8]@cpu", "lif@triton[save=checkpoints]")
    assert here.case_id == Case("lif[decay=0.8]@cpu").case_id
    assert shown(here.subject) == "lif[decay=0.8]@fused" and shown(there.subject) == "lif@fused[save=checkpoints]"
    assert [shown(text) for text in ("lif@eager", "lif", "paper.py:Mine")] == ["lif@eager", "lif", "paper.py:Mine"]
    assert "fused" in registry.called("lif") and not {"cpu", "triton"} & set(registry.called("lif"))


def test_a_fused_kernel_that_is_not_there_is_said_in_one_line() -> None:
    with pytest.raises(Problem, match="no backend 'fused' for 'gelu_sampler'; there are cudagraph, eager, fft"):
        Case("gelu_sampler@fused")
    only = next(n for n in registry.names("neurons") if {"cpu", "triton"} & set(registry.backends(n)) == {"cpu"})
    with pytest.raises(Problem, match=f"{only}@fused runs on cpu only, not on cuda"):
        Case(f"{only}@fused", device="cuda")
