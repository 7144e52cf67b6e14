"""A task and a named network with their options, `fsdd[hop=0.005]` and `shd[width=64]`: what a case holds beside its subject."""

from dataclasses import dataclass, field
from functools import cached_property

from spikebench import declarations, registry
from spikebench.cases.options import Options, checked, parse_options, shown, written
from spikebench.cases.subject import GRAMMAR
from spikebench.declarations import Option
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


ALONE = ("projection", "events")  # networks that are workloads of their own names
_SIZES = ("width", "layers", "blocks", "channels", "side", "classes")


@dataclass(frozen=True)
class Published:
    """What the file of a network declares: where it is from, its neuron, its sizes, and how it learns, if it does.

    `choices` are the options of its `build` that are no sizes.
    """

    title: str
    source: str
    neuron: str
    T: int
    B: int
    sizes: dict[str, int]
    optimizer: str | None = None
    loss: str = "cross_entropy"
    choices: dict[str, Option] = field(default_factory=dict)

    @staticmethod
    def of(network: str) -> "Published":
        """What a network declares. Only those of the sizes are there that it has."""
        path = registry.file("networks", network)
        found = declarations.module_literals(path)
        sizes: dict[str, int] = {k: found[k.upper()] for k in _SIZES if k.upper() in found}
        title, source, neuron, T, B = (found[k] for k in ("title", "SOURCE", "NEURON", "T", "B"))
        learns = found.get("OPTIMIZER"), found.get("LOSS", Published.loss)
        choices = declarations.function_options(path, "build") or {}
        return Published(title, source, neuron, T, B, sizes, *learns, choices)


@dataclass(frozen=True)
class Network:
    """A named network with the sizes and options that are not its published ones, `shd[width=64]`."""

    name: str
    options: Options = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}{written(self.options)}"

    @cached_property
    def published(self) -> Published:
        """What its file declares."""
        return Published.of(self.name)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Those of width, layers, blocks, channels, side and classes that it has; a missing one is the N of the case."""
        published = self.published.sizes
        return published | {k: v for k, v in self.options.items() if k in published and isinstance(v, int)}

    @cached_property
    def choices(self) -> Options:
        """Every other option of it with its value."""
        return {k: self.options.get(k, option.default) for k, option in self.published.choices.items()}

    @property
    def depth(self) -> int:
        """Layers of neurons, one after the other; of a network of blocks those in its blocks, two in each."""
        return 2 * self.sizes["blocks"] if "blocks" in self.sizes else self.sizes.get("layers", 2)

    @property
    def places(self) -> int:
        """Pixels of its images, which every weight of a convolution meets; 1 where there are none."""
        return self.sizes.get("side", 1) ** 2


def parse_network(text: str) -> Network:
    """A named network from text, checked against what there is; what equals the published sizes and options is dropped."""
    match = GRAMMAR.match(text.strip())
    if match is None or match["backend"] or match["scheme"]:
        raise Problem(f"cannot read network {text!r}; write network or network[layers=2]")
    name, options = registry.find("networks", match["name"]), parse_options(match["options"])
    published = Published.of(name)
    for key, value in options.items():
        if key not in published.sizes and key not in published.choices:
            there = ", ".join([*published.sizes, *published.choices])
            raise Problem(f"no option {key!r} for network {name!r}; there are {there}")
        if key in published.sizes and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise Problem(f"{key}={shown(value)} is not a size; give a whole number of at least 1")
    sizes = {k: options[k] for k, usual in published.sizes.items() if options.get(k, usual) != usual}
    chosen = {k: v for k, v in options.items() if k in published.choices}
    return Network(name, sizes | checked(f"network {name!r}", chosen, published.choices))
