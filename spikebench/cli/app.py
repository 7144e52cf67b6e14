"""The commands, put together."""

import typer

from spikebench.cli import asv, check, gpu, look, measure, nir, profile, report, reproduce, train

app = typer.Typer(
    help="Measure spiking neurons: time, memory, energy and spikes, behind one protocol.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (measure, profile, train, reproduce, check, look, report, nir, gpu, asv):
    command.add_to(app)
