"""A command as typer takes it: an option for each field of its groups, read by the kind of value that stands beside it.

A file of a command may say which options go together: `ONLY_WITH` maps an option to the one without which it has no
effect, and `NEVER_WITH` an option to those that have no effect beside it. Names are those of the parameters.
"""

import copy
import inspect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from typer.core import TyperCommand
from typer.models import OptionInfo

from spikebench.cli._values import Text, once
from spikebench.errors import Problem


@dataclass(frozen=True)
class Read:
    """How an option is read: its name as it is typed, its kind, and whether it can be given several times."""

    option: str
    kind: Text
    several: bool

    def __call__(self, given: Any) -> Any:
        """The value of what was typed."""
        if given is None:
            return None
        if not self.several:
            return self.kind.read(self.option, given)
        found = [self.kind.read(self.option, each) for each in given]
        return found if self.kind.repeats else once(self.option, found)


def flat(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each field of its parameters that are dataclasses, as typer takes it.

    A parameter's default is an instance whose values are the defaults of the options; without one they are the fields' own.
    """
    parameters, groups = spread(command)
    reads = {p.name: found for p in parameters if (found := read_by(p))}
    parameters = [_typed(p, reads[p.name].kind) if p.name in reads else p for p in parameters]

    @wraps(command)
    def called(**given: Any) -> None:
        given |= {name: read(given[name]) for name, read in reads.items()}
        made = {name: kind(**{f.name: given.pop(f.name) for f in fields(kind)}) for name, kind in groups.items()}
        command(**given, **made)

    called.__annotations__ = {p.name: p.annotation for p in parameters}
    called.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]  # inspect reads it
    return called


def spread(command: Callable[..., None]) -> tuple[list[inspect.Parameter], dict[str, type[Any]]]:
    """The parameters of a command with a field in the place of each group, and the groups."""
    hints, groups = get_type_hints(command, include_extras=True), dict[str, type[Any]]()
    parameters: list[inspect.Parameter] = []
    for p in inspect.signature(command).parameters.values():
        kind: Any = hints[p.name]
        if not (isinstance(kind, type) and is_dataclass(kind)):
            parameters.append(p.replace(annotation=kind, kind=p.KEYWORD_ONLY))
            continue
        groups[p.name] = kind
        usual = groups[p.name]() if p.default is p.empty else p.default
        own = get_type_hints(kind, include_extras=True)
        parameters += [
            inspect.Parameter(f.name, p.KEYWORD_ONLY, default=getattr(usual, f.name), annotation=own[f.name])
            for f in fields(kind)
        ]
    return parameters, groups


def read_by(p: inspect.Parameter) -> Read | None:
    """How a parameter is read, if a kind stands beside it."""
    said: tuple[Any, ...] = get_args(p.annotation) if get_origin(p.annotation) is Annotated else ()
    found = next((a for a in said if isinstance(a, Text)), None)
    if found is None:
        return None
    info = said[1]
    given = [info.default, *(info.param_decls or ())]  # typer has the first name for a default until it reads it
    names = [name for name in given if isinstance(name, str)] or [f"--{p.name.replace('_', '-')}"]
    option = names[0] if isinstance(info, OptionInfo) else p.name.upper().rstrip("_")
    return Read(option, found, _several(said[0], found))


def _several(annotation: Any, kind: Text) -> bool:
    """Whether an option may be given several times."""
    return not kind.commas and any(get_origin(a) is list for a in (annotation, *get_args(annotation)))


def _typed(p: inspect.Parameter, kind: Text) -> inspect.Parameter:
    """The parameter as text, which is what is typed."""
    said = get_args(p.annotation)
    info = copy.copy(said[1])
    info.metavar = info.metavar or (kind.metavar if isinstance(info, OptionInfo) else None)
    text: Any = list[str] if _several(said[0], kind) else str
    default = p.default
    if default is None or NoneType in get_args(said[0]):
        text = text | None
    if default is not None and default is not p.empty and not isinstance(default, list):
        default = kind.write(default)
    return p.replace(annotation=Annotated[text, info], default=default)


class Once(TyperCommand):
    """A command that refuses an option which is given twice, or which has no effect beside the others."""

    only_with: Mapping[str, str]
    never_with: Mapping[str, Sequence[str]]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = Counter[Any]() if ctx.resilient_parsing else Counter(self._options(ctx, args))
        if "help" not in {p.name for p in given}:
            self._check(given)
        return super().parse_args(ctx, args)

    def _options(self, ctx: Any, args: list[str]) -> list[Any]:
        """The options that were typed, as often as they were."""
        return [p for p in self.make_parser(ctx).parse_args(list(args))[2] if p.param_type_name == "option"]

    def _check(self, given: Counter[Any]) -> None:
        for p, count in given.items():
            if count > 1 and not p.multiple:
                commas = ", several values with commas" if ",…" in str(p.metavar) else ""
                raise Problem(f"{_shown(p)} is given {count} times; give it once{commas}")
        typed = {p.name: _shown(p) for p in given}
        every = {p.name: _shown(p) for p in self.params}
        for name, other in self.only_with.items():
            if name in typed and other not in typed:
                raise Problem(f"{typed[name]} has an effect with {every[other]} only; add that, or leave it out")
        for name, others in self.never_with.items():
            for other in others if name in typed else ():
                if other in typed:
                    raise Problem(f"{typed[other]} has no effect with {typed[name]}; leave one out")


def _shown(p: Any) -> str:
    """An option as it is typed; of several spellings the long one."""
    return next((o for o in p.opts if o.startswith("--")), p.opts[0])
