"""Bytes of tensors are counted one by one, and what was there before does not blur them."""

import pytest
import torch

from spikebench.cases.case import Case
from spikebench.host.clock import CpuClock
from spikebench.metric import Plan, Running, measure
from spikebench.sampling import allocated
from spikebench.workloads.layer import build


def test_the_peak_is_that_of_what_is_there_at_once() -> None:
    def launch() -> None:
        first, second = torch.empty(1000), torch.empty(3000)
        del first
        third = torch.empty(500)
        del second, third

    assert [allocated.peak(launch) for _ in range(3)] == [16_000] * 3


def test_what_was_there_before_is_neither_taken_nor_given_back() -> None:
    """A block that an earlier profile has seen is replaced by a larger one: only what is new counts."""
    held = [torch.empty(1000)]

    def launch() -> None:
        held.append(torch.empty(2000))
        del held[0]

    assert [allocated.peak(launch) for _ in range(4)] == [8_000] * 4


@pytest.mark.parametrize(
    ("steps", "most"),
    [([], 0), ([(1, 5), (1, -5), (1, 7)], 7), ([(9, -4), (1, 5), (2, 3), (1, -5), (2, -3), (3, 6)], 8)],
)
def test_the_highest_sum(steps: list[tuple[int, int]], most: int) -> None:
    assert allocated.highest(steps) == most


def test_the_metric_is_the_same_each_time_and_knows_no_foreign_memory() -> None:
    def metric(subject: str) -> Running:
        return Running(build(Case(subject, T=16, B=4, N=8)), CpuClock(), Plan())

    one, other = (measure("tensor_memory", metric("lif@eager")).samples for _ in range(2))
    assert one == other and one[0] >= 3 * 16 * 4 * 8 * 4
    assert measure("tensor_memory", metric("torch.nn:Identity")).status == "unavailable"
