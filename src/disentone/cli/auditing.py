"""Verbs that judge: audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from disentone.cli.app import app
from disentone.cli.screen import Quiet, Screen, Seed


@app.command(epilog="Example: disentone audit runs/marl-notes --data recorded/clips.csv")
def audit(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    data: Annotated[
        Path | None, typer.Option(help="Other audio to audit on; the run's own by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the audit.")] = None,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Audit a trained model, on its own data or on audio that it has never heard."""
    from disentone.runs import audit_run

    with Screen(quiet=quiet) as screen:
        report = audit_run(run, data=data, out=out, seed=seed, watcher=screen)
    typer.echo(report)
