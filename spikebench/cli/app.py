"""The command line, put together from the files beside this one: a file without a leading underscore is a command.

Its function `command` is the command, its name that of the file with dashes; `CONTEXT` has what click needs to know.
A file is imported when its command is asked for, so that none waits for what others need.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from spikebench import __version__, registry
from spikebench.declarations import function_title

USUAL: Mapping[str, Any] = {"pretty_exceptions_enable": False, "rich_markup_mode": None}


class Commands(Mapping[str, Any]):
    """The commands by name, as click has them."""

    def __init__(self) -> None:
        self._files = {name.replace("_", "-"): name for name in registry.names("cli") if name != "app"}

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, name: str) -> Any:
        from spikebench.cli._command import Once, flat

        module = self.module(name)
        context, together = getattr(module, "CONTEXT", None), ("ONLY_WITH", "NEVER_WITH")
        said = {k.lower(): getattr(module, k, {}) for k in together}
        alone = typer.Typer(add_completion=False, **USUAL)
        kind = type("Command", (Once,), said)
        alone.command(name, cls=kind, no_args_is_help=bool(context), context_settings=context)(flat(module.command))
        return typer.main.get_command(alone)

    def module(self, name: str) -> Any:
        """The file of a command, imported."""
        return import_module(f"spikebench.cli.{self._files[name]}")

    def titles(self) -> list[tuple[str, str]]:
        """Each name with the first line of what its command says, which is read and not imported."""
        return [(name, function_title(registry.file("cli", file), "command")) for name, file in self._files.items()]


class Group(TyperGroup):
    """A group of commands that are imported when they are asked for."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = Commands()  # pyright: ignore[reportAttributeAccessIssue]  # nothing is added to them

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(self.commands.titles())


app = typer.Typer(cls=Group, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}, **USUAL)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"spikebench {__version__}")
        raise typer.Exit


@app.callback()
def spikebench(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Measure spiking neurons: time, memory, energy and spikes, behind one protocol."""
