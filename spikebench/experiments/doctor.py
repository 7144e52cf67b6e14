"""What this machine can measure, what it cannot, why, and what to do about it."""

import importlib
from pathlib import Path
from typing import Any

from spikebench import registry
from spikebench.declarations import function_options, module_literals
from spikebench.host import energy as energy_counter
from spikebench.host import environment


def examine() -> dict[str, Any]:
    """{"environment": facts, "metrics": {id: verdict}, "backends": {id: verdict}, "energy": {device: verdict}}.

    A verdict has available, reason, remedy; one of energy also the counter and how often it is updated, in seconds.
    """
    facts: dict[str, Any] = environment.gather().to_json() | {"threads": environment.threads()}
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
    path = registry.file("metrics", name)
    devices = module_literals(path).get("DEVICES", ("cpu",))
    return _verdict(*(_device(devices) or _own("metrics", name, path) or ()))


def _backend(name: str) -> dict[str, Any]:
    if missing := registry.lacks(name):
        packages = registry.declared(name, None, "DISTRIBUTIONS", missing)
        install = registry.declared(name, None, "INSTALL", " ".join(packages))
        return _verdict(f"{', '.join(missing)} is not installed", f"pip install {install}")
    devices = registry.declared(name, None, "DEVICES", ("cpu",))
    return _verdict(*(_device(devices) or _own("backends", name, registry.whole("backends", name)) or ()))


def _device(devices: tuple[str, ...]) -> tuple[str, str] | None:
    """Why none of these kinds of device is there, and the remedy, or None."""
    if "cpu" in devices or environment.gpu() is not None:
        return None
    return "no NVIDIA GPU", "run on a machine with an NVIDIA GPU"


def _own(package: str, name: str, path: Path | None) -> tuple[str, str] | None:
    """What an item's own `available` says; it is imported only where its file has one."""
    if path is None or function_options(path, "available") is None:
        return None
    return importlib.import_module(f"spikebench.{package}.{name}").available()
