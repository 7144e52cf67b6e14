"""What measures and judges is compared with what it was: every change that a subject could make of it is seen."""

import signal
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from spikebench.host.clock import CpuClock
from spikebench.sampling import timed
from spikebench.verify.snapshot import HOOKS, Snapshot

CHANGES: dict[str, tuple[Any, str, Any]] = {
    "another function": (timed, "misformed", lambda *_: None),
    "a method": (CpuClock, "measure", lambda *_: 1.0),
    "a property": (CpuClock, "last", property(lambda _: (0, 1))),
    "a name of Python's": (timed, "range", lambda _: [0]),
    "what runs when an attribute is set": (CpuClock, "__setattr__", lambda *_: None),
    "a method that tensors inherit": (torch.Tensor, "numel", lambda _: 0),
    "a method of a tensor": (torch.Tensor, "__len__", lambda _: 0),
    "a method of a tensor's storage": (torch.UntypedStorage, "data_ptr", lambda _: 0),
    "a constant": (timed, "SMALL", 0),
}


@pytest.fixture
def before() -> Snapshot:
    """What there is before a test."""
    return Snapshot()


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen(name: str, before: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    assert before.changed() == [] and before.changed_now() is None
    owner, attribute, value = CHANGES[name]
    monkeypatch.setattr(owner, attribute, value, raising=False)
    assert [found.split(".")[-1] for found in before.changed()] == [attribute]
    new = attribute in ("range", "__setattr__")
    assert (before.changed_now() or "").endswith("" if new else attribute), "new names are looked for at the end"


def test_a_signal_that_somebody_handles_is_seen(before: Snapshot) -> None:
    handler = signal.signal(signal.SIGWINCH, lambda *_: None)
    try:
        assert before.changed_now() == "a signal's handler"
    finally:
        signal.signal(signal.SIGWINCH, handler)
    assert before.changed_now() is None


def test_a_tool_that_monitors_the_interpreter_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = HOOKS["sys.monitoring"]()
    monkeypatch.setattr(sys, "monitoring", SimpleNamespace(get_tool=lambda _: "somebody"), raising=False)
    assert HOOKS["sys.monitoring"]() != nobody


def test_the_clock_reads_with_what_was_there_before_the_call(before: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    def call() -> None:
        monkeypatch.setattr(time, "perf_counter_ns", lambda: 0)

    clock = CpuClock()
    assert clock.measure(call) > 0 and before.changed_now() == "time.perf_counter_ns"


def test_looking_after_a_sample_takes_little_and_is_no_event(before: Snapshot) -> None:
    seen, looking = list[str](), [False]

    def audit(event: str, _: Any) -> None:
        if looking[0]:
            seen.append(event)

    sys.addaudithook(audit)
    looking[0] = True
    started = time.perf_counter()
    before.changed_now()
    took = time.perf_counter() - started
    looking[0] = False
    assert not seen and took < 0.05
