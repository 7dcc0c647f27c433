"""Shards of a collection: one of them, for embed and index, and the verb that gathers all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from disentone.cli.app import app
from disentone.cli.screen import Quiet, Screen

if TYPE_CHECKING:
    from disentone.embeddings.embedder import EmbedOptions

__all__ = ["on_ray", "one_shard"]


def one_shard(
    model: str,
    paths: Sequence[Path],
    folder: Path | str,
    shard: str,
    options: EmbedOptions,
    *,
    exclude: Sequence[str] = (),
    on_error: Literal["skip", "stop"] = "skip",
    quiet: bool,
) -> None:
    """Embed one shard of a collection, and print its file."""
    from disentone.embeddings.sharding import embed_shard
    from disentone.embeddings.shards import Shard

    number = Shard.parse(shard)
    with Screen(quiet=quiet) as screen:
        made = embed_shard(
            model,
            paths,
            folder,
            number,
            options,
            exclude=exclude,
            on_error=on_error,
            watcher=screen,
        )
    typer.echo(made)


def on_ray(
    model: str,
    paths: Sequence[Path],
    out: Path,
    address: str,
    options: EmbedOptions,
    *,
    on_error: Literal["skip", "stop"],
    quiet: bool,
) -> None:
    """Embed a collection on a Ray cluster, and print the file."""
    from disentone.embeddings.cluster import embed_on_ray

    with Screen(quiet=quiet) as screen:
        made = embed_on_ray(
            model, paths, out, options, address=address, on_error=on_error, watcher=screen
        )
    typer.echo(made)


@app.command(
    epilog="Example: disentone gather shards/ -o sounds.parquet · "
    "disentone gather shards/ -o sounds.index"
)
def gather(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of shards, of embed or index --shard.")
    ],
    out: Annotated[
        str, typer.Option("--out", "-o", help="FILE.parquet, .npz or .npy; or an index, a folder.")
    ],
    quiet: Quiet = False,
) -> None:
    """Join all shards of a collection: into one file of embeddings, or into an index.

    It checks that none is missing or damaged and that all are of one list and one model; the
    result is the one of a single process, to the bit. The shards stay: delete them afterwards.
    """
    from disentone.embeddings.gathering import gather as join
    from disentone.embeddings.gathering import is_file

    with Screen(quiet=quiet) as screen:
        if is_file(out):
            join(folder, out, watcher=screen)
        else:
            from disentone.embeddings.indexing import index_shards

            made = index_shards(folder, out, watcher=screen)
            screen.note(f"{len(made)} items in {out}")
    typer.echo(out)
