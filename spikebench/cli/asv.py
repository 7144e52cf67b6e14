"""The command that runs asv."""

import typer


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
