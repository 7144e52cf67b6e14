"""Kernels that are compiled ahead are those that triton looks for when it launches: the same hash, on a driver without a GPU."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")
ROOT = Path(__file__).parents[2]

# triton's own path from a call to a binary, with a driver that says it has an H100 and tensors that have no data
LOOK = """
import json, sys, torch, triton
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from spikebench.experiments import ahead
from spikebench.cases.case import Case

class Driver:
    def get_current_target(self): return GPUTarget("cuda", 90, 32)
    def get_current_device(self): return 0
    def get_current_stream(self, _): return 0

driver.set_active(Driver())
for line in sys.stdin:
    for launch in ahead.launches(Case.from_json(json.loads(line))):
        given = {k: torch.empty_like(v, device="cpu") if isinstance(v, torch.Tensor) else v for k, v in launch.arguments.items()}
        print(launch.kernel.warmup(grid=launch.grid, num_warps=launch.warps, **given).hash)
"""


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*.cubin")}


@pytest.mark.long
def test_what_is_compiled_ahead_is_what_a_launch_looks_for(tmp_path: Path) -> None:
    from spikebench.cases.case import Case

    cases = [  # a neuron whose forward pass keeps states for its backward pass, and one with the most arguments
        Case("psu@triton", T=256, B=4, N=96, device="cuda", mode="forward"),
        Case("lif@triton", T=256, B=4, N=96, device="cuda", mode="inference"),
    ]
    lines = "".join(json.dumps(case.to_json()) + "\n" for case in cases)
    command = [sys.executable, "-m", "spikebench.experiments.ahead", str(tmp_path), "90", "1"]
    said = subprocess.run(command, input=lines, cwd=ROOT, capture_output=True, text=True, check=True)
    told = json.loads(said.stdout)
    assert [(found, why) for found, _, why in told] == [(case.subject, None) for case in cases]
    counts = [count for _, count, _ in told]
    assert min(counts) >= 1
    ahead = files(tmp_path)
    assert ahead
    environment = {"TRITON_CACHE_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    looked = subprocess.run(
        [sys.executable, "-c", LOOK],
        input=lines,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert looked.returncode == 0, looked.stderr[-2000:]
    assert len(looked.stdout.split()) == sum(counts)
    assert files(tmp_path) == ahead, "the launch compiled something that was not there"
