"""A subject is what a case measures. Its text is `neuron[options]@backend[options]`, or `path.py:Class[options]` for a module of your own.

How a network of it is trained may stand behind it: `neuron@backend+scheme[options]`. A scheme alone is that of `lif`.
"""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from spikebench import registry
from spikebench.cases.options import Options, checked, parse_options, written
from spikebench.declarations import Option
from spikebench.errors import Problem
from spikebench.records import files

GRAMMAR = re.compile(
    r"^(?P<name>[^\[\]@]+?)(?:\[(?P<options>[^\[\]]*)\])?(?:@(?P<backend>[\w-]+)(?:\[(?P<how>[^\[\]]*)\])?)?"
    r"(?:\+(?P<scheme>[A-Za-z][\w-]*)(?:\[(?P<rule>[^\[\]]*)\])?)?$"
)

PICKLED = ".pickle"  # the files in which `sb.profile` hands an object in memory to its workers
ANYWHERE = "/"  # the folder below which every pickle lies
FOREIGN = {  # how a foreign module is called, see `Way`; and what is tried on it, see `loading/remedies.py`
    "layout": Option("TB", ("TB", "BT"), "str"),
    "adapter": Option("sequence", ("sequence", "step"), "str"),
    "state": Option("hidden", ("hidden", "carried"), "str"),
    "reset": Option(None, (), "str|None"),
    "output": Option(0, (), "int", "[0, inf)"),
    "remedy": Option(None, ("unbind", "float32", "no-clone", "reuse", "no-wait"), "str|None"),
}
FOREIGN_LATER = ("remedy",)  # what came after cases were recorded


@dataclass(frozen=True)
class Way:
    """How a module is called: axes "TB" or "BT"; the whole sequence or one step at a time; where its state is.

    `state`: "hidden" in the module, or "carried": what a step gives beyond the spikes goes into the next step.
    `reset` names the method called before each sequence; `output` is the place of the spikes among what comes out.
    """

    layout: Literal["TB", "BT"] = "TB"
    adapter: Literal["sequence", "step"] = "sequence"
    state: Literal["hidden", "carried"] = "hidden"
    reset: str | None = None
    output: int = 0


CEILING = "ceiling"  # stands in a neuron's place and is none: the least that one could cost
STAND_INS = {CEILING: "spikebench.network:OnePass"}  # modules of ours that are called as somebody's are
RENAMED = {  # subjects as earlier versions recorded them, and what they are now
    "spikebench.network:OnePass": CEILING,
    "spikebench.p_spikessm:GeluSampler": "gelu_sampler[ssm=dplr]@fft",
}


@dataclass(frozen=True)
class Subject:
    """A subject, parsed. `options`, `how` and `rule` hold what was given for the neuron, the backend and the scheme.

    What equals a default is left out. Without a `scheme` a network is trained by BPTT with the loss of its own readout.
    """

    name: str
    options: Options = field(default_factory=dict)
    backend: str = "eager"
    how: Options = field(default_factory=dict)
    scheme: str | None = None
    rule: Options = field(default_factory=dict)

    @property
    def foreign(self) -> bool:
        """Whether this is somebody's module, or called as one, rather than a neuron of ours."""
        return ":" in self.name or self.name in STAND_INS

    @property
    def address(self) -> str:
        """Of a foreign subject, `path.py:Class` or `package.module:Class`."""
        return STAND_INS.get(self.name, self.name)

    def __str__(self) -> str:
        trained = f"+{self.scheme}{written(self.rule)}" if self.scheme else ""
        return f"{self.name}{written(self.options)}@{self.backend}{written(self.how)}{trained}"

    @property
    def untrained(self) -> "Subject":
        """The same without its scheme: the neuron alone."""
        return replace(self, scheme=None, rule={})

    @property
    def way(self) -> Way:
        """How this foreign subject is called."""
        said = {k: v for k, v in self.all_how.items() if k in Way.__dataclass_fields__}
        return Way(**said)  # pyright: ignore[reportArgumentType]  # checked against FOREIGN

    @property
    def remedy(self) -> str | None:
        """The remedy that is tried on this foreign subject, if one is."""
        found = self.how.get("remedy") if self.foreign else None
        return None if found is None else str(found)

    @property
    def plain(self) -> "Subject":
        """This foreign subject as it is: on eager, and without a remedy."""
        return replace(self, backend="eager", how={k: v for k, v in self.how.items() if k != "remedy"})

    def called(self, way: Way) -> "Subject":
        """This foreign subject with the way in which it is called. What equals the usual way is left out of its text."""
        said = {k: v for k, v in vars(way).items() if v != FOREIGN[k].default}
        return replace(self, how=said | {k: v for k, v in self.how.items() if k in FOREIGN_LATER})

    @cached_property
    def all_options(self) -> Options:
        """Every option of the neuron with its value; of a foreign subject those that were given."""
        if self.foreign:
            return dict(self.options)
        return {k: self.options.get(k, o.default) for k, o in registry.facts(self.name).options.items()}

    @property
    def approximates(self) -> str | None:
        """The LIF that the neuron approximates with these options, None if there is none."""
        if self.foreign:
            return None
        declared, options = registry.facts(self.name).attributes, self.all_options
        there = all(options.get(k, v) == v for k, v in declared.approximates_where.items())
        return declared.approximates.format(**options) if there and declared.approximates else None

    @cached_property
    def all_how(self) -> Options:
        """Every option of the backend with its value."""
        if self.foreign:
            return {k: self.how.get(k, o.default) for k, o in FOREIGN.items()}
        return {k: self.how.get(k, o.default) for k, o in registry.backend_options(self.backend, self.name).items()}

    @cached_property
    def all_rule(self) -> Options:
        """Every option of the scheme with its value."""
        known = registry.scheme_options(self.scheme) if self.scheme else {}
        return {k: self.rule.get(k, o.default) for k, o in known.items()}

    @property
    def spelled_rule(self) -> Options:
        """Options of the scheme as a case writes them; its file may have a `LATER`, too."""
        later = registry.scheme_facts(self.scheme).get("LATER", ()) if self.scheme else ()
        return {k: v for k, v in self.all_rule.items() if k not in later or k in self.rule}

    @property
    def spelled_options(self) -> Options:
        """Options of the neuron as a case writes them: with their defaults, but for those that `LATER` names.

        An option that a neuron got after cases of it were recorded stands in `LATER`, so that their ids stay.
        """
        later = () if self.foreign else registry.facts(self.name).attributes.LATER
        return {k: v for k, v in self.all_options.items() if k not in later or k in self.options}

    @property
    def spelled_how(self) -> Options:
        """Options of the backend as a case writes them; its file may have a `LATER`, too."""
        later = FOREIGN_LATER if self.foreign else registry.backend_later(self.backend, self.name)
        return {k: v for k, v in self.all_how.items() if k not in later or k in self.how}


