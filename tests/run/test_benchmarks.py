"""The regression sweep under pytest-benchmark, in this process: the small cases, or all with --benchmark-only.

`pytest tests/run/test_benchmarks.py --benchmark-only --benchmark-autosave` keeps them, `--benchmark-compare` sets them side by side.
Numbers to publish come from `spikebench run`, which gives every case a process of its own and checks it first.
"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from spikebench.backend import Refused
from spikebench.cases.case import Case
from spikebench.cases.sweeps import regression
from spikebench.workloads.layer import build

SMALL = 128 * 4 * 128  # currents


def called(case: Case) -> str:
    return f"{case.case_id}-{case.subject}-{case.mode}-T{case.T}-B{case.B}-N{case.N}"


@pytest.mark.parametrize("case", [c for c in regression() if c.device == "cpu"], ids=called)
def test_launch(case: Case, benchmark: BenchmarkFixture, request: pytest.FixtureRequest) -> None:
    if case.T * case.B * case.N > SMALL and not request.config.getoption("--benchmark-only"):
        pytest.skip("only with --benchmark-only")
    try:
        work = build(case)
    except Refused as reason:
        pytest.skip(str(reason))
    benchmark.group = f"{case.parsed.name} {case.mode} T={case.T} B={case.B} N={case.N}"
    benchmark.extra_info.update(case_id=case.case_id, case=case.to_json())
    spikes = benchmark.pedantic(work.launch, rounds=5, warmup_rounds=2)
    assert spikes.shape == work.x.shape and bool(spikes.isfinite().all())


def test_case_ids_are_unique() -> None:
    assert len({case.case_id for case in regression()}) == len(regression())
