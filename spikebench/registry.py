"""Which ids there are: a neuron, backend, scheme, metric, network, task, claim or figure is a file in a package, and its name is its id."""

import difflib
import importlib
import importlib.util
import math
from dataclasses import asdict
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from spikebench.declarations import Facts, Limits, Option, class_facts, function_options, module_literals
from spikebench.errors import Problem


def canonical(name: str) -> str:
    """The id that a person means: `-` and `_` are the same in it."""
    return name.strip().replace("-", "_")


def folders(package: str) -> list[Path]:
    """The folders of a package (more than one only when the package path was extended)."""
    return [Path(p) for p in importlib.import_module(f"spikebench.{package}").__path__]


def names(package: str) -> list[str]:
    """Ids in a package, sorted: its Python files and packages whose name does not start with an underscore."""
    return sorted({name for folder in folders(package) for name in _inside(folder, folder.stat().st_mtime_ns)})


@lru_cache(maxsize=256)
def _inside(folder: Path, changed: int) -> frozenset[str]:
    """Ids in one folder as of its last change: a case asks for them dozens of times."""
    there = (path for path in folder.iterdir() if not path.name.startswith(("_", ".")))
    return frozenset(p.stem for p in there if p.suffix == ".py" or (p.is_dir() and any(p.glob("*.py"))))


