"""The command to which every verb adds itself."""

from __future__ import annotations

from typing import Annotated

import typer

from disentone import __version__

__all__ = ["app"]

app = typer.Typer(
    name="disentone",
    help="Learn, audit and search the facets of sound.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"disentone {__version__}")
        raise typer.Exit
