"""Verbs that train: demo, train, reproduce, and the recipes there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from disentone.cli.app import app
from disentone.cli.screen import (
    AllowCode,
    AllowDownload,
    Device,
    Quiet,
    Screen,
    Seed,
    Settings,
    again,
    resumable,
)

if TYPE_CHECKING:
    from disentone.recipes import Recipe


@app.command(epilog="Example: disentone demo")
def demo(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run folder; runs/demo by default.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with an unfinished demo.")] = False,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Try it without data or network: make tones, train, audit, and write a report."""
    from disentone.recipes import load_recipe
    from disentone.runs.run_folder import free_folder, is_finished

    folder = out or Path("runs/demo")
    if out is None and (folder / "config.yaml").exists() and not resume:
        if is_finished(folder):
            folder = free_folder(folder)
        else:
            resume = True  # the last one was stopped
    changes = _changes([], seed)
    command = again("demo", out=out, resume=out is not None, seed=seed)
    _train(load_recipe("demo", settings=changes), folder, command, resume=resume, quiet=quiet)


@app.command(
    epilog="Example: disentone train marl-syntone --out runs/marl --set training.epochs=20 · "
    "disentone train facets --data sounds/ --facet 'timbre:8 same=instrument' --facet rest:8"
)
def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="Name of a recipe, or a YAML file.")
    ],
    data: Annotated[Path | None, typer.Option(help="Folder or table of audio.")] = None,
    facet: Annotated[
        list[str] | None,
        typer.Option(help="A facet: 'timbre:8 same=instrument differ=pitch', 'rest:8'; repeat."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Learn the facets on the frozen network of this model: a run folder, the name of "
            "a packaged one, or on the hub.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run folder; runs/RECIPE by default.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="The same as --set training.epochs=EPOCHS.")
    ] = None,
    settings: Settings = None,
    resume: Annotated[bool, typer.Option(help="Go on with an unfinished run.")] = False,
    no_audit: Annotated[
        bool, typer.Option("--no-audit", help="Leave audit and report for disentone audit RUN.")
    ] = False,
    seed: Seed = None,
    device: Device = "cpu",
    allow_code: AllowCode = False,
    allow_download: AllowDownload = False,
    quiet: Quiet = False,
) -> None:
    """Train a recipe; leave model, audit and report in a run folder.

    A --facet is NAME:SIZE and what makes clips agree in it: same=FACTOR (or same=recording, for
    parts of one file), differ=FACTOR, within=TOLERANCE, rule=tempo (within 5 bpm at any octave) or
    rule=key (the same or the parallel key), augment=pitch_shift(-4,4)+gain. A facet without any of
    these is private: it keeps what the others do not encode.
    Every other key of a recipe is set with --set, as --set training.lr=0.001; config.yaml of a run
    has all of them. Under torchrun the same command trains in several processes.
    """
    from disentone.recipes import load_recipe

    folder, changes = out or Path("runs") / Path(recipe).stem, _changes(settings, seed)
    if recipe == "facets" and data is not None and not (facet or base):
        _propose(data, changes)
    changes += [] if epochs is None else [f"training.epochs={epochs}"]
    notes: list[str] = []
    loaded = load_recipe(
        recipe,
        settings=changes,
        data=data,
        facets=facet or (),
        base=base,
        begun=folder / "config.yaml" if resume else None,
        note=notes.append,
    )
    same = {
        "data": data,
        "from": base,
        "facet": facet,
        "set": changes,
        "no_audit": no_audit,
        "device": device,
    }
    same |= {"allow_code": allow_code, "allow_download": allow_download}
    command = again("train", recipe, out=folder, resume=True, **same)
    options = {"resume": resume, "audited": not no_audit, "device": device}
    _train(loaded, folder, command, quiet=quiet, notes=notes, **options)


