"""The verb that lists the models that come with disentone."""

from __future__ import annotations

from typing import Annotated

import typer

from disentone.cli.app import app


@app.command(epilog="Example: disentone models · disentone models sounds")
def models(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Print the card of this one.")
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: a list, or of one.")] = False,
) -> None:
    """List the models that come with disentone: what each facet predicts, by its audit.

    A name is taken wherever a command takes a model, unless a folder of that name holds one.
    """
    import json as text

    from disentone.embeddings.packaged_models import about_packaged, card_of, listed
    from disentone.packaged import packaged_models

    if name is None:
        found = [about_packaged(one) for one in packaged_models()]
        shown = "\n\n".join(map(listed, found))
    else:
        found, shown = about_packaged(name), card_of(name).rstrip("\n")
    typer.echo(text.dumps(found, indent=2, ensure_ascii=False) if json else shown)
