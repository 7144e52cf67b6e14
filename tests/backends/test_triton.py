"""Triton kernels without a GPU: interpreted against the definitions in processes of their own, and compiled."""
# ruff: noqa: E402  # what is imported last needs triton

import importlib
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

from interpreting import Interpreted

from spikebench.backend import Refused
from spikebench.backends.triton import (
    _aot,
    _launch,
    _ssm_dot,
    _table,
    exodus,
    ipsu,
    lif,
    psn,
    psu,
    rpsu,
    sliding_psn,
    spike_sampler,
    spsn,
)
from spikebench.cases.case import Case, with_changes
from spikebench.cases.subject import parse_subject
from spikebench.loading.subject import definition
from spikebench.neurons.exodus import Exodus
from spikebench.neurons.ipsu import IPSU
from spikebench.neurons.lif import LIF
from spikebench.neurons.psn import PSN
from spikebench.neurons.psu import PSU
from spikebench.neurons.rpsu import RPSU
from spikebench.neurons.sliding_psn import SlidingPSN
from spikebench.neurons.spike_sampler import SpikeSampler
from spikebench.neurons.spsn import SPSN

HERE = Path(__file__).parents[1]
VERSION = tuple(int(n) for n in triton.__version__.split(".")[:2])
NUMPY = tuple(int(n) for n in importlib.metadata.version("numpy").split(".")[:2])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel compiled by another version or an older source is taken from a cache."""
    monkeypatch.setattr(triton.knobs.cache, "dir", str(tmp_path))


def compiled(launch: _launch.Launch, capability: int = 90) -> _aot.Binary:
    made = _aot.compiled(launch, capability)
    assert made.registers > 0 and made.spills == 0, made
    return made


# steps of the frame that the kernels of lif and spsn compile, too, or their own frame; these alone take three minutes
ALIKE = ("plif.", "silif.", "c_silif.", "dsn.", "exodus.", "prf.", "prf_lif.", "para_lif.", "psu.", "spike_sampler.")


@pytest.mark.parametrize(
    "series, launch",
    [
        pytest.param(*p, id=_aot.named(p[1]), marks=[pytest.mark.slow] if _aot.named(p[1]).startswith(ALIKE) else [])
        for p in _table.once()
    ],
)
@pytest.mark.long
def test_kernels_compile_without_spills_and_as_the_table_says(
    series: int, launch: _launch.Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    binaries = [_aot.compiled(launch, capability) for capability in _table.CAPABILITIES]
    row = _table.row(series, binaries)
    with capsys.disabled():
        sys.stdout.write(f"\n{row.strip()}")
    assert [b.spills for b in binaries] == [0, 0] and all(b.registers > 0 for b in binaries)
    written = _table.written()
    assert written is None or row in written


def test_another_triton_compiles_the_kernels_too(request: pytest.FixtureRequest) -> None:
    """With --triton=PATH, made by `pip install --target PATH triton==3.6.0`: the version of some other machine."""
    folder = request.config.getoption("--triton")
    if folder is None:
        pytest.skip("needs --triton=PATH, a folder with another version of triton")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "compile"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=HERE.parent, env=os.environ | {"PYTHONPATH": folder}
    )
    assert done.returncode == 0 and "passed" in done.stdout, done.stdout[-8000:]


def test_time_steps_are_fetched_ahead() -> None:
    """At M = 16,384: in tiles all reads of a turn come before its writes, in a pipelined loop they are of 16 bytes."""
    lines = [line.split(" | ") for line in (_table.written() or "").splitlines() if " | 16,384 | " in line]
    tiled = [row[7].split(" of ") for row in lines if row[5]]
    assert not lines or (tiled and all(before == reads != "0" for before, reads in tiled))
    pipelined = [row for row in lines if row[6] and not row[5] and "spike_sampler" not in row[0]]
    assert all(row[8] == "16" for row in pipelined)


MANY = [(lif.run, LIF(learn_decay=True, input_scale="1-decay"), {"chunk": 16}), (spsn.run, SPSN(), {"chunk": 16})]
MANY += [(sliding_psn.run, SlidingPSN(), {}), (psn.run, PSN(T=70), {}), (ipsu.run, IPSU(T=70), {})]
MANY += [(rpsu.run, RPSU(T=70), {"chunk": 16})]
MANY += [(spike_sampler.run, SpikeSampler(70_000, state=4), {"form": "dot", "chunk": 16})]
MANY += [(psu.run, PSU(), {"chunk": 16}), (exodus.run, Exodus(learn_decay=True, norm_input=True), {"chunk": 16})]


@pytest.mark.parametrize("run, neuron, how", MANY)
def test_offsets_have_64_bits(run: Any, neuron: Any, how: dict[str, Any]) -> None:
    """An input of 2³¹ numbers and more would overflow an offset of 32 bits."""
    for launch in _aot.launches(run, neuron, (70, 500, 70_000), torch.float32, **how):
        kinds = re.findall(r"tt\.addptr .*tensor<[\dx]+x(i\d+)>", _aot.lowered(launch, 90))
        assert kinds and set(kinds) == {"i64"}


@pytest.mark.parametrize("mode, batch", [("sb", 32), ("gs", 512)])
@pytest.mark.long
def test_what_used_to_spill_in_float64_compiles_without(mode: Any, batch: int) -> None:
    compiled(_aot.launches(spsn.run, SPSN(mode=mode), (1000, batch, 512), torch.float64, chunk=0)[0])


@pytest.mark.parametrize("dtype, precision", [(torch.float64, "ieee"), (torch.float32, "tf32x3")])
def test_products_of_matrices_compile_without_spills(dtype: torch.dtype, precision: str) -> None:
    """The kernel that holds most."""
    how = {"form": "dot", "precision": precision}
    for launch in _aot.launches(spike_sampler.run, SpikeSampler(512), (1000, 32, 512), dtype, **how)[2:3]:
        compiled(launch)
        assert launch.kernel is _ssm_dot.outputs_kernel


@pytest.mark.parametrize("neuron", [n for n in _table.NEURON_IDS if n not in ("psn", "rpsu")])
def test_declared_bytes_are_those_of_the_tensors_that_the_kernels_take(neuron: str) -> None:
    module = importlib.import_module(f"spikebench.backends.triton.{neuron}")
    dtype = torch.float32 if neuron == "spike_sampler" else torch.bfloat16
    made = definition(parse_subject(neuron), 67, 130)
    touched = 0
    for launch in _aot.launches(module.run, made, (130, 3, 67), dtype):
        for name, v in launch.arguments.items():
            if isinstance(v, torch.Tensor) and (v.numel() == 130 * 3 * 67 or name == "kept"):
                touched += v.nbytes
    case = Case(f"{neuron}@triton", 130, 3, 67, dtype=str(dtype).removeprefix("torch."))
    assert touched == module.moves(case) + module.moves(with_changes(case, mode="inference"))


@pytest.mark.long
def test_odd_sizes_compile() -> None:
    for launch in _aot.launches(lif.run, LIF(learn_decay=True), (1, 1, 1), torch.float64):
        compiled(launch)
    for launch in _aot.launches(spike_sampler.run, SpikeSampler(1, state=6), (1, 1, 1), torch.float32)[:1]:
        compiled(launch)


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
    units: dict[str, Any] = {"psu": psu, "ipsu": ipsu, "rpsu": rpsu}
    for name, module in (units | {"lif": lif, "spsn": spsn, "spike_sampler": spike_sampler}).items():
        assert "uint8" in str(module.refuses(Case(f"{name}@triton[spikes=uint8]", device="cuda")))
    assert lif.refuses(Case("lif@triton[spikes=uint8]", device="cuda", mode="inference")) is None
    assert "dense" in str(psu.refuses(Case("psu[form=dense]@triton", device="cuda")))
    assert "doubling" in str(exodus.refuses(Case("exodus[backward=doubling]@triton", device="cuda")))
    assert "k=65" in str(sliding_psn.refuses(Case("sliding_psn[k=65]@triton", device="cuda")))
    many = Case("exodus@triton[spikes=uint8]", device="cuda", mode="inference")
    assert "max_spikes" in str(exodus.refuses(many))
    uneven = Case("spike_sampler@triton[form=dot,chunk=24]", device="cuda")
    assert "multiple of 16" in str(spike_sampler.refuses(uneven))
    assert spike_sampler.refuses(Case("spike_sampler@triton[form=dot]", device="cuda")) is None
    assert "dplr" in str(spike_sampler.refuses(Case("spike_sampler[ssm=dplr]@triton", device="cuda")))
    with pytest.raises(Refused, match="the input is on cpu"):
        lif.run(LIF(), torch.zeros(2, 1, 4))


@pytest.fixture(scope="module", autouse=True)
def not_interpreted() -> Iterator[None]:
    """Compiling needs triton as it is."""
    if _launch.interpreted():
        pytest.skip("TRITON_INTERPRET is set: kernels cannot be compiled in this process")
    yield


@pytest.mark.timeout(300)
@pytest.mark.skipif(VERSION < (3, 7) and NUMPY >= (2, 4), reason="triton's interpreter before 3.7 fails with numpy 2.4")
@pytest.mark.interprets("interpreted_triton.py")
@pytest.mark.long
def test_interpreted_kernels_equal_the_definitions(interpreted: Interpreted) -> None:
    passed, skipped = interpreted.passed("interpreted_triton")
    assert passed > 0 and skipped == 0
