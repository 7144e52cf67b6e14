"""Figures of the GPU in texts stand in the committed records; a text says no more than they do."""

import re
from pathlib import Path

import pytest

from spikebench import units
from spikebench.analysis import stats
from spikebench.records import store
from spikebench.records.record import Record

ROOT = Path(__file__).parents[2]
RECORDS = store.load(ROOT / "results" / "nvidia-h100-80gb-hbm3-16c")
TEXTS = [ROOT / "docs" / "gpu.md"]
SIZES = ("T", "B", "N")


def table(text: str) -> list[dict[str, str]]:
    """Rows of the one table whose columns are sizes and subjects."""
    lines = [
        [c.strip(" `") for c in line.strip().strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"
    ]
    head = next(k for k, cells in enumerate(lines) if cells[: len(SIZES)] == list(SIZES))
    rows = [cells for cells in lines[head + 2 :] if len(cells) == len(lines[head])]
    return [dict(zip(lines[head], cells, strict=True)) for cells in rows if cells[0].isdigit()]


def timed(subject: str, sizes: dict[str, int]) -> list[Record]:
    """Training steps of a neuron on a backend, whatever its options."""
    neuron, backend = subject.split("@")
    wanted = sizes | {"neuron": neuron, "backend": backend, "mode": "train"}
    return [r for r in RECORDS if r.case.items() >= wanted.items() and r.measurement("latency")]


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.name)
def test_times_of_the_gpu_are_those_of_the_records(path: Path) -> None:
    rows = table(path.read_text())
    assert len(rows) == 2 and "n = 1" in path.read_text()
    for row in rows:
        sizes = {axis: int(row[axis]) for axis in SIZES}
        for subject, cell in row.items():
            if subject in SIZES:
                continue
            found = timed(subject, sizes)
            assert len(found) == (cell != "—"), f"{subject} {sizes}: n is not 1"
            if found:
                samples = found[0].measurement("latency")
                assert samples and cell == units.show(stats.median(samples.samples), "s"), f"{subject} {sizes}"


def test_times_of_the_device_are_those_of_the_records() -> None:
    """The page's table of an H200: columns of ours, its share of the copy, and SpikingJelly's two kernels."""
    records = store.load(ROOT / "results" / "nvidia-h200-16c")
    columns = (
        ("lif@triton", "device_time"),
        ("lif@triton", "bandwidth"),
        ("lif@spikingjelly[provider=cuda]", "device_time"),
        ("lif@spikingjelly[provider=triton]", "device_time"),
    )
    rows = [line for line in (ROOT / "docs" / "gpu.md").read_text().splitlines() if line.startswith("| T = ")]
    assert len(rows) == 3
    for line in rows:
        head, *cells = [c.strip() for c in line.strip("|").split("|")]
        sizes = {axis: int(size) for axis, size in re.findall(r"([TBN]) = (\d+)", head)}
        for (subject, metric), cell in zip(columns, cells, strict=True):
            cases = [r for r in records if r.case.items() >= (sizes | {"subject": subject, "dtype": "float32"}).items()]
            found = [m for r in cases if (m := r.measurement(metric)) and m.samples]
            assert len(found) == (cell != "—"), f"{subject} {sizes}: n is not 1"
            if found:
                shown = stats.median(found[0].samples)
                assert cell == (f"{shown:.3f}" if metric == "bandwidth" else units.show(shown, "s"))


def test_every_fused_neuron_passed_its_gate_in_three_precisions() -> None:
    passed = [r for r in RECORDS if r.gate and r.gate.status == "passed" and r.case["backend"] == "triton"]
    gated = {(r.case["neuron"], r.case["dtype"], r.case["mode"]) for r in passed}
    fused = {r.case["neuron"] for r in RECORDS if r.case["backend"] == "triton"}
    wanted = {(n, d, "train") for n in fused for d in ("float32", "float64", "bfloat16")}
    assert fused and wanted | {(n, "float32", "inference") for n in fused} <= gated


def test_energy_in_the_text_is_that_of_the_records() -> None:
    text = (ROOT / "docs" / "gpu.md").read_text()
    for record in RECORDS:
        energy = record.measurement("energy")
        if energy:
            joules = stats.median(energy.samples)
            assert re.search(rf"{joules:.3g} J\s+for `{record.case['subject']}`", text), record.case["subject"]


def test_what_is_not_to_be_quoted_is_not() -> None:
    """spsn@fft of that day counted a loop of ours on the CPU."""
    for path in TEXTS:
        assert all("spsn@fft" not in row for row in table(path.read_text()))
