"""What a GPU session does before it measures: it compiles the kernels on all cores, and runs their tests."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spikebench.cases.case import Case
from spikebench.host import environment

TESTS = Path("tests/gpu")
Say = Callable[[str], None]


def compile_kernels(cases: Iterable[Case], folder: Path, capabilities: Sequence[int], seconds: float, say: Say) -> None:
    """The kernels of cases into a folder, for GPUs of these CUDA compute capabilities; what is there takes no time.

    It needs no GPU. What does not end within `seconds`, or cannot be compiled, is compiled when it is first called.
    """
    if find_spec("triton") is None:
        say("no kernels are compiled ahead: triton is not installed")
        return
    wanted = dict.fromkeys(c for c in cases if c.parsed.backend == "triton")
    text = "\n".join(json.dumps(c.to_json()) for c in wanted)
    for capability in capabilities:
        command = [
            sys.executable,
            "-m",
            "spikebench.experiments.ahead",
            str(folder),
            str(capability),
            str(environment.threads()),
        ]
        try:
            done = subprocess.run(
                command, input=text, stdout=subprocess.PIPE, text=True, timeout=max(1.0, seconds), check=False
            )
        except subprocess.TimeoutExpired:
            say(f"kernels: stopped after {seconds:.0f} s; the rest is compiled when first called")
            return
        if done.returncode:
            say("kernels: compiling ahead failed, see above; they are compiled when first called")
            return
        found = json.loads(done.stdout)
        for subject, _, why in found:
            if why:
                say(f"kernels of {subject}: {why}")
        count = sum(count for _, count, _ in found)
        say(f"kernels: {count} launches of {len(found)} cases are compiled for sm_{capability} in {folder}")


def run_tests(seconds: float, say: Say) -> dict[str, Any]:
    """The tests that need a GPU, on all cores: how they ended, and the end of their report."""
    if not (TESTS.is_dir() and find_spec("pytest")):
        say("the tests of the kernels are left out: no tests/gpu here, or pytest is not installed")
        return {"left_out": "no tests/gpu here, or pytest is not installed"}
    side_by_side = min(12, environment.threads())
    many = ["-n", str(side_by_side)] if find_spec("xdist") and side_by_side > 2 else []
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:benchmark", *many, str(TESTS)]
    with tempfile.TemporaryFile("w+") as log:
        code = None
        try:
            limit = max(1.0, seconds)
            code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, timeout=limit, check=False).returncode
        except subprocess.TimeoutExpired:
            log.write(f"\nstopped after {seconds:.0f} s\n")
        log.seek(0)
        found = log.read().strip().splitlines()
    say(f"tests: {found[-1]}" if found else "the tests printed nothing")
    return {"exit": code, "report": found[-60:]}
