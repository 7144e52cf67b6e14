"""A case: one point to measure. Frozen, JSON, no tensors; `case_id` is a pure function of what was asked."""

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from spikebench import declarations, registry
from spikebench.errors import Problem

Mode = Literal["inference", "forward", "train", "stream"]
Workload = Literal["layer", "projection", "network", "training"]
Allocator = Literal["kept", "default"]
DTYPES = ("float32", "float64", "bfloat16", "float16")
DEVICES = ("cpu", "cuda")

_SUBJECT = re.compile(
    r"^(?P<name>[^\[\]@]+)(?:\[(?P<options>[^\[\]]*)\])?(?:@(?P<backend>[\w-]+)(?:\[(?P<how>[^\[\]]*)\])?)?$"
)

LATER_FIELDS: dict[str, Any] = {
    "bias": None,
    "allocator": "kept",
}  # fields newer than the first records, with their defaults, which are not written out

PICKLED = ".pickle"  # the files in which `sb.profile` hands an object in memory to its workers
FOREIGN = {  # how a foreign module is called, see spikebench/loading/foreign.py
    "layout": declarations.Option("TB", ("TB", "BT"), "str"),
    "adapter": declarations.Option("sequence", ("sequence", "step"), "str"),
    "state": declarations.Option("hidden", ("hidden", "carried"), "str"),
    "reset": declarations.Option(None, (), "str|None"),
    "output": declarations.Option(0, (), "int"),
}


@dataclass(frozen=True)
class Subject:
    """What is measured: `neuron[options]@backend[options]`, or `path.py:Class[options]`; options given, not defaults."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    backend: str = "eager"
    how: dict[str, Any] = field(default_factory=dict)

    @property
    def foreign(self) -> bool:
        """Whether this is somebody's module rather than an id of ours."""
        return ":" in self.name

    def __str__(self) -> str:
        return f"{self.name}{_written(self.options)}@{self.backend}{_written(self.how)}"

    def called(self, way: dict[str, Any]) -> "Subject":
        """This foreign subject called that way; what is as usual is left out."""
        return replace(self, how={k: way[k] for k, o in FOREIGN.items() if way[k] != o.default})

    @cached_property
    def all_options(self) -> dict[str, Any]:
        """Every option of the neuron with its value; of a foreign subject those that were given."""
        if self.foreign:
            return dict(self.options)
        return {k: self.options.get(k, o.default) for k, o in registry.facts(self.name).options.items()}

    @property
    def twin(self) -> str | None:
        """The LIF that the neuron stands for with these options, None if there is none."""
        declared = {} if self.foreign else registry.facts(self.name).attributes
        where, options = declared.get("twin_where", {}), self.all_options
        there = all(options.get(k, v) == v for k, v in where.items())
        return str(declared["twin"]).format(**options) if there and declared.get("twin") else None

    @cached_property
    def all_how(self) -> dict[str, Any]:
        """Every option of the backend with its value."""
        if self.foreign:
            return {k: self.how.get(k, o.default) for k, o in FOREIGN.items()}
        return {k: self.how.get(k, o.default) for k, o in registry.backend_options(self.backend, self.name).items()}

    @property
    def spelled_options(self) -> dict[str, Any]:
        """Options of the neuron as a case writes them: with their defaults, but for those that `LATER` names.

        An option that a neuron got after cases of it were recorded stands in `LATER`, so that their ids stay.
        """
        later = () if self.foreign else registry.facts(self.name).attributes.get("LATER", ())
        return {k: v for k, v in self.all_options.items() if k not in later or k in self.options}

    @property
    def spelled_how(self) -> dict[str, Any]:
        """Options of the backend as a case writes them; its file may have a `LATER`, too."""
        later = () if self.foreign else registry.backend_later(self.backend, self.name)
        return {k: v for k, v in self.all_how.items() if k not in later or k in self.how}


def parse_subject(text: str) -> Subject:
    """A subject from text, checked against what there is; options equal to their default are dropped."""
    match = _SUBJECT.match(text.strip())
    if match is None:
        raise Problem(
            f"cannot read subject {text!r}; write neuron[option=value]@backend or path.py:Class[option=value]"
        )
    name, backend = match["name"].strip(), registry.canonical(match["backend"] or "eager")
    options, how = _read_options(match["options"]), _read_options(match["how"])
    if ":" in name:
        if backend != "eager":
            raise Problem(f"{name} is a module of its own and runs as it is; leave @{backend} out")
        return Subject(name, options, backend, _checked("a foreign module", how, FOREIGN))
    if (entry := registry.installed(name)) is not None:
        return parse_subject(text.strip().replace(match["name"], entry, 1))
    neuron = registry.find("neurons", name)
    if backend not in registry.backends(neuron):
        raise Problem(f"no backend {backend!r} for {neuron!r}; there are {', '.join(registry.backends(neuron))}")
    options = _checked(f"neuron {neuron!r}", options, registry.facts(neuron).options)
    how = _checked(f"backend {backend!r}", how, registry.backend_options(backend, neuron))
    return Subject(neuron, options, backend, how)


