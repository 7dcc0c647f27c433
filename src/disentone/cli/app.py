"""The command to which every verb adds itself, and what all verbs do when they are stopped."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from disentone import __version__

__all__ = ["app"]

_OTHER_KEYS = (
    "--set sets any other key of a recipe, as --set training.lr=0.001; all of them stand in "
    "config.yaml of a run"
)


class Verb(TyperCommand):
    """A command that Ctrl-C ends in one line, and whose usage reads as manuals write it."""

    def __init__(self, *words: Any, help: str | None = None, **options: Any) -> None:
        paragraphs = (help or "").split("\n\n")  # lines of the source are none of the screen
        filled = "\n\n".join(" ".join(lines.split()) for lines in paragraphs)
        super().__init__(*words, help=filled, **options)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Give the parts of the usage line: DATA, where typer writes {DATA}."""
        return [
            piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)
        ]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words; an option of train that there is not may be a key of the recipe."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:  # typer keeps its copy of click's NoSuchOption to itself
            if self.name == "train" and hasattr(error, "option_name"):
                error.message = f"{error.message}; {_OTHER_KEYS}."  # pyright: ignore
            raise

    def invoke(self, ctx: Any) -> Any:
        """Do it; Ctrl-C, where the verb itself says nothing of it, has kept nothing."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("Stopped. Nothing is kept: the same command begins anew.", err=True)
            raise typer.Exit(130) from None


class _App(typer.Typer):
    def command(self, *words: Any, **options: Any) -> Any:
        """Add a verb."""
        return super().command(*words, cls=Verb, **options)


app = _App(
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
