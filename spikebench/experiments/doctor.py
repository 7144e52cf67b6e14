"""What this machine can measure, what it cannot, why, and what to do about it."""

import importlib
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from spikebench import registry
from spikebench.declarations import function_options, module_literals
from spikebench.host import energy as energy_counter
from spikebench.host import environment


@dataclass(frozen=True)
class Verdict:
    """Whether an item can be used here; if not, why and what to do."""

    available: bool
    reason: str | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class Examined:
    """What `doctor` found: facts of the machine, the energy counter of each device, and each metric and backend by its id."""

    environment: dict[str, object]
    energy: dict[str, energy_counter.Found]
    metrics: dict[str, Verdict]
    backends: dict[str, Verdict]

    def to_json(self) -> dict[str, object]:
        """What `doctor --json` prints."""
        return asdict(self)


def examine() -> Examined:
    """What this machine can measure, and what not.

    Every metric, backend and energy counter is available or not, and where it is not there are the reason and a remedy.
    """
    here = environment.gather()
    facts = {k: v for k, v in here.to_json().items() if k != "versions"} | {"threads": environment.threads()}
    devices = ("cpu", *(["cuda"] if environment.gpu() else []))
    return Examined(
        environment=facts | here.interpreter.versions,
        energy={device: energy_counter.examine(device) for device in devices},
        metrics={m: _metric(m) for m in registry.names("metrics")},
        backends={b: _backend(b) for b in registry.names("backends")},
    )


def _verdict(reason: str | None = None, remedy: str | None = None) -> Verdict:
    return Verdict(reason is None, reason, remedy)


def _metric(name: str) -> Verdict:
    path = registry.file("metrics", name)
    devices = module_literals(path).get("DEVICES", ("cpu",))
    return _verdict(*(_device(devices) or _own("metrics", name, path) or ()))


def _backend(name: str) -> Verdict:
    if missing := registry.lacks(name):
        packages = registry.declared(name, None, "DISTRIBUTIONS", missing)
        install = registry.declared(name, None, "INSTALL", " ".join(packages))
        return _verdict(f"{', '.join(missing)} is not installed", pip_install(install))
    devices = registry.declared(name, None, "DEVICES", ("cpu",))
    return _verdict(*(_device(devices) or _own("backends", name, registry.whole("backends", name)) or ()))


def pip_install(wanted: str, root: Path = Path(__file__).parents[2]) -> str:
    """The command that installs a requirement and leaves torch and numpy as they are.

    In a checkout its constraints hold them, and an extra is that of the checkout; else the command names their versions.
    """
    extra = wanted.removeprefix("spikebench") if wanted.startswith("spikebench[") else None
    if (constraints := root / "constraints.txt").exists():
        what = f"-e {shlex.quote(f'{root}{extra}')}" if extra else shlex.quote(wanted)
        return f"pip install -c {shlex.quote(str(constraints))} {what}"
    held = [f"{name}=={version}" for name, version in environment.versions().items() if name in ("torch", "numpy")]
    return shlex.join(["pip", "install", wanted, *held])


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
