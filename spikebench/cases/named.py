"""A task and a named network with their options, `fsdd[hop=0.005]` and `shd[width=64]`: what a case holds beside its subject."""

from dataclasses import dataclass, field
from functools import cached_property

from spikebench import declarations, registry
from spikebench.cases.options import Options, checked, parse_options, shown, written
from spikebench.cases.subject import GRAMMAR
from spikebench.errors import Problem


@dataclass(frozen=True)
class Task:
    """A task with the options it is loaded with, `fsdd[hop=0.005]`."""

    name: str
    options: Options = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}{written(self.options)}"


def parse_task(text: str) -> Task:
    """A task from text, its options checked against what its file declares; they stay as they were written."""
    match = GRAMMAR.match(text.strip())
    if match is None or match["backend"] or match["scheme"]:
        raise Problem(f"cannot read task {text!r}; write task or task[option=value]")
    name, options = registry.find("tasks", match["name"]), parse_options(match["options"])
    known = declarations.function_options(registry.file("tasks", name), "load") or {}
    checked(f"task {name!r}", options, {k: o for k, o in known.items() if k != "data_root"})
    return Task(name, options)


_SIZES = ("width", "layers", "channels", "classes")


@dataclass(frozen=True)
class Published:
    """What the file of a network declares: where it is from, its neuron, its sizes, and how it learns, if it does."""

    title: str
    source: str
    neuron: str
    T: int
    B: int
    sizes: dict[str, int]
    optimizer: str | None = None
    loss: str = "cross_entropy"

    @staticmethod
    def of(network: str) -> "Published":
        """What a network declares. Only those of width, layers, channels and classes are there that it has."""
        found = declarations.module_literals(registry.file("networks", network))
        sizes: dict[str, int] = {k: found[k.upper()] for k in _SIZES if k.upper() in found}
        title, source, neuron, T, B = (found[k] for k in ("title", "SOURCE", "NEURON", "T", "B"))
        learns = found.get("OPTIMIZER"), found.get("LOSS", Published.loss)
        return Published(title, source, neuron, T, B, sizes, *learns)


@dataclass(frozen=True)
class Network:
    """A named network with the sizes that are not its published ones, `shd[width=64]`."""

    name: str
    options: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}{written(self.options)}"

    @cached_property
    def published(self) -> Published:
        """What its file declares."""
        return Published.of(self.name)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Those of width, layers, channels and classes that it has; a missing one is the N of the case."""
        return self.published.sizes | self.options


def parse_network(text: str) -> Network:
    """A named network from text, checked against what there is; sizes equal to the published ones are dropped."""
    match = GRAMMAR.match(text.strip())
    if match is None or match["backend"] or match["scheme"]:
        raise Problem(f"cannot read network {text!r}; write network or network[layers=2]")
    name, options = registry.find("networks", match["name"]), parse_options(match["options"])
    published, given = Network(name).sizes, dict[str, int]()
    for key, value in options.items():
        if key not in published:
            raise Problem(f"no option {key!r} for network {name!r}; there are {', '.join(published)}")
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise Problem(f"{key}={shown(value)} is not a size; give a whole number of at least 1")
        given[key] = value
    return Network(name, {k: given[k] for k in published if given.get(k, published[k]) != published[k]})
