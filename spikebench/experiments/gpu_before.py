"""The part of a GPU session before it measures: it compiles the kernels on all cores, runs their tests, and tunes their shapes."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from spikebench.cases.case import Case
from spikebench.host import environment

TESTS = Path("tests/gpu")
NO_TESTS = "no tests/gpu here, or pytest is not installed"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, None if it was stopped, and the last lines that it printed."""

    exit: int | None
    report: list[str]


@dataclass(frozen=True)
class NotRun:
    """Why a command was not run."""

    left_out: str


@dataclass(frozen=True)
class Before:
    """What came of the tests and of the tuning; None where it was not asked for."""

    tests: Ended | NotRun | None = None
    tuned: Ended | None = None

    def to_json(self) -> Mapping[str, object]:
        """The part of the summary's file that these give."""
        return {k: asdict(found) for k, found in vars(self).items() if found is not None}


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


def run_tests(seconds: float, say: Say) -> Ended | NotRun:
    """The tests that need a GPU, on all cores: how they ended, and the end of their report."""
    if not (TESTS.is_dir() and find_spec("pytest")):
        say(f"the tests of the kernels are left out: {NO_TESTS}")
        return NotRun(NO_TESTS)
    side_by_side = min(12, environment.threads())
    many = ["-n", str(side_by_side)] if find_spec("xdist") and side_by_side > 2 else []
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:benchmark", *many, str(TESTS)]
    code, found = _logged(command, seconds)
    say(f"tests: {found[-1]}" if found else "the tests printed nothing")
    return Ended(code, found[-60:])


def tune_shapes(seconds: float, folder: Path, kernels: Path | None, commit: str | None, say: Say) -> Ended:
    """The fastest shapes of the kernels on this GPU, by `spikebench tune`: how it ended, and what it said last.

    What it measures goes to tuning.jsonl in `folder`, and its choice to where the kernels read it. It runs before the
    gates, so that these see the shapes that are timed.
    """
    limit = max(1.0, seconds)
    command = [sys.executable, "-m", "spikebench", "tune", "--budget", f"{0.85 * limit:.0f}s"]
    command += ["--out", str(folder / "tuning.jsonl"), *(["--kernels", str(kernels)] if kernels else [])]
    code, found = _logged([*command, *(["--commit", commit] if commit else [])], limit)
    say(f"tuned: {found[-1]}" if found else "the tuner printed nothing")
    return Ended(code, found[-60:])


def _logged(command: Sequence[str], seconds: float) -> tuple[int | None, list[str]]:
    """A command's exit code, None if it was stopped after so many seconds, and the lines that it printed."""
    code = None
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        try:
            code = subprocess.run(
                command, stdout=log, stderr=subprocess.STDOUT, timeout=max(1.0, seconds), check=False
            ).returncode
        except subprocess.TimeoutExpired:
            log.write(f"\nstopped after {seconds:.0f} s\n")
        log.seek(0)
        return code, log.read().strip().splitlines()
