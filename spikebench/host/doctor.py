"""What this machine can measure, what it cannot, why, and what to do about it."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spikebench import registry
from spikebench.host import energy as energy_counter
from spikebench.host import environment

NEEDS = {"cpu": "numba", "triton": "triton", "snntorch": "snntorch", "spikingjelly": "spikingjelly"}
NEEDS |= {"norse": "norse", "sinabs": "sinabs"}


def examine() -> dict[str, Any]:
    """{"environment": facts, "metrics": {id: verdict}, "backends": {id: verdict}, "energy": {device: verdict}}.

    A verdict has available, reason, remedy; one of energy also the counter and how often it is updated, in seconds.
    """
    facts: dict[str, Any] = environment.gather() | {"threads": environment.threads()}
    shown: dict[str, Any] = {k: v for k, v in facts.items() if k != "versions"}
    shown.update(facts["versions"])
    devices = ("cpu", *(["cuda"] if environment.gpu() else []))
    return {
        "environment": shown,
        "energy": {device: energy_counter.examine(device) for device in devices},
        "metrics": {m: _metric(m) for m in registry.names("metrics")},
        "backends": {b: _backend(b) for b in registry.names("backends")},
    }


def _verdict(reason: str | None = None, remedy: str | None = None) -> dict[str, Any]:
    return {"available": reason is None, "reason": reason, "remedy": remedy}


def _metric(name: str) -> dict[str, Any]:
    if name == "peak_memory" and not Path("/proc/self/clear_refs").exists():
        return _verdict("no /proc/self/clear_refs: the high-water mark cannot be reset", "run on Linux")
    if name == "energy":
        try:
            energy_counter.find("cuda" if environment.gpu() else "cpu")
        except energy_counter.NoCounter as error:
            return _verdict(error.reason, error.remedy)
    if name in ("kernel_launches", "device_time") and environment.gpu() is None:
        return _verdict("only a GPU runs kernels", "run on a machine with an NVIDIA GPU")
    return _verdict()


def _backend(name: str) -> dict[str, Any]:
    library = NEEDS.get(name)
    if library and find_spec(library) is None:
        extra = {"cpu": "spikebench[cpu]", "triton": "spikebench[triton]"}.get(name, library)
        return _verdict(f"{library} is not installed", f"pip install {extra}")
    if name in ("triton", "cudagraph") and environment.gpu() is None:
        return _verdict("no NVIDIA GPU", "run on a machine with an NVIDIA GPU")
    if name == "compiled" and not (shutil.which("g++") or shutil.which("clang++")):
        return _verdict("torch.compile needs a C++ compiler on the CPU", "install g++")
    return _verdict()
