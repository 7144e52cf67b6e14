"""Options that several subjects can all have: chosen where a backend has not those that a neuron has by default."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from spikebench import registry
from spikebench.cases.options import Options, parse_options
from spikebench.cases.options import shown as written
from spikebench.cases.subject import GRAMMAR, Subject, parse_subject, shown
from spikebench.declarations import Limits, Option


@dataclass(frozen=True)
class Chosen:
    """Subjects with options that all of them can have, and a line that says what was chosen and why; None if nothing was."""

    subjects: list[str]
    said: str | None = None


@dataclass(frozen=True)
class Wish:
    """A subject, the names of the options that were typed, and what it can be set to."""

    subject: Subject
    typed: frozenset[str]
    limits: Limits

    def with_open(self, shared: Mapping[str, Any]) -> Options:
        """The options where those that were left open are as `shared` has them."""
        own = {k: v for k, v in self.subject.all_options.items() if k in self.typed}
        return {**self.subject.all_options, **shared, **own}

    def lacking(self, options: Mapping[str, Any]) -> str | None:
        """What it cannot have of these options."""
        return self.limits.lacking({**options, **self.subject.all_how})


def alike(texts: Sequence[str], device: str = "cpu") -> Chosen:
    """Subjects of one neuron with the same options wherever one of them cannot have what was left open.

    What was typed stays, and an option that was typed for one of them is meant for all that leave it open. The others are
    as close to the neuron's defaults as the backends' CAN and NEEDS allow, in the order in which it declares them. Without
    such options, or where nothing is amiss, the subjects stay as they are.
    """
    wishes = [_wish(text, device) for text in texts]
    given, notes = list(map(str, (w.subject for w in wishes))), list[str]()
    for neuron in dict.fromkeys(w.subject.name for w in wishes if not w.subject.foreign):
        same = {k: w for k, w in enumerate(wishes) if w.subject.name == neuron}
        why = next((f"{w.subject.backend} has {r}" for w in same.values() if (r := w.lacking(w.with_open({})))), None)
        if why is None or (options := common(neuron, list(same.values()))) is None:
            continue
        made = {k: str(_with(w, options)) for k, w in same.items()}
        new = {k: v for w in same.values() for k, v in w.with_open(options).items() if v != w.subject.all_options[k]}
        names = " and ".join(dict.fromkeys(shown(texts[k]) for k in same))
        notes.append(f"{names}: taken with {_listed(new)}, because {why}")
        given = [made.get(k, text) for k, text in enumerate(given)]
    return Chosen(given, "; ".join(notes) or None)


def within(text: str, limits: Limits, whose: str) -> Chosen:
    """One subject with what it leaves open as these limits, which are `whose`, have it."""
    wish = replace(_wish(text, "cpu"), limits=limits)
    options = (
        common(wish.subject.name, [wish]) if not wish.subject.foreign and wish.lacking(wish.with_open({})) else None
    )
    if options is None:
        return Chosen([str(wish.subject)])
    new = {k: v for k, v in wish.with_open(options).items() if v != wish.subject.all_options[k]}
    return Chosen(
        [str(_with(wish, options))], f"{shown(text)}: taken with {_listed(new)}, because {whose} have no other"
    )


def _listed(options: Options) -> str:
    return ", ".join(f"{k}={written(v)}" for k, v in options.items())


def common(neuron: str, wishes: Sequence[Wish]) -> Options | None:
    """What was left open, so that every wish can have it: the first such in the order of `_candidates`; None if there is none."""
    names = {name for w in wishes for name in w.limits.names | w.typed}
    candidates = {k: list(_candidates(k, o, wishes)) for k, o in registry.facts(neuron).options.items() if k in names}
    for values in product(*candidates.values()):
        options = dict(zip(candidates, values, strict=True))
        if not any(w.lacking(w.with_open(options)) for w in wishes):
            return options
    return None


def _candidates(name: str, option: Option, wishes: Sequence[Wish]) -> Iterator[Any]:
    """Values of an option: those that were typed, else the default, then those that any limits name."""
    typed = [w.subject.all_options[name] for w in wishes if name in w.typed]
    named = [option.default, *(v for w in wishes for v in w.limits.values(name))]
    yield from dict.fromkeys(typed or named)


def _wish(text: str, device: str) -> Wish:
    subject, match = parse_subject(text, device), GRAMMAR.match(text.strip())
    if subject.scheme:  # a scheme alone names no neuron, and its options are not a neuron's
        match = GRAMMAR.match(str(subject))
    if subject.foreign or match is None:
        return Wish(subject, frozenset(), Limits())
    typed = frozenset(parse_options(match["options"])) | frozenset(subject.options)
    return Wish(subject, typed, registry.limits(subject.backend, subject.name))


def _with(wish: Wish, options: Options) -> Subject:
    bare = replace(wish.subject, options=wish.with_open(options))
    return parse_subject(str(bare))
