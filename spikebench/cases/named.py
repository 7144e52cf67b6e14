"""A task and a named network with their options, `fsdd[hop=0.005]` and `shd[width=64]`: what a case holds beside its subject."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from spikebench import declarations, registry
from spikebench.cases.options import Options, parse_options, shown, written
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
    """A task from text; its options are checked when it is loaded."""
    match = GRAMMAR.match(text.strip())
    if match is None or match["backend"]:
        raise Problem(f"cannot read task {text!r}; write task or task[option=value]")
    return Task(registry.find("tasks", match["name"]), parse_options(match["options"]))


@dataclass(frozen=True)
class Network:
    """A named network with the sizes that are not its published ones, `shd[width=64]`."""

    name: str
    options: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}{written(self.options)}"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What its file declares: SOURCE, NEURON, the published T and B, …"""
        return declarations.module_literals(registry.file("networks", self.name))

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Those of width, layers, channels and classes that it has; a missing one is the N of the case."""
        published: dict[str, int] = {k: self.facts[k.upper()] for k in _NETWORK_SIZES if k.upper() in self.facts}
        return published | self.options


_NETWORK_SIZES = ("width", "layers", "channels", "classes")


def parse_network(text: str) -> Network:
    """A named network from text, checked against what there is; sizes equal to the published ones are dropped."""
    match = GRAMMAR.match(text.strip())
    if match is None or match["backend"]:
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
