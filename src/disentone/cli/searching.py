"""Verbs of an index: index, relocate, search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from disentone.cli.app import app
from disentone.cli.listing import print_items
from disentone.cli.screen import (
    AllowDownload,
    Cache,
    Device,
    Hop,
    Jobs,
    Quiet,
    Screen,
    ShardOption,
    Short,
    ShortClip,
    again,
    console,
    resumable,
)
from disentone.cli.sharding import one_shard


@app.command(
    epilog="Example: disentone index runs/facets sounds/ -o sounds.index --exclude '*_draft.wav' · "
    "disentone index -o sounds.index --remove drums/"
)
def index(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="Run folder, or the name of a packaged model."),
    ] = None,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="AUDIO", help="Audio files, folders and tables.")
    ] = None,
    *,
    out: Annotated[str, typer.Option("--out", "-o", help="The index: a folder, or s3://...")],
    segment: Annotated[
        float | None, typer.Option(help="An item for every so many seconds, not for every file.")
    ] = None,
    hop: Hop = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Leave out what matches, as in .gitignore: '*.mp3', 'drums/'; repeat."),
    ] = None,
    keep_missing: Annotated[
        bool, typer.Option("--keep-missing", help="Keep items whose files are gone.")
    ] = False,
    remove: Annotated[
        list[str] | None,
        typer.Option(help="Only take out this item, file, folder or pattern; repeat."),
    ] = None,
    cache: Cache = None,
    jobs: Jobs = None,
    short: Short = ShortClip.pad,
    shard: ShardOption = None,
    device: Device = "cpu",
    allow_download: AllowDownload = False,
    quiet: Quiet = False,
) -> None:
    """Put a collection into an index, to be searched by facets, or bring the index up to date.

    The same command goes on where it stopped. Later it embeds files that are new or changed, takes
    over labels that were corrected in a table, recognises files that were moved, and removes what
    is gone from these folders and tables. A .disentoneignore file in a folder, written as a
    .gitignore, leaves out what it names. What was left out as unusable is listed in
    OUT/skipped.csv, with the reason. With --shard, OUT is a folder of shards, of which disentone
    gather makes the index.
    """
    from disentone.errors import DataError

    if remove:
        if model is not None:
            raise DataError("--remove takes items out of OUT and indexes nothing: name no model.")
        _remove(out, remove, quiet=quiet)
        return
    if model is None or not paths:
        raise DataError("Name a model and sounds: disentone index MODEL SOUNDS... -o INDEX.")
    from disentone.embeddings.embedder import EmbedOptions
    from disentone.embeddings.indexing import index_collection

    options = EmbedOptions(segment, hop, cache, jobs, short.value, device)
    if shard is not None:
        one_shard(model, paths, out, shard, options, exclude=exclude or (), quiet=quiet)
        return
    more = {"exclude": exclude, "keep_missing": keep_missing, "allow_download": allow_download}
    with Screen(quiet=quiet) as screen:
        made = resumable(
            again("index", model, *paths, out=out, **vars(options), **more),
            lambda: index_collection(
                model,
                paths,
                out,
                options,
                exclude=exclude or (),
                keep_missing=keep_missing,
                watcher=screen,
            ),
        )
        screen.note(f"{len(made)} items in {out}")
    typer.echo(out)


def _remove(out: str, names: list[str], *, quiet: bool) -> None:
    """Take items out of an index."""
    from disentone.embeddings.removing import remove_items
    from disentone.search import Index

    opened = Index.open(out)
    removed = remove_items(opened, names)
    if not quiet:
        console.print(f"{removed} removed, {len(opened)} items in {out}", style="dim")
    typer.echo(out)


@app.command(epilog="Example: disentone relocate sounds.index /media/old/sounds ~/sounds")
def relocate(
    index: Annotated[str, typer.Argument(metavar="INDEX", help="Made by disentone index.")],
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Folder where the audio was.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Folder where it is now.")],
    quiet: Quiet = False,
) -> None:
    """Tell an index that its audio has moved; nothing is embedded again.

    An index that is moved together with its audio finds it by itself.
    """
    from disentone.search import Index
    from disentone.search.relocating import relocate as move

    moved, missing = move(Index.open(index), old, new)
    if not quiet:
        console.print(f"{moved} items are now in {new}", style="dim", soft_wrap=True)
        if missing:
            console.print(
                f"The files of {missing} are not there: disentone index finds what has become of "
                "them.",
                style="dim",
                soft_wrap=True,
            )
    typer.echo(index)


@app.command(
    epilog="Example: disentone search sounds.index query.wav --weights timbre=1,pitch=-0.5 "
    "--where \"split = 'test'\" -k 5"
)
def search(
    index: Annotated[str, typer.Argument(metavar="INDEX", help="Made by disentone index.")],
    queries: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            help="Audio files, or ids of items; several are examples of one thing.",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="How much each facet matters: timbre=1,pitch=-0.5; others do not."),
    ] = None,
    where: Annotated[
        str | None, typer.Option(help="A filter: \"split = 'test' and tempo > 120\".")
    ] = None,
    words: Annotated[
        str | None,
        typer.Option(
            "--text",
            help="Words of names, folders and factors; without a query, list what has them.",
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Items to find.")] = 10,
    start: Annotated[float, typer.Option(min=0, help="Where the query's part begins, in s.")] = 0.0,
    end: Annotated[float | None, typer.Option(help="Where the query's part ends, in s.")] = None,
    like: Annotated[
        list[str] | None, typer.Option(help="One more example: an id or a file; repeat.")
    ] = None,
    away: Annotated[
        list[str] | None, typer.Option(help="Stay away from this id or file; repeat.")
    ] = None,
    mix: Annotated[
        str | None, typer.Option(help="A facet of each: timbre=a.wav,pitch=b.wav.")
    ] = None,
    diverse: Annotated[
        float, typer.Option(min=0, max=1, help="How much hits are to differ, from 0 to 1.")
    ] = 0.0,
    one_per_recording: Annotated[
        bool, typer.Option("--one-per-recording", help="The best of a recording only.")
    ] = False,
    fold: Annotated[
        bool,
        typer.Option("--fold", help="Of one recording, or nearly the same sound, the best only."),
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(help="Write what is found: list.m3u8, table.csv, or a folder of copies."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
    model: Annotated[
        str | None, typer.Option(help="The model, where it is not in the index.")
    ] = None,
    device: Device = "cpu",
    allow_download: AllowDownload = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the ids of what is found, and no more.")
    ] = False,
) -> None:
    """Find similar sounds, by weighted facets: to an audio file, a part of one, or an item.

    Of several examples, the weights are those of the facets that they share; they are shown, to be
    changed with --weights. A negative weight means "unlike this". With --text and no query, items
    are listed by name.
    """
    from disentone.embeddings.querying import AudioQueries
    from disentone.search import Index
    from disentone.search.exporting import export_target
    from disentone.search.weights import parse_pairs, parse_weights

    if export is not None:
        export_target(export)
    opened = Index.open(index)
    mixed = {} if mix is None else parse_pairs(mix, "--mix", "timbre=a.wav,pitch=b.wav")
    weighted = None if weights is None else parse_weights(weights, opened.facets)
    examples = AudioQueries(opened, model, device=device)
    # All that can be mistyped is checked before a model is loaded.
    for facet in mixed:
        opened.facets.slice(facet)
    opened.snapshot().passing(where, words)
    if words is not None and not (queries or like or away or mixed):
        listed = opened.items(where=where, text=words, sort="name")
        rows = listed.slice(0, k).to_pylist()
        print_items(rows, opened.facets, as_json=json, quiet=quiet)
        _export(rows, export)
        if len(listed) > k and not quiet:
            console.print(f"{len(listed):,} have these words; -k shows more", style="dim")
        return
    examples.check([*(queries or ()), *(like or ()), *(away or ()), *mixed.values()])
    wanted = [examples.example(name, start=start, end=end) for name in queries or ()]
    query = opened.query(
        like=wanted + [examples.example(name) for name in like or ()],
        away=[examples.example(name) for name in away or ()],
        mix={name: examples.example(file) for name, file in mixed.items()},
    )
    found = query.rank(
        weighted,
        where=where,
        text=words,
        k=k,
        diversity=diverse,
        one_per_recording=one_per_recording,
        fold=fold,
    )
    print_items(found.to_json(), opened.facets, as_json=json, quiet=quiet)
    _export(found.to_json(), export)
    if not quiet:
        used = ",".join(f"{name}={weight:.3g}" for name, weight in found.weights.items())
        several = weights is None and len(wanted) + len(like or ()) > 1
        summary = f"--weights {used}" + " (what the examples share)" * several
        console.print(summary, style="dim", highlight=False, markup=False, soft_wrap=True)


def _export(rows: list[dict[str, Any]], target: Path | None) -> None:
    """Write what was found, where asked for, and name the files that are gone."""
    if target is None:
        return
    from disentone.search.exporting import export

    for path in export(rows, target):
        console.print(f"Gone, and not copied: {path}", style="dim", markup=False, soft_wrap=True)


@app.command(epilog="Example: disentone duplicates sounds.index --threshold 0.99")
def duplicates(
    index: Annotated[str, typer.Argument(metavar="INDEX", help="Made by disentone index.")],
    threshold: Annotated[
        float,
        typer.Option(help="Mean cosine of all facets from which on two are copies; 1: equal."),
    ] = 0.999,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the ids, a line a group, tabs between.")
    ] = False,
) -> None:
    """List what an index has twice: items that are nearly the same sound in every facet.

    Above each group stands how like its first item the least like of the others is.
    """
    import json as text

    from disentone.search import Index

    found = Index.open(index).duplicates(threshold)
    if json:
        typer.echo(text.dumps([group._asdict() for group in found], indent=2, ensure_ascii=False))
        return
    for ids, likeness in found:
        lines = ["\t".join(ids)] if quiet else [f"{likeness:.4f}", *(f"  {name}" for name in ids)]
        typer.echo("\n".join(lines))
    if not quiet:
        spare = sum(len(ids) - 1 for ids, _ in found)
        summary = f"{len(found)} sounds are there more than once, {spare} items too many"
        console.print(summary, style="dim", highlight=False)
