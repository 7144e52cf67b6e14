"""The command line, put together from the files beside this one: a file without a leading underscore is a command.

Its function `command` is the command, its name that of the file with dashes; `CONTEXT` has what click needs to know.
"""

from importlib import import_module

import typer

from spikebench import registry
from spikebench.cli._options import flat

app = typer.Typer(
    help="Measure spiking neurons: time, memory, energy and spikes, behind one protocol.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name in registry.names("cli"):
    if name != "app":
        module = import_module(f"spikebench.cli.{name}")
        context = getattr(module, "CONTEXT", None)
        app.command(name.replace("_", "-"), no_args_is_help=bool(context), context_settings=context)(
            flat(module.command)
        )
