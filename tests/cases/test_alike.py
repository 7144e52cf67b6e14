"""Subjects of one neuron get options that all of them can have, and only where one of them could not be computed."""

from collections.abc import Sequence

import pytest

from spikebench import registry
from spikebench.cases import sweeps
from spikebench.cases.alike import alike
from spikebench.cases.subject import parse_subject

LIBRARIES = registry.libraries("lif")


def lacking(text: str) -> str | None:
    """What a subject's backend cannot have of it."""
    subject = parse_subject(text)
    return registry.limits(subject.backend, subject.name).lacking({**subject.all_options, **subject.all_how})


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_and_our_kernels_are_compared_as_typed(library: str) -> None:
    found = alike([f"lif@{library}", "lif@fused"])
    theirs, ours = map(parse_subject, found.subjects)
    assert not any(map(lacking, found.subjects))
    assert theirs.all_options == ours.all_options
    assert found.said is None or "\n" not in found.said
    assert (found.said is None) == (lacking(f"lif@{library}") is None)


def test_what_was_chosen_is_as_close_to_the_defaults_as_can_be_and_is_said() -> None:
    found = alike(["lif@snntorch", "lif@fused"])
    assert found.subjects[1] == "lif[detach_reset=true,strict=true,reset_delay=true]@cpu"
    assert found.said is not None
    assert found.said.startswith(
        "lif@snntorch and lif@fused: taken with detach_reset=true, strict=true, reset_delay=true"
    )
    assert "its reset is always detached" in found.said


def test_all_libraries_have_the_lif_of_the_sweep_of_libraries() -> None:
    found = alike([f"lif@{library}" for library in sweeps.able()])
    assert (
        parse_subject(found.subjects[0]).options
        == parse_subject(f"lif[{','.join(f'{k}={v}' for k, v in sweeps.COMMON.items())}]").options
    )


@pytest.mark.parametrize(
    "texts",
    [
        ["lif@eager", "lif@fused"],
        ["lif", "lif[reset=hard]"],  # a comparison of resets
        ["lif[reset=soft]@snntorch", "lif[reset=soft,reset_delay=false]@fused"],  # nothing both can have
        ["lif", "nowhere.py:Neuron"],
        ["lif@fused", "spsn@fused"],
    ],
)
def test_nothing_is_chosen_where_nothing_is_amiss_or_nothing_helps(texts: Sequence[str]) -> None:
    assert alike(texts).subjects == [str(parse_subject(t)) for t in texts]
    assert alike(texts).said is None


def test_what_was_typed_for_one_is_meant_for_those_that_leave_it_open() -> None:
    found = alike(["lif[reset=hard,decay=0.5]@snntorch", "lif@fused"])
    wanted = {"decay": 0.5, "reset": "hard", "detach_reset": True}
    assert [parse_subject(s).options for s in found.subjects] == [wanted, wanted]
