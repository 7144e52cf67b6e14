"""The command that trains on real data."""

import typer


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