@dataclass(frozen=True)
class Task:
    """A task with the options it is loaded with, `fsdd[hop=0.005]`."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}{_written(self.options)}"


def parse_task(text: str) -> Task:
    """A task from text; its options are checked when it is loaded."""
    match = _SUBJECT.match(text.strip())
    if match is None or match["backend"]:
        raise Problem(f"cannot read task {text!r}; write task or task[option=value]")
    return Task(registry.find("tasks", match["name"]), _read_options(match["options"]))


@dataclass(frozen=True)
class Network:
    """A named network with the sizes that are not its published ones, `shd[width=64]`."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}{_written(self.options)}"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What its file declares: SOURCE, NEURON, the published T and B, …"""
        return declarations.module_literals(registry.file("networks", self.name))

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Those of width, layers, channels and classes that it has; a missing one is the N of the case."""
        published = {k: self.facts[k.upper()] for k in _NETWORK_SIZES if k.upper() in self.facts}
        return published | self.options


_NETWORK_SIZES = ("width", "layers", "channels", "classes")


def parse_network(text: str) -> Network:
    """A named network from text, checked against what there is; sizes equal to the published ones are dropped."""
    match = _SUBJECT.match(text.strip())
    if match is None or match["backend"]:
        raise Problem(f"cannot read network {text!r}; write network or network[layers=2]")
    name, options = registry.find("networks", match["name"]), _read_options(match["options"])
    published = Network(name).sizes
    for key, value in options.items():
        if key not in published:
            raise Problem(f"no option {key!r} for network {name!r}; there are {', '.join(published)}")
        if type(value) is not int or value < 1:
            raise Problem(f"{key}={_shown(value)} is not a size; give a whole number of at least 1")
    return Network(name, {k: options[k] for k in published if options.get(k, published[k]) != published[k]})


def parse_options(text: str | None) -> dict[str, Any]:
    """Options from "[a=1,b=x]" or None."""
    return _read_options((text or "").strip("[]"))


def written(options: dict[str, Any]) -> str | None:
    """Options as "[a=1,b=x]", None if there are none; `parse_options` reads it."""
    return _written(options) or None


def _read_options(text: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in (text or "").split(","))):
        key, equals, value = part.partition("=")
        if not equals:
            raise Problem(f"cannot read option {part!r}; write option=value")
        options[registry.canonical(key)] = read_value(value.strip())
    return options


def read_value(text: str) -> Any:
    """A number, true, false, none, or text."""
    lowered = text.lower()
    if lowered in ("true", "false", "none"):
        return {"true": True, "false": False, "none": None}[lowered]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _checked(owner: str, given: dict[str, Any], known: dict[str, declarations.Option]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            raise Problem(f"no option {key!r} for {owner}; there are {', '.join(known) or 'none'}")
        option = known[key]
        if option.choices and value not in option.choices:
            choices = [_shown(c) for c in option.choices]
            dashed = {c.replace("_", "-"): real for c, real in zip(choices, option.choices, strict=True)}
            if _shown(value).replace("_", "-") not in dashed:
                raise Problem(f"{key}={_shown(value)} is not an option of {owner}; there are {', '.join(choices)}")
            value = dashed[_shown(value).replace("_", "-")]
        value = _typed(owner, key, value, option)
        if value != option.default or type(value) is not type(option.default):
            kept[key] = value
    return {k: kept[k] for k in known if k in kept}


def _typed(owner: str, key: str, value: Any, option: declarations.Option) -> Any:
    wants = option.type_name.split("|")[0].strip() or type(option.default).__name__
    if value is None and ("None" in option.type_name or option.default is None):
        return None
    if wants == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    kinds: dict[str, type] = {"float": float, "int": int, "bool": bool, "str": str}
    if wants in kinds and type(value) is not kinds[wants]:
        raise Problem(f"{key}={_shown(value)} of {owner} must be {option.type_name}; the default is {option.default}")
    return value


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)


def _written(options: dict[str, Any]) -> str:
    return "[" + ",".join(f"{k}={_shown(v)}" for k, v in options.items()) + "]" if options else ""