@app.command(
    epilog="Example: disentone reproduce marl --quick --out runs/table1 · "
    "disentone reproduce sounds --data-root data/ --model runs/sounds"
)
def reproduce(
    paper: Annotated[
        str,
        typer.Argument(metavar="PAPER", help="marl, latent, balance or csn; or sounds, our own."),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", "--data-root", help="The paper's data, where you have it; see docs/."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder; runs/reproduce-PAPER.")
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Few clips and epochs, plain reports: to see that it runs; no baselines.",
        ),
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each recipe in the table.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Cells that are run at once.")] = 1,
    model: Annotated[
        Path | None, typer.Option(help="Of sounds: the model that is measured.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="Of sounds: test, or valid, by which choices are made.")
    ] = "test",
    device: Device = "cpu",
    allow_download: AllowDownload = False,
    quiet: Quiet = False,
) -> None:
    """Run a paper's protocol and ablation; print our tables beside the paper's.

    What was already run in the folder is not run again, so a stopped command goes on. 'sounds'
    trains nothing: it measures a model with the facets pitch, timbre, envelope and space on the
    sets below --data-root, beside its network untrained and log-mel statistics.
    """
    folder = out or Path("runs") / f"reproduce-{paper}"
    if paper == "sounds":
        _refuse_unused({"seeds": seeds > 1, "jobs": jobs > 1}, "of sounds")
        given = {"data": data, "split": split, "quick": quick, "device": device}
        _measure_sounds(model or Path("sounds"), folder, quiet=quiet, **given)
        return
    _refuse_unused({"model": model is not None, "split": split != "test"}, f"of {paper}")
    from disentone.reproduce import reproduce as run

    command = again(
        "reproduce",
        paper,
        out=folder,
        seeds=seeds,
        data=data,
        quick=quick,
        jobs=jobs if jobs > 1 else None,
        device=device,
        allow_download=allow_download,
    )
    with Screen(quiet=quiet) as screen:
        report, text = resumable(
            command,
            lambda: run(
                paper,
                folder,
                data=data,
                quick=quick,
                seeds=seeds,
                jobs=jobs,
                device=device,
                watcher=screen,
            ),
        )
    if not quiet:
        typer.echo(text)
    typer.echo(report)


def _refuse_unused(given: dict[str, bool], what: str) -> None:
    """Refuse options that would change nothing."""
    from disentone.errors import RecipeError

    unused = [f"--{name}" for name, is_given in given.items() if is_given]
    if unused:
        raise RecipeError(f"{', '.join(unused)} does not go with the tables {what}: leave it out.")


def _measure_sounds(model: Path, folder: Path, *, quiet: bool, **given: Any) -> None:
    from disentone.errors import DataError
    from disentone.reproduce.sounds import measure_sounds

    if given["split"] not in ("valid", "test"):
        raise DataError(f"'{given['split']}' is no split to measure on: use valid or test.")
    with Screen(quiet=quiet) as screen:
        report, text = measure_sounds(model, folder, watcher=screen, **given)
    if not quiet:
        typer.echo(text)
    typer.echo(report)


@app.command(epilog="Example: disentone recipes")
def recipes() -> None:
    """List the recipes that come with disentone."""
    from disentone.recipes import about_recipe, recipe_names

    for name in recipe_names():
        typer.echo(f"{name:20s} {about_recipe(name)}")


def _propose(data: Path, changes: list[str]) -> None:
    """Show facets that need no labels, each as a command, and train nothing."""
    from disentone.datasets.config import CollectionConfig
    from disentone.datasets.inspection import proposals_text, propose
    from disentone.errors import RecipeError
    from disentone.recipes import load_recipe

    place = load_recipe("facets", settings=changes, data=data, facets=["rest"]).data
    assert isinstance(place, CollectionConfig)  # that of the recipe is
    typer.echo(proposals_text(place, propose(place)))
    raise RecipeError(
        "Nothing was trained: run one of these commands, or give facets of your own, such as "
        '--facet "timbre:8 same=instrument".'
    )


def _changes(settings: list[str] | None, seed: int | None) -> list[str]:
    """Give the settings of a recipe, the seed among them."""
    return list(settings or []) + ([f"seed={seed}"] if seed is not None else [])


def _train(
    recipe: Recipe,
    folder: Path,
    command: list[str],
    *,
    quiet: bool,
    notes: Sequence[str] = (),
    **options: Any,
) -> None:
    """Train, or end with the command that goes on; options are those of the run."""
    from disentone.recipes.naming import check_factors

    check_factors(recipe)
    from disentone.runs.training import train  # and torch: what is mistyped was refused

    with Screen(quiet=quiet) as screen:
        for text in notes:
            screen.note(text)
        report = resumable(command, lambda: train(recipe, folder, watcher=screen, **options))
    typer.echo(report)
