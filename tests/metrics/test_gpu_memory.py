"""Peak memory on a fake allocator: what a CUDA graph keeps for its tape counts, and setting up does not."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from spikebench.host.clock import FakeClock
from spikebench.metric import Plan, Running
from spikebench.metrics import peak_memory

MiB = 2**20


class Allocator:
    """What peak_memory asks of torch.cuda. `pool` is a graph's: its bytes in all, and those that tensors have."""

    def __init__(self) -> None:
        self.allocated, self.peak = 300 * MiB, 300 * MiB
        self.pool = {"segment_pool_id": (0, 1), "total_size": 0, "allocated_size": 0}

    def take(self, count: int) -> None:
        self.allocated += count
        self.peak = max(self.peak, self.allocated)

    def synchronize(self) -> None:
        pass

    def memory_allocated(self) -> int:
        return self.allocated

    def max_memory_allocated(self) -> int:
        return self.peak

    def reset_peak_memory_stats(self) -> None:
        self.peak = self.allocated

    def memory_snapshot(self) -> list[dict[str, Any]]:
        usual = {"segment_pool_id": (0, 0), "total_size": 900 * MiB, "allocated_size": self.allocated}
        return [usual, *([self.pool] if self.pool["total_size"] else [])]


def measured(cuda: Allocator, launch: Callable[[], None]) -> Running:
    work: Any = type("Work", (), {"x": torch.zeros(2, 3, 4), "launch": staticmethod(launch)})()
    run = Running(work, FakeClock([1.0]), Plan())
    run.medians["peak"] = peak_memory.on_gpu(run, cuda)
    return run


def test_an_eager_launch_takes_its_peak_above_what_was_there() -> None:
    cuda = Allocator()

    def launch() -> None:
        cuda.take(64 * MiB)
        cuda.take(-64 * MiB)

    assert measured(cuda, launch).medians["peak"] == 64 * MiB


def test_a_graph_keeps_its_tape_and_its_own_tensors() -> None:
    """100 MiB of tape, freed at the end of the recording to a pool that nobody else may use, and 40 of fixed tensors."""
    cuda = Allocator()

    def launch() -> None:
        if not cuda.pool["total_size"]:
            cuda.take(500 * MiB)  # warm-up before the recording
            cuda.take(-500 * MiB)
            cuda.take(140 * MiB)
            cuda.take(-100 * MiB)
            cuda.pool |= {"total_size": 140 * MiB, "allocated_size": 40 * MiB}
        cuda.take(10 * MiB)  # spikes and gradient in tensors of their own
        cuda.take(-10 * MiB)

    found = measured(cuda, launch)
    assert found.medians["peak"] == 150 * MiB
    assert found.detail["graph_pools"] == 100 * MiB and found.detail["kept"] == 40 * MiB
    assert found.detail["first"] == 500 * MiB


def test_what_a_first_launch_caches_counts_and_what_it_only_needs_once_does_not() -> None:
    cuda, made = Allocator(), list[int]()

    def launch() -> None:
        if not made:
            made.append(1)
            cuda.take(80 * MiB)
            cuda.take(-75 * MiB)
        cuda.take(20 * MiB)
        cuda.take(-20 * MiB)

    found = measured(cuda, launch)
    assert found.medians["peak"] == 25 * MiB and found.detail["kept"] == 5 * MiB


def test_the_workspace_of_the_library_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, held = Allocator(), list[int]()

    def product(*_: Any) -> None:
        if not held:
            held.append(1)
            cuda.take(32 * MiB)

    monkeypatch.setattr(peak_memory.torch, "mm", product)

    def launch() -> None:
        product()
        cuda.take(5 * MiB)
        cuda.take(-5 * MiB)

    found = measured(cuda, launch)
    assert found.medians["peak"] == 5 * MiB and found.detail["workspace"] == 32 * MiB