@dataclass(frozen=True)
class Case:
    """One point: a subject, a workload and its sizes. Sizes are numbers of steps T, batch items B and neurons N.

    `rate` is the output spike rate (spikes per neuron and step) that the input aims at; `seed` names input and noise. A
    layer with a `bias` has that mean input instead, equal for all neurons. `allocator`: freed memory is "kept" by the
    process, in huge pages, or returned as glibc does by "default".
    A network has in `network` its name, `shd` or `shd[width=64]`, and its N is the width that it has; its neurons fire at
    `rate` before it learns. A projection is the network `projection`, also `projection[layers=4]`.
    A training has a task, `name[options]`, and in `network` the changes to the task's own recipe, `[epochs=5,batch=64]`;
    its sizes are 0, because the data give them. Raises Problem for anything that cannot be a case.
    """

    subject: str
    T: int = 128
    B: int = 32
    N: int = 512
    mode: Mode = "train"
    workload: Workload = "layer"
    dtype: str = "float32"
    device: str = "cpu"
    seed: int = 0
    rate: float = 0.3
    network: str | None = None
    task: str | None = None
    bias: float | None = None
    allocator: Allocator = "kept"

    def __post_init__(self) -> None:
        object.__setattr__(self, "subject", str(parse_subject(self.subject)))
        if self.workload == "training":
            object.__setattr__(self, "task", str(parse_task(self.task or "")))
        elif self.workload in ("projection", "network"):
            self._name_network()
        elif self.network is not None:
            raise Problem(f"a {self.workload} has no network; {self.network!r} is one of workload network")
        for axis in "TBN":
            size = getattr(self, axis)
            if not isinstance(size, int) or size < (0 if self.workload == "training" else 1):
                raise Problem(f"{axis}={size} is not a size; give a whole number of at least 1")
        _one_of("mode", self.mode, get_args(Mode))
        _one_of("workload", self.workload, get_args(Workload))
        _one_of("dtype", self.dtype, DTYPES)
        _one_of("device", self.device, DEVICES)
        _one_of("allocator", self.allocator, get_args(Allocator))
        if self.bias is not None and self.workload != "layer":
            raise Problem(f"bias={self.bias} is the mean input of a layer; a {self.workload} has data of its own")
        if not 0 < self.rate < 1:
            raise Problem(f"rate={self.rate} is not an output spike rate; give a number between 0 and 1")

    def _name_network(self) -> None:
        if self.network is None and self.workload == "network":
            raise Problem(f"which network? there are {', '.join(registry.names('networks'))}")
        network = parse_network(self.network or "projection")
        if (network.name == "projection") != (self.workload == "projection"):
            raise Problem(f"{network.name} is not a workload {self.workload}; projection is one of its own")
        if self.mode == "stream":
            raise Problem("a network does not stream; take mode inference, forward or train")
        object.__setattr__(self, "network", str(network))
        object.__setattr__(self, "N", network.sizes.get("width", self.N))

    @property
    def gated(self) -> "Case":
        """The layer whose gate stands for this case: itself, or the neuron alone, for a network at the same sizes."""
        if self.workload == "training":
            return Case(self.subject, T=64, B=8, N=128, dtype=self.dtype, device=self.device)
        return self if self.workload == "layer" else replace(self, workload="layer", network=None)

    @cached_property
    def parsed(self) -> Subject:
        return parse_subject(self.subject)

    @property
    def options(self) -> dict[str, Any]:
        """Every option of the neuron with its value."""
        return self.parsed.all_options

    @cached_property
    def case_id(self) -> str:
        return case_id(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The case with every default written out, but for those that records from before them do not have."""
        s = self.parsed
        spelled = {
            "neuron": s.name,
            "options": s.spelled_options,
            "backend": s.backend,
            "backend_options": s.spelled_how,
        }
        fields = {k: v for k, v in asdict(self).items() if k not in LATER_FIELDS or v != LATER_FIELDS[k]}
        return {"subject": self.subject, **spelled, **{k: v for k, v in fields.items() if k != "subject"}}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Case":
        """The case again; fields that a case does not have are ignored."""
        known = Case.__dataclass_fields__
        return Case(**{k: v for k, v in data.items() if k in known})


def case_id(data: dict[str, Any]) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the case's canonical JSON."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def grid(
    subjects: Iterable[str],
    T: Sequence[int] = (128,),
    B: Sequence[int] = (32,),
    N: Sequence[int] = (512,),
    mode: Sequence[str] = ("train",),
    **fixed: Any,
) -> list[Case]:
    """Every combination of subjects, sizes and modes; the sizes vary slowest, so that subjects can be compared early."""
    points = itertools.product(mode, T, B, N, list(subjects))
    return [Case(subject=s, T=t, B=b, N=n, mode=m, **fixed) for m, t, b, n, s in points]  # pyright: ignore[reportArgumentType]  # checked at run time


def with_changes(case: Case, **changes: Any) -> Case:
    """The same case with other fields."""
    return replace(case, **changes)


def foreign_file(subject: Subject) -> Path | None:
    """The file of a `path.py:Class` subject, or None if it names a package."""
    path = subject.name.rpartition(":")[0]
    return Path(path) if path.endswith((".py", PICKLED)) else None


def _one_of(name: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise Problem(f"no {name} {value!r}; there are {', '.join(choices)}")
