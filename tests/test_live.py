"""What the verdicts are worth on this machine: live comparisons whose answer is known. Off unless --live is given."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from spikebench.case import Case
from spikebench.compare import compare
from spikebench.runner import Session, Settings

WORK = """
from torch import nn


class Work(nn.Module):
    def __init__(self, rounds=200):
        super().__init__()
        self.rounds = rounds

    def forward(self, x):
        y = x.clone()
        for _ in range(self.rounds):
            y.mul_(1.0)
        return (y > 0.5).to(x.dtype)
"""
HALF_BUSY = """
import os, time
os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
while True:
    end = time.perf_counter() + 0.05
    while time.perf_counter() < end:
        pass
    time.sleep(0.05)
"""


@pytest.fixture(autouse=True)
def live(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--live"):
        pytest.skip("takes up to half an hour of a machine with nothing else on it: run with --live")


@pytest.fixture
def load() -> Iterator[None]:
    """One core busy half of the time."""
    process = subprocess.Popen([sys.executable, "-c", HALF_BUSY])
    yield
    process.kill()
    process.wait()


def verdicts(subjects: list[str], times: int, settings: Settings, **sizes: int) -> Counter[str]:
    """How often live comparisons of the second subject with the first gave which verdict; each has an input of its own."""
    found: Counter[str] = Counter()
    with Session(settings) as session:
        for seed in range(times):
            case = Case(subjects[0], **sizes, mode="inference", seed=seed)  # pyright: ignore[reportArgumentType]
            (row,) = compare(subjects, case, session=session)
            found[row.verdict or row.status] += 1
            pairs = row.ratio.n if row.ratio else 0
            sys.stderr.write(f"{seed + 1}/{times}: {row.verdict or row.reason} after {pairs} pairs; {dict(found)}\n")
    return found


@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("load")
def test_a_against_a_on_a_loaded_machine_is_seldom_faster_or_slower() -> None:
    found = verdicts(["lif@cpu", "lif@cpu"], 60, Settings(metrics=("latency",)), T=256, B=4, N=128)
    assert found["faster"] + found["slower"] <= 6, found
    assert sum(found[v] for v in ("faster", "slower", "same", "inconclusive")) == 60, found


@pytest.fixture
def work(tmp_path: Path) -> str:
    (tmp_path / "work.py").write_text(WORK)
    return f"{tmp_path}/work.py:Work"


@pytest.mark.timeout(3600)
def test_five_percent_more_work_is_slower_and_a_against_a_is_the_same_on_a_quiet_machine(work: str) -> None:
    one = Settings(metrics=("latency",), threads=1)
    slower = verdicts([work, f"{work}[rounds=210]"], 30, one, T=64, B=8, N=128)
    assert slower["slower"] >= 24, slower
    equal = verdicts([work, work], 30, one, T=64, B=8, N=128)
    assert equal["same"] >= 15, equal
