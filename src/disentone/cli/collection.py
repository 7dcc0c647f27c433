"""Verbs for collections and models: inspect, embed, info."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from disentone.cli.app import app
from disentone.cli.screen import (
    AllowDownload,
    Cache,
    Device,
    Hop,
    Jobs,
    Quiet,
    Screen,
    Seed,
    ShardOption,
    Short,
    ShortClip,
    again,
    resumable,
)
from disentone.cli.sharding import on_ray, one_shard


class OnError(StrEnum):
    """What is done with a file that cannot be used."""

    skip = "skip"
    stop = "stop"


@app.command(epilog="Example: disentone inspect sounds/ --pattern '{instrument}_{pitch}.wav'")
def inspect(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder or table of audio.")],
    pattern: Annotated[
        str | None, typer.Option(help="Factors in file names: '{instrument}_{pitch}.wav'.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="A named dataset in the folder: esc50, nsynth ...")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="random, stratified:FACTOR, or a factor to split by.")
    ] = None,
    segment: Annotated[
        float | None, typer.Option(help="Cut files into clips of so many seconds.")
    ] = None,
    hop: Hop = None,
    derive: Annotated[
        list[str] | None,
        typer.Option(help="A further factor, as tempo=estimate or 'class=pitch % 12'; repeat."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(help="Write all of it to this JSON file as well.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Files that are decoded at once.")] = 2,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Describe a collection: clips, factors, faults, and which relations are possible."""
    from pydantic import ValidationError

    from disentone.datasets import inspection
    from disentone.datasets.config import CollectionConfig
    from disentone.errors import DataError
    from disentone.files import write_json

    options = {
        "pattern": pattern,
        "dataset": dataset,
        "split": split,
        "segment": segment,
        "hop": hop,
        "derive": _pairs(derive),
        "seed": seed,
    }
    given = {name: value for name, value in options.items() if value is not None}
    try:
        config = CollectionConfig.model_validate({"path": str(data), **given})
    except ValidationError as error:
        problem = error.errors()[0]
        name = "".join(f"--{part}: " for part in problem["loc"])
        raise DataError(f"{name}{problem['msg'].removeprefix('Value error, ')}.") from error
    with Screen(quiet=quiet) as screen:
        found = inspection.inspect(config, jobs=jobs, progress=screen.stage("Inspecting"))
    if not quiet:
        typer.echo(inspection.text(found))
    if json is not None:
        write_json(json, found.to_json())
        typer.echo(json)


def _pairs(texts: list[str] | None) -> dict[str, str] | None:
    """Read NAME=RULE, each."""
    from disentone.errors import DataError

    wrong = next((text for text in texts or () if "=" not in text), None)
    if wrong is not None:
        raise DataError(f"--derive '{wrong}' must look like tempo=estimate.")
    return None if texts is None else dict(text.split("=", 1) for text in texts)


@app.command(
    epilog="Example: disentone embed runs/facets sounds/ -o sounds.parquet · "
    "disentone embed runs/facets sounds/ --shard 3/64 -o shards/"
)
def embed(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Run folder, or the name of a packaged model.")
    ],
    paths: Annotated[
        list[Path], typer.Argument(metavar="AUDIO", help="Audio files, folders and tables.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="FILE.parquet, .npz, or .npy with a .csv beside it.")
    ],
    segment: Annotated[
        float | None, typer.Option(help="A row for every so many seconds, not for every file.")
    ] = None,
    hop: Hop = None,
    cache: Cache = None,
    jobs: Jobs = None,
    short: Short = ShortClip.pad,
    on_error: Annotated[
        OnError, typer.Option(help="What is done with a file that cannot be used.")
    ] = OnError.skip,
    resume: Annotated[bool, typer.Option(help="Go on with what was stopped.")] = False,
    shard: ShardOption = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="On a Ray cluster: HOST:PORT, auto, or local."),
    ] = None,
    device: Device = "cpu",
    allow_download: AllowDownload = False,
    quiet: Quiet = False,
) -> None:
    """Embed a collection: a row for each file or segment, a column for each facet.

    What was left out is listed in OUT-skipped.csv, with the reason. With --shard, OUT is a folder
    of shards, which disentone gather joins.
    """
    from disentone.embeddings.collection import embed_collection
    from disentone.embeddings.embedder import EmbedOptions

    options = EmbedOptions(segment, hop, cache, jobs, short.value, device)
    if ray is not None:
        on_ray(model, paths, out, ray, options, on_error=on_error.value, quiet=quiet)
        return
    if shard is not None:
        one_shard(model, paths, out, shard, options, on_error=on_error.value, quiet=quiet)
        return
    with Screen(quiet=quiet) as screen:
        made = resumable(
            again(
                "embed",
                model,
                *paths,
                out=out,
                **vars(options),
                on_error=on_error.value if on_error is not OnError.skip else None,
                allow_download=allow_download,
                resume=True,
            ),
            lambda: embed_collection(
                model,
                paths,
                out,
                options,
                resume=resume,
                on_error=on_error.value,
                watcher=screen,
            ),
        )
    typer.echo(made)


@app.command(epilog="Example: disentone info runs/demo")
def info(
    run: Annotated[
        str, typer.Argument(metavar="RUN|MODEL", help="Run folder, or a packaged model's name.")
    ],
) -> None:
    """Describe a model: facets, front-end, parameters, and the verdict of its audit."""
    from disentone.audit import Card
    from disentone.embeddings.model_files import describe, find_model

    model, folder = describe(run), find_model(run)
    size = model.size
    if size is None:
        from disentone.embeddings.model import (
            load,  # of before sizes were written: torch has to count
        )

        size = load(folder).size
    typer.echo(f"recipe     {model.about.get('recipe', 'unknown')}")
    typer.echo(f"facets     {', '.join(f'{name} ({n})' for name, n in model.facets.items())}")
    typer.echo(
        f"front-end  {model.frontend}, {model.sample_rate} Hz, {model.seconds:g} s, "
        f"{size['frames']} frames x {size['features']} features"
    )
    typer.echo(
        f"network    {size['parameters']:,} parameters, "
        f"{size['multiply_adds']:,} multiply-adds a window"
    )
    if "precision" in model.about:  # trained by this version
        typer.echo(f"trained    in {model.about['precision']} on {model.about['machine']}")
    if (folder / "audit.json").exists():
        typer.echo(f"audit      {Card.load(folder / 'audit.json').verdict()}")
