"""Verbs for audits: audit and compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from disentone.cli.app import app
from disentone.cli.screen import AllowCode, AllowDownload, Quiet, Screen, Seed


@app.command(
    epilog="Example: disentone audit runs/marl-notes --data recorded/clips.csv · "
    "disentone audit codes.npy labels.csv --facets timbre=0:64,pitch=64:128 --kind note=ordinal "
    "--own timbre=instrument --own pitch=note"
)
def audit(
    what: Annotated[
        Path, typer.Argument(metavar="RUN|EMBEDDINGS", help="Run folder, or .npy .npz .csv ...")
    ],
    factors: Annotated[
        Path | None,
        typer.Argument(metavar="FACTORS", help="Of embeddings: table with a row for each item."),
    ] = None,
    facets: Annotated[str | None, typer.Option(help="Columns: timbre=0:64,pitch=64:128.")] = None,
    own: Annotated[
        list[str] | None, typer.Option(help="What a facet is meant to encode: timbre=instrument.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Kind of a factor, not guessed: note=ordinal.")
    ] = None,
    factor: Annotated[
        list[str] | None, typer.Option(help="A factor to audit for; all by default.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="given, random, stratified:FACTOR, or a factor to split by.")
    ] = "given",
    group: Annotated[
        str | None, typer.Option(help="Column whose values splits do not share: the recording.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Column that names the items on both sides; else by order.")
    ] = None,
    measures: Annotated[
        str | None, typer.Option(help="default, all, none, or names: mig,dci_disentanglement.")
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="Published variant beside: syntone, paper ... or all.")
    ] = None,
    beside: Annotated[
        list[Path] | None, typer.Option(help="Another run of the same items, for UDR; repeat.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Probes of each facet and factor.")
    ] = None,
    subsample: Annotated[
        int | None, typer.Option(help="Audit so many items; intervals are then wider.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Of a run: other audio; its own by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the audit.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Threads or processes; OMP_NUM_THREADS, or all cores.")
    ] = None,
    seed: Seed = None,
    allow_code: AllowCode = False,
    allow_download: AllowDownload = False,
    quiet: Quiet = False,
) -> None:
    """Audit a trained model, or anyone's embeddings: what each facet predicts, and what it leaks.

    Of a run, on its own data or on new audio. Of embeddings, arrays or
    tables, by the factors of a table; what is fitted is measured on held-out items.
    """
    given = {
        "facets": facets,
        "owns": _lists(own, "--own", "timbre=instrument"),
        "kinds": _pairs(kind, "--kind", "note=ordinal"),
        "names": factor,
        "split": None if split == "given" else split,
        "group": group,
        "key": key,
        "factors": factors,
        "subsample": subsample,
    }
    both: dict[str, Any] = {
        "measures": measures.split(",") if measures is not None else None,
        "variants": variant,
        "beside": beside,
        "seeds": seeds,
        "seed": seed,
        "jobs": jobs,
        "out": out,
    }
    both = {name: value for name, value in both.items() if value is not None}
    of_arrays = {name: value for name, value in given.items() if value}
    with Screen(quiet=quiet) as screen:
        report = _audit(what, data, of_arrays, both, screen)
    typer.echo(report)


def _audit(
    what: Path,
    data: Path | None,
    of_arrays: dict[str, Any],
    both: dict[str, Any],
    screen: Screen,
) -> Path:
    from disentone.errors import DataError

    if what.is_dir() or (not what.suffix and not what.exists()):
        if of_arrays:
            raise DataError(
                f"{', '.join(sorted(of_arrays))}: these are for embeddings, but '{what}' is a run."
            )
        from disentone.datasets.opening import open_data
        from disentone.embeddings.model_files import find_model
        from disentone.runs.run_folder import audit_recipe

        changes = {name: both[name] for name in both.keys() & {"measures", "variants", "seeds"}}
        open_data(audit_recipe(what, data=data, **changes).data)
        for path in both.get("beside", ()):
            find_model(path)
        from disentone.runs.auditing import audit_run  # and torch: what is mistyped was refused

        return audit_run(what, data=data, watcher=screen, **both)
    from disentone.runs.arrays import audit_arrays

    if data is not None:
        raise DataError(f"--data is for a run, but '{what}' are embeddings.")
    return audit_arrays(what, watcher=screen, **of_arrays, **both)


def _pairs(given: list[str] | None, option: str, example: str) -> dict[str, str]:
    """Read NAME=VALUE, several of them separated by commas or given again."""
    from disentone.errors import DataError

    found = {}
    for part in (part for text in given or () for part in text.split(",")):
        name, equals, value = part.partition("=")
        if not (equals and name.strip() and value.strip()):
            raise DataError(f"{option} '{part}' must look like '{example}'.")
        found[name.strip()] = value.strip()
    return found


def _lists(given: list[str] | None, option: str, example: str) -> dict[str, list[str]]:
    """Read NAME=VALUE+VALUE."""
    pairs = _pairs(given, option, example)
    return {name: [part.strip() for part in text.split("+")] for name, text in pairs.items()}


@app.command(epilog="Example: disentone compare runs/one runs/two/audit.json -o comparison")
def compare(
    cards: Annotated[
        list[Path],
        typer.Argument(metavar="CARD", help="Two or more audit.json, their folders, or models."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for compare.html and compare.json.")
    ] = None,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Put audits side by side, each compared with the first.

    Scores of probes are paired item by item where both audits are of the same test items.
    """
    from disentone.audit import Card
    from disentone.audit.comparing import compare as differences_of
    from disentone.errors import DataError
    from disentone.files import write_json
    from disentone.packaged import or_packaged
    from disentone.report.comparison import differences_text, write_comparison

    if len(cards) < 2:
        raise DataError("Give two audits or more to compare.")
    paths = [or_packaged(path) for path in cards]
    files = [path / "audit.json" if path.is_dir() else path for path in paths]
    first, *others = loaded = [Card.load(file) for file in files]
    names = _names(files)
    found = [differences_of(first, other, seed=seed or 0) for other in others]
    if not quiet:
        for name, other in zip(names[1:], others):
            if not set(first.factors) & set(other.factors):
                typer.echo(
                    f"{names[0]} ({', '.join(first.factors)}) and {name} "
                    f"({', '.join(other.factors)}) have no factor in common: the measures "
                    "below are of other factors in each.\n"
                )
        typer.echo(differences_text(names, found))
    if out is not None:
        flat = [
            {"card": name} | record for name, records in zip(names[1:], found) for record in records
        ]
        write_json(out / "compare.json", {"schema": 1, "cards": names, "records": flat})
        verdicts = [card.verdict() for card in loaded]
        typer.echo(write_comparison(names, verdicts, found, out / "compare.html"))


def _names(files: list[Path]) -> list[str]:
    """Give each card the end of its folder's path: as much of it as tells them apart."""
    folders = [file.resolve().parent.parts for file in files]
    for size in range(1, max(map(len, folders)) + 1):
        names = ["/".join(parts[-size:]) for parts in folders]
        if len(set(names)) == len(names):
            return names
    return [str(file) for file in files]  # two cards in one folder, or one card twice