def find(package: str, name: str) -> str:
    """The id in a package that `name` means; Problem with the nearest ones if there is none."""
    wanted, there = canonical(name), names(package)
    if wanted not in there:
        near = difflib.get_close_matches(wanted, there, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise Problem(f"no {package.removesuffix('s')} {name!r}; there are {', '.join(there)}{hint}")
    return wanted


def file(package: str, name: str) -> Path:
    """The file of an id in a package."""
    found = find(package, name)
    return next(p for d in folders(package) if (p := d / f"{found}.py").exists())


def installed(neuron: str) -> str | None:
    """The `package.module:Class` that an installed package offers under the entry points `spikebench.neurons`."""
    if canonical(neuron) in names("neurons"):
        return None
    there = metadata.entry_points(group="spikebench.neurons")
    return next((e.value for e in there if canonical(e.name) == canonical(neuron)), None)


def facts(neuron: str) -> Facts:
    """Facts of a neuron id, read from its file by syntax alone."""
    return class_facts(file("neurons", neuron), None, neuron)


def backends(neuron: str) -> list[str]:
    """Backends that can compute a neuron, by the files that exist."""
    return [b for b in names("backends") if backend_file(b, neuron) is not None]


def backends_of_others() -> list[str]:
    """Backends that run a module of somebody else, too: those whose file says `FOREIGN = True`."""
    return [b for b in names("backends") if declared(b, None, "FOREIGN", False)]


def backend_file(backend: str, neuron: str) -> Path | None:
    """The file of a backend for a neuron: backends/<backend>/<neuron>.py, or backends/<backend>.py for all of them."""
    for folder in folders("backends"):
        if (own := folder / backend / f"{neuron}.py").exists():
            return own
        shared = folder / f"{backend}.py"
        if shared.exists() and (not module_literals(shared).get("STEPPED_ONLY") or facts(neuron).stepped):
            return shared
    return None


def backend_options(backend: str, neuron: str) -> dict[str, Option]:
    """Keyword options of the backend's `run` for a neuron."""
    path = backend_file(backend, neuron)
    if path is None:
        raise Problem(f"no backend {backend!r} for {neuron!r}; there are {', '.join(backends(neuron))}")
    options = function_options(path, "run")
    if options is None:
        raise Problem(f"backend {backend!r} has no run() for {neuron!r}: write one in {path.name}")
    return {k: v for k, v in options.items() if k != "seed"}


def scheme_options(scheme: str) -> dict[str, Option]:
    """Keyword options of a scheme, which are those of its `gradients`."""
    options = function_options(file("schemes", scheme), "gradients") or {}
    return {k: v for k, v in options.items() if k not in ("mask", "apply")}


def scheme_facts(scheme: str) -> dict[str, Any]:
    """The literals that a scheme declares; scheme.py says which there are."""
    return module_literals(file("schemes", scheme))


def backend_later(backend: str, neuron: str) -> tuple[str, ...]:
    """Options that a backend got after cases of it were recorded: `LATER` in its file."""
    path = backend_file(backend, neuron)
    return () if path is None else tuple(module_literals(path).get("LATER", ()))


def declared(backend: str, neuron: str | None, name: str, usual: Any = None) -> Any:
    """A literal that a backend declares, in its file for a neuron or else in its package; `usual` where it says nothing.

    `backend.py` says which there are. Without a neuron, what it declares for all of them.
    """
    own = backend_file(backend, neuron) if neuron else None
    paths = [p for p in (own, whole("backends", backend)) if p is not None]
    return next((found[name] for found in map(module_literals, paths) if name in found), usual)


def limits(backend: str, neuron: str) -> Limits:
    """What a backend says that a neuron can be set to: `CAN` and `NEEDS`."""
    return Limits(declared(backend, neuron, "CAN", {}), declared(backend, neuron, "NEEDS", ()))


def alias(backend: str) -> str:
    """What people call a backend: `fused` for our kernels on any device, else its id."""
    return declared(backend, None, "ALIAS", backend)


def called(neuron: str) -> list[str]:
    """Backends that can compute a neuron, as people call them."""
    return sorted(set(map(alias, backends(neuron))))


def meant(name: str, neuron: str, device: str) -> str:
    """The backend that a name or an alias means for a neuron on a device; Problem if there is none."""
    if name in backends(neuron):
        return name
    same = [b for b in backends(neuron) if alias(b) == name]
    for backend in same:
        if runs_on(backend, device, neuron):
            return backend
    if same:
        others = sorted({d for b in same for d in declared(b, neuron, "DEVICES", ())})
        raise Problem(
            f"{neuron}@{name} runs on {', '.join(others)} only, not on {device}; take another backend or device"
        )
    raise Problem(f"no backend {name!r} for {neuron!r}; there are {', '.join(called(neuron))}")


def lacks(backend: str, neuron: str | None = None) -> list[str]:
    """Modules that a backend requires, for a neuron or at all, and that are not installed here."""
    return [m for m in declared(backend, neuron, "REQUIRES", ()) if importlib.util.find_spec(m) is None]


def runs_on(backend: str, device: str, neuron: str | None = None) -> bool:
    """Whether a backend says that it runs on a kind of device, as all do that name none."""
    return device in declared(backend, neuron, "DEVICES", (device,))


def libraries(neuron: str) -> list[str]:
    """Backends that are named after a library, whose own neuron they run, also on a CPU."""
    named = [b for b in backends(neuron) if b in declared(b, neuron, "REQUIRES", ())]
    return [b for b in named if runs_on(b, "cpu", neuron)]


def longest(neuron: str, backend: str) -> float:
    """The longest T at which sweeps measure a neuron on a backend, as their files say; infinite where neither does."""
    said = (facts(neuron).attributes.LONGEST_T, declared(backend, neuron, "LONGEST_T"))
    return min((t for t in said if t is not None), default=math.inf)


def distributions() -> list[str]:
    """Packages that backends require, by the names that they are installed by."""
    found = (declared(b, None, "DISTRIBUTIONS") or declared(b, None, "REQUIRES", ()) for b in names("backends"))
    return sorted({name for each in found for name in each})


def parallel(neuron: str, backend: str) -> bool:
    """Whether a backend says that it computes all steps of a neuron at once: its operators do not grow with T.

    Fused kernels say nothing: they are one operator whatever goes on inside.
    """
    said = facts(neuron).attributes
    if backend == "eager":
        return said.parallel_in_time and not said.stepwise
    says = declared(backend, neuron, "PARALLEL_IN_TIME", False)
    return bool(said.parallel_in_time and says and backend in backends(neuron))


def describe(package: str) -> list[dict[str, Any]]:
    """One row per id in a package, for `list`: what its file declares."""
    if package == "neurons":
        each = ((name, facts(name)) for name in names(package))
        return [{"id": n, "title": f.title, "backends": called(n), **asdict(f.attributes)} for n, f in each]
    if package == "schemes":
        return [{"id": n, **{k.lower(): v for k, v in scheme_facts(n).items()}} for n in names(package)]
    files = {name: whole(package, name) for name in names(package)}
    declared = {name: module_literals(path) if path else {"title": ""} for name, path in files.items()}
    return [{"id": n, **declared[n], **_neurons_of(package, n, path)} for n, path in files.items()]


def _neurons_of(package: str, name: str, path: Path | None) -> dict[str, list[str]]:
    """Of an id that is a folder, the neurons that it has a file for."""
    if path is not None and path.stem != "__init__":
        return {}
    inside = {p.stem for d in folders(package) for p in (d / name).glob("*.py")}
    return {"neurons": sorted(inside & set(names("neurons")))}


def whole(package: str, name: str) -> Path | None:
    """The file that says what an id is as a whole: its own, or that of its folder."""
    tries = (d / place for d in folders(package) for place in (f"{name}.py", f"{name}/__init__.py"))
    return next((p for p in tries if p.exists()), None)
