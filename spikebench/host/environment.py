"""The environment of a measurement: machine, versions, commit, threads, GPU and load, and the variables that child processes get."""

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from spikebench import __version__, registry
from spikebench.errors import Problem
from spikebench.host import isolation


@dataclass(frozen=True)
class Card:
    """A GPU: name, UUID, version of the driver, memory in bytes."""

    name: str
    uuid: str
    driver: str
    memory_bytes: int


@dataclass(frozen=True)
class Commit:
    """The hash of a checkout and one of its uncommitted changes; None where there is none."""

    commit: str | None = None
    dirty: str | None = None


@dataclass(frozen=True)
class Interpreter:
    """A Python and what is installed in it of the libraries that matter."""

    python: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Environment:
    """Facts of a machine and a checkout that hold for a whole run; `cores` are physical ones."""

    machine: str
    host: str
    cpu: str
    cores: int | None
    memory_bytes: int
    os: str
    interpreter: Interpreter
    gpu: Card | None
    checkout: Commit

    def to_json(self) -> dict[str, object]:
        """As it stands in a record: interpreter and checkout are not nested."""
        facts: dict[str, object] = asdict(self)
        del facts["interpreter"], facts["checkout"]
        return {**facts, **asdict(self.interpreter), "gpu": facts["gpu"], **asdict(self.checkout)}


@lru_cache(maxsize=1)
def gather() -> Environment:
    """Facts of this machine and this checkout that hold for a whole run."""
    return Environment(
        machine=machine(),
        host=platform.node(),
        cpu=_cpu_model(),
        cores=psutil.cpu_count(logical=False) or os.cpu_count(),
        memory_bytes=psutil.virtual_memory().total,
        os=f"{platform.system()} {platform.release()}",
        interpreter=Interpreter(platform.python_version(), versions()),
        gpu=gpu(),
        checkout=commit(Path(__file__).resolve().parents[1]),
    )


def machine() -> str:
    """A folder name for this machine: CPU model and cores, or the GPU and the cores where there is one."""
    card = gpu()
    model = card.name if card else _cpu_model()
    words = re.sub(r"\((?!family).*?\)|processor|\d+-core|cpu|@.*", " ", model.lower())
    words = re.sub(r"\(family (\d+) model (\d+)\)", r"f\1m\2", words)
    slug = re.sub(r"[^a-z0-9]+", "-", words).strip("-") or platform.machine()
    return f"{slug}-{os.cpu_count()}c"


PRINT = ("machine", "python", "versions", "gpu", "commit", "dirty", "threads")


def fingerprint(environment: Mapping[str, object]) -> str:
    """What must be equal for a recorded case to count as measured: machine, versions, threads, commit and local changes."""
    same = {k: environment.get(k) for k in PRINT}
    return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:12]


def versions() -> dict[str, str]:
    """Versions of ourselves and of what was installed among the libraries that matter, without importing them."""
    found = {"spikebench": __version__}
    for name in ("torch", "numpy", *registry.distributions()):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def of(python: str) -> Interpreter:
    """Python and library versions of another interpreter, in which spikebench must be installed too; else Problem."""
    code = "import json; from spikebench.host.environment import platform, versions as v; print(json.dumps([platform.python_version(), v()]))"
    try:
        done = subprocess.run([python, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Problem(f"cannot run {python}: {error}; --python takes BACKEND=/path/to/python") from error
    if done.returncode:
        why = (done.stderr.strip() or "it printed nothing").splitlines()[-1]
        raise Problem(f"{python} cannot import spikebench: {why}; install spikebench there too")
    version, found = json.loads(done.stdout.splitlines()[-1])
    return Interpreter(version, found)


def commit(folder: Path) -> Commit:
    """Commit of the checkout whose package `folder` is, and a hash of local changes to it (None when clean)."""
    hash_ = _git(folder, "rev-parse", "HEAD")
    top = _git(folder, "rev-parse", "--show-toplevel")
    if not hash_ or not top or folder != Path(top).resolve() / "spikebench":
        return Commit()
    changes = _git(Path(top), "diff", "HEAD", "--", "spikebench") or ""
    changes += _git(Path(top), "status", "--porcelain", "--", "spikebench") or ""
    return Commit(hash_, hashlib.sha256(changes.encode()).hexdigest()[:12] if changes else None)


def _git(folder: Path, *args: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *args], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(re.findall(r"^(model name|cpu family|model)\s*:\s*(.+)$", text, re.MULTILINE))
    name = facts.get("model name", "").strip()
    if name and not re.search(r"\d", name):  # virtual machines may leave out which one it is
        name += f" (family {facts.get('cpu family')} model {facts.get('model')})"
    return name or platform.machine()


@lru_cache(maxsize=1)
def gpu() -> Card | None:
    """Name, UUID, driver and memory of the first NVIDIA GPU that is visible to this process, or None."""
    import pynvml

    handle = gpu_handle()
    if handle is None:
        return None
    return Card(
        pynvml.nvmlDeviceGetName(handle),
        pynvml.nvmlDeviceGetUUID(handle),
        pynvml.nvmlSystemGetDriverVersion(),
        int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
    )


@lru_cache(maxsize=1)
def gpu_handle() -> Any | None:
    """NVML's handle of the first visible GPU: NVML counts all of them, CUDA those in CUDA_VISIBLE_DEVICES."""
    import pynvml

    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    try:
        pynvml.nvmlInit()
        if first.isdigit():
            return pynvml.nvmlDeviceGetHandleByIndex(int(first))
        return pynvml.nvmlDeviceGetHandleByUUID(first)
    except pynvml.NVMLError:
        return None


def capability() -> int | None:
    """CUDA's compute capability of the first visible GPU, 90 for 9.0, or None."""
    import pynvml

    handle = gpu_handle()
    if handle is None:
        return None
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    return 10 * major + minor


def cpu_hertz() -> float | None:
    """The clock of the fastest core now, or None where the system does not say."""
    try:
        found = re.findall(r"cpu MHz\s*:\s*([\d.]+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        return None
    return max(map(float, found)) * 1e6 if found else None


def load() -> dict[str, float]:
    """The load right now: runnable tasks over the last minute, share of stolen CPU time since boot."""
    times = psutil.cpu_times()
    total = sum(times)
    return {"load_1min": os.getloadavg()[0], "steal_share": getattr(times, "steal", 0.0) / total if total else 0.0}


def threads() -> int:
    """How many threads a worker uses: the cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def for_worker(count: int, allocator: str = "kept") -> dict[str, str]:
    """Environment variables that place threads and memory, for every subject alike.

    Threads of OpenMP, MKL and numba are bound to cores. glibc asks for huge pages: with pages of 4 KiB the graph of a
    long loop outgrows what the processor holds of the page table, and time per step grows with T for that alone. With the
    "default" allocator it is left as a reader's own process has it. `isolation.py` has what else they get.
    """
    huge = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"} if allocator == "kept" else {}
    return (
        huge
        | isolation.variables()
        | {
            "OMP_PROC_BIND": "true",
            "OMP_NUM_THREADS": str(count),
            "MKL_NUM_THREADS": str(count),
            "NUMBA_NUM_THREADS": str(count),
        }
    )
