"""The verb that scores embeddings on triplets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from disentone.cli.app import app
from disentone.cli.screen import (
    AllowCode,
    AllowDownload,
    Device,
    Quiet,
    Screen,
    Seed,
    Short,
    ShortClip,
)


@app.command(
    epilog="Example: disentone triplets runs/csn-music openl3.npz --triplets music/triplets.csv "
    "--data music/clips.csv --baselines"
)
def triplets(
    what: Annotated[
        list[Path],
        typer.Argument(metavar="RUN|EMBEDDINGS", help="Run folders, or .npy .npz .parquet ..."),
    ],
    triplets: Annotated[
        Path, typer.Option(help="Table: anchor, positive, negative, dimensions; or Dim-sim's CSV.")
    ],
    data: Annotated[
        Path | None, typer.Option(help="Folder or table of the clips; a run's own by default.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="A named dataset in --data: dim-sim, msd-lastfm ...")
    ] = None,
    facets: Annotated[
        str | None, typer.Option(help="Columns of embeddings: tempo=0:64,key=64:128.")
    ] = None,
    agreement: Annotated[
        float, typer.Option(min=0, max=1, help="Of Dim-sim: least share of votes for the positive.")
    ] = 0.9,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Untrained network and log-mel statistics as well.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder; triplets in the first run.")
    ] = None,
    short: Short = ShortClip.pad,
    device: Device = "cpu",
    seed: Seed = None,
    allow_code: AllowCode = False,
    allow_download: AllowDownload = False,
    quiet: Quiet = False,
) -> None:
    """Score embeddings on triplets: whether they place the positive nearer than the negative.

    All facets, every subset of them, and each facet on the triplets of each dimension; where
    factors are known, also retrieval by each facet. All systems are in one report.
    """
    from disentone.runs.judging import judge_files

    folder = out or (what[0] / "triplets" if what[0].is_dir() else Path(f"{what[0].stem}-triplets"))
    with Screen(quiet=quiet) as screen:
        report, text = judge_files(
            what,
            triplets,
            folder,
            data=data,
            dataset=dataset,
            facets=facets,
            agreement=agreement,
            baselines=baselines,
            short=short.value,
            device=device,
            seed=seed or 0,
            watcher=screen,
        )
    if not quiet:
        typer.echo(text)
    typer.echo(report)