def parse_subject(text: str, device: str = "cpu") -> Subject:
    """A subject from text, checked against what there is; options equal to their default are dropped.

    The backend `fused` is that of our kernels for the device: `cpu`, or `triton` on a GPU.
    """
    match = GRAMMAR.match(text.strip()) if text.isprintable() else None
    if match is None:
        raise Problem(
            f"cannot read subject {text!r}; write neuron[option=value]@backend or path.py:Class[option=value]"
        )
    if match["scheme"]:
        scheme = registry.find("schemes", match["scheme"])
        rule = checked(f"scheme {scheme!r}", parse_options(match["rule"]), registry.scheme_options(scheme))
        own = parse_subject(text.strip()[: match.start("scheme") - 1], device)
        if own.scheme:
            raise Problem(f"{own.scheme} and {scheme} are two schemes; write neuron@backend+{scheme}")
        return replace(own, scheme=scheme, rule=rule)
    if registry.canonical(match["name"]) in registry.names("schemes"):
        return parse_subject(_with_neuron(match), device)
    name, backend = match["name"].strip(), registry.canonical(match["backend"] or "eager")
    options, how = parse_options(match["options"]), parse_options(match["how"])
    if name in RENAMED:
        now = parse_subject(RENAMED[name], device)
        return parse_subject(str(replace(now, options=now.options | options)), device)
    if ":" in name or name in STAND_INS:
        if backend not in (there := registry.backends_of_others()):
            can = f"there are {', '.join(there)} for it"
            raise Problem(f"{name} is a module of its own, which no backend {backend!r} can compute; {can}")
        return Subject(name, options, backend, checked("a foreign module", how, FOREIGN))
    if (entry := registry.installed(name)) is not None:
        return parse_subject(text.strip().replace(match["name"], entry, 1), device)
    neuron = registry.find("neurons", name)
    backend = registry.meant(backend, neuron, device)
    options = checked(f"neuron {neuron!r}", options, registry.facts(neuron).options)
    how = checked(f"backend {backend!r}", how, registry.backend_options(backend, neuron))
    return Subject(neuron, options, backend, how)


def _with_neuron(match: re.Match[str]) -> str:
    """The text of a scheme alone, as `ottt[update=online]@eager`, with the neuron that it stands for: `lif@eager+ottt[update=online]`.

    That is `lif`, or what the scheme declares as NEURON.
    """
    neuron = registry.scheme_facts(registry.canonical(match["name"])).get("NEURON", "lif")
    how = f"[{match['how']}]" if match["how"] else ""
    rule = f"[{match['options']}]" if match["options"] else ""
    return f"{neuron}@{match['backend'] or 'eager'}{how}+{match['name']}{rule}"


def present(text: str) -> str:
    """The text of a recorded subject as it is recorded now. It differs where its name was another one then."""
    match = GRAMMAR.match(text)
    return str(parse_subject(text)) if match and match["name"] in RENAMED else text


def shown(text: str) -> str:
    """The text of a subject as people read and write it: under its present name, and our kernels as `fused`."""
    text = present(text)
    match = GRAMMAR.match(text)
    if match is None or match["backend"] is None or ":" in match["name"]:
        return text
    start, end = match.span("backend")
    return text[:start] + registry.alias(match["backend"]) + text[end:]


def there(subject: Subject) -> Subject:
    """The subject, whose file is a plain one, if it names a file. Problem if not: a pipe would never end."""
    if (path := foreign_file(subject)) is not None:
        files.regular(path)
    return subject


def defined(text: str | None) -> str | None:
    """The text of a neuron of ours, whose definition others are compared with, or None. Problem for one that is not there."""
    if text is not None and parse_subject(text).foreign:
        raise Problem(f"{text} is no neuron of ours; there are {', '.join(registry.names('neurons'))}")
    return text


def foreign_file(subject: Subject) -> Path | None:
    """The file of a `path.py:Class` subject, or None if it names a package."""
    path = subject.name.rpartition(":")[0]
    return Path(path) if path.endswith((".py", PICKLED)) else None
