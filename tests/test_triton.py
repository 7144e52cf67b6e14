"""Triton kernels without a GPU: interpreted against the definitions in processes of their own, and compiled."""
# ruff: noqa: E402  # what is imported last needs triton

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

triton = pytest.importorskip("triton", reason="triton is not installed")

from spikebench.backend import Refused
from spikebench.backends.triton import _aot, _launch, _table, exodus, lif, psu, spike_sampler, spsn
from spikebench.case import Case
from spikebench.neurons.exodus import Exodus
from spikebench.neurons.lif import LIF
from spikebench.neurons.psu import PSU
from spikebench.neurons.spike_sampler import SpikeSampler
from spikebench.neurons.spsn import SPSN

HERE = Path(__file__).parent
VERSION = tuple(int(n) for n in triton.__version__.split(".")[:2])
NUMPY = tuple(int(n) for n in importlib.metadata.version("numpy").split(".")[:2])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel compiled by another version or an older source is taken from a cache."""
    monkeypatch.setattr(triton.knobs.cache, "dir", str(tmp_path))


@pytest.fixture(scope="module", autouse=True)
def interpreted() -> Iterator[subprocess.Popen[str]]:
    """The interpreted tests, in a process of their own: triton chooses when it is imported. They run beside the others."""
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
        HERE / "interpreted_triton.py",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=HERE.parent, env=environment
    ) as started:
        yield started
        started.kill()


@pytest.mark.parametrize("neuron", _table.NEURON_IDS)
def test_kernels_compile_without_spills_and_as_the_table_says(neuron: str) -> None:
    written = _table.README.read_text()
    same = f"Made with triton {triton.__version__}." in written
    for series, launch in _table.listed(neuron):
        binaries = [_aot.compiled(launch, capability) for capability in _table.CAPABILITIES]
        row = _table.row(series, binaries)
        sys.stdout.write(row)
        assert [b.spills for b in binaries] == [0, 0], row
        assert all(b.registers > 0 for b in binaries)
        if same:
            assert row in written


@pytest.mark.parametrize(
    "run, neuron", [(lif.run, LIF()), (spsn.run, SPSN()), (psu.run, PSU()), (exodus.run, Exodus())]
)
@pytest.mark.parametrize("dtype, width", [(torch.float32, 16), (torch.bfloat16, 8)])
def test_time_steps_are_fetched_ahead_in_wide_reads(run: Any, neuron: Any, dtype: torch.dtype, width: int) -> None:
    for launch in _aot.launches(run, neuron, (1000, 32, 512), dtype, chunk=0):
        assert max(_aot.compiled(launch, 90).copies) >= width


@pytest.mark.parametrize(
    "run, neuron",
    [(lif.run, LIF(learn_decay=True, input_scale="1-decay")), (spsn.run, SPSN()), (exodus.run, Exodus())],
)
@pytest.mark.parametrize("size", [(1, 1, 1), (70, 3, 7)])
def test_odd_sizes_compile_and_offsets_have_64_bits(run: Any, neuron: Any, size: tuple[int, int, int]) -> None:
    for launch in _aot.launches(run, neuron, size, torch.float64, chunk=16):
        offsets = re.findall(r"tt\.addptr .*tensor<\d+x(i\d+)>", _aot.compiled(launch, 90).ttir)
        assert offsets and set(offsets) == {"i64"}


@pytest.mark.parametrize("size", [(1, 1, 1), (70, 3, 7)])
def test_odd_sizes_of_the_spike_sampler_compile(size: tuple[int, int, int]) -> None:
    for launch in _aot.launches(spike_sampler.run, SpikeSampler(size[2], state=6), size, torch.float32):
        assert _aot.compiled(launch, 90).registers > 0


@pytest.mark.parametrize("size", [(1, 1, 1), (64, 1, 48)])
def test_what_is_compiled_is_what_a_launch_asks_for(size: tuple[int, int, int]) -> None:
    """Types and hints of the arguments agree with those that triton itself finds when a kernel is launched."""
    target = pytest.importorskip("triton.backends.compiler").GPUTarget("cuda", 90, 32)
    backend = pytest.importorskip("triton.compiler.compiler").make_backend(target)
    binder = pytest.importorskip("triton.runtime.jit").create_function_from_signature
    launches = _aot.launches(lif.run, LIF(learn_decay=True), size, torch.bfloat16, chunk=8)
    launches += _aot.launches(spsn.run, SPSN(), size, torch.float32, chunk=8)
    for launch in launches:
        bind = binder(launch.kernel.signature, launch.kernel.params, backend)
        _, found, _ = bind(**launch.arguments, num_warps=launch.warps)
        ours = _aot.specialised(launch)
        assert [kind for kind, _ in found] == list(ours.signature.values())
        hinted = {place for place, (kind, hint) in enumerate(found) if kind != "constexpr" and hint == "D"}
        assert hinted == {place for (place,) in ours.attrs}


def test_refusals_name_their_reason() -> None:
    assert "CUDA" in str(lif.refuses(Case("lif@triton")))
    assert lif.refuses(Case("lif@triton", device="cuda")) is None
    assert "uint8" in str(lif.refuses(Case("lif@triton[spikes=uint8]", device="cuda")))
    assert lif.refuses(Case("lif@triton[spikes=uint8]", device="cuda", mode="inference")) is None
    assert "dense" in str(psu.refuses(Case("psu[form=dense]@triton", device="cuda")))
    assert "doubling" in str(exodus.refuses(Case("exodus[backward=doubling]@triton", device="cuda")))
    many = Case("exodus@triton[spikes=uint8]", device="cuda", mode="inference")
    assert "max_spikes" in str(exodus.refuses(many))
    assert "dplr" in str(spike_sampler.refuses(Case("spike_sampler[ssm=dplr]@triton", device="cuda")))
    with pytest.raises(Refused, match="the input is on cpu"):
        lif.run(LIF(), torch.zeros(2, 1, 4))


def test_chunks_are_for_few_series() -> None:
    def steps(length: int, series: int, asked: int | None = None) -> int:
        return _launch.steps_per_chunk(torch.empty(length, series, device="meta"), asked)

    assert steps(1000, 16_384) == 1000
    assert steps(200, 512) == 200
    assert 64 <= steps(10_000, 512) < 200 and steps(10_000, 512) % 4 == 0
    assert steps(100, 8, asked=0) == 100
    assert steps(100, 8, asked=10) == 12


@pytest.fixture(scope="module", autouse=True)
def not_interpreted() -> Iterator[None]:
    """Compiling needs triton as it is."""
    if _launch.interpreted():
        pytest.skip("TRITON_INTERPRET is set: kernels cannot be compiled in this process")
    yield


@pytest.mark.timeout(300)
@pytest.mark.skipif(VERSION < (3, 7) and NUMPY >= (2, 4), reason="triton's interpreter before 3.7 fails with numpy 2.4")
def test_interpreted_kernels_equal_the_definitions(interpreted: subprocess.Popen[str]) -> None:
    out, _ = interpreted.communicate()
    assert interpreted.returncode == 0, out[-8000:]
    assert re.search(r"\d+ passed", out) and "skipped" not in out
