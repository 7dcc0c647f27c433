"""The command line: one command a verb, thin."""

from __future__ import annotations

import atexit
import errno
import gc
import shlex
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from disentone import __version__
from disentone.errors import DisentoneError
from disentone.watcher import Watcher

if TYPE_CHECKING:
    from disentone.training import Progress as TrainingProgress

app = typer.Typer(
    name="disentone",
    help="Learn, audit and search the facets of sound.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
console = Console(stderr=True)

Seed = Annotated[int | None, typer.Option(help="Seed of everything random.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result's path only.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Set a recipe's key: training.epochs=10.")
]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")]


class OnError(StrEnum):
    """What a file that cannot be used does."""

    skip = "skip"
    stop = "stop"


class Screen(Watcher):
    """A progress bar for every stage, and notes above it."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
            disable=quiet,
        )
        self._training: TaskID | None = None

    def __enter__(self) -> Screen:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def note(self, text: str) -> None:
        """Print one line above the bars."""
        if not self.quiet:
            self.bar.console.print(text, style="dim", highlight=False, markup=False, soft_wrap=True)

    def stage(self, name: str) -> Callable[[int, int], None]:
        """Begin a bar."""
        task = self.bar.add_task(name, total=None, detail="")
        return lambda done, total: self.bar.update(task, completed=done, total=total)

    def training(self, progress: TrainingProgress) -> None:
        """Show epoch, loss terms and the time left."""
        total = progress.epochs * progress.steps
        if self._training is None:
            self._training = self.bar.add_task("Training", total=total, detail="")
        shown = {k: v for k, v in progress.logs.items() if "_" not in k}
        detail = " ".join(f"{name} {value:.3g}" for name, value in shown.items())
        if not console.is_terminal and progress.step == progress.steps:
            self.note(f"epoch {progress.epoch + 1}/{progress.epochs} {detail}")  # for log files
        self.bar.update(
            self._training,
            completed=progress.epoch * progress.steps + progress.step,
            total=total,
            detail=f"epoch {progress.epoch + 1}/{progress.epochs} {detail}",
        )


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"disentone {__version__}")
        raise typer.Exit


@app.command(epilog="Example: disentone demo")
def demo(
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/demo by default.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with an unfinished demo.")] = False,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Show the main job, offline: make tones, train, audit, and write a report."""
    from disentone.runs import free_folder, is_finished

    folder = out or Path("runs/demo")
    if out is None and (folder / "config.yaml").exists() and not resume:
        if is_finished(folder):
            folder = free_folder(folder)
        else:
            resume = True  # the last one was stopped
    _train("demo", folder, resume=resume, seed=seed, quiet=quiet)


@app.command(
    epilog="Example: disentone train marl-syntone --out runs/marl --set training.epochs=20 · "
    "disentone train facets --data sounds/ --facet 'timbre:8 same=instrument' --facet rest:8"
)
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a YAML file.")],
    data: Annotated[Path | None, typer.Option(help="Folder or table of audio.")] = None,
    facet: Annotated[
        list[str] | None,
        typer.Option(help="A facet: 'timbre:8 same=instrument differ=pitch', 'rest:8'; repeat."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/RECIPE by default.")] = None,
    settings: Settings = None,
    resume: Annotated[bool, typer.Option(help="Go on with an unfinished run.")] = False,
    seed: Seed = None,
    device: Device = "cpu",
    quiet: Quiet = False,
) -> None:
    """Train a recipe; leave model, audit and report in a run folder.

    A --facet is NAME:SIZE and what makes clips agree in it: same=FACTOR (or same=recording, for
    parts of one file), differ=FACTOR, within=TOLERANCE, augment=pitch_shift(-4,4)+gain. A facet
    without any of these is private: it keeps what the others do not tell.
    Under torchrun the same command trains in several processes.
    """
    folder = out or Path("runs") / Path(recipe).stem
    _train(
        recipe,
        folder,
        data=data,
        facets=facet,
        settings=settings,
        resume=resume,
        seed=seed,
        device=device,
        quiet=quiet,
    )


@app.command(epilog="Example: disentone reproduce marl --quick --out runs/table1")
def reproduce(
    paper: Annotated[str, typer.Argument(help="Which paper: marl, latent or balance.")],
    data: Annotated[
        Path | None, typer.Option(help="The paper's data, where you have it; see docs/.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; runs/reproduce-PAPER.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few clips and epochs: how, not how well.")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each recipe in the table.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Cells that are run at once.")] = 1,
    device: Device = "cpu",
    quiet: Quiet = False,
) -> None:
    """Run a paper's protocol and ablation; print our tables beside the paper's.

    What was already run in the folder is not run again, so a stopped command goes on.
    """
    from disentone.reproduce import reproduce as run

    folder = out or Path("runs") / f"reproduce-{paper}"
    again = ["disentone", "reproduce", paper, "--out", str(folder), "--seeds", str(seeds)]
    again += ["--data", str(data)] if data is not None else []
    again += ["--quick"] if quick else []
    again += ["--jobs", str(jobs)] if jobs > 1 else []
    again += ["--device", device] if device != "cpu" else []
    with Screen(quiet=quiet) as screen:
        report, text = _resumable(
            again,
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


@app.command(epilog="Example: disentone inspect sounds/ --pattern '{instrument}_{pitch}.wav'")
def inspect(
    data: Annotated[Path, typer.Argument(help="Folder or table of audio.")],
    pattern: Annotated[
        str | None, typer.Option(help="What file names tell: '{instrument}_{pitch}.wav'.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="A known dataset in the folder: esc50, nsynth ...")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="random, stratified:FACTOR, or a factor to split by.")
    ] = None,
    segment: Annotated[
        float | None, typer.Option(help="Cut files into clips of so many seconds.")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds from a segment to the next; needs --segment.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(help="Write all of it to this JSON file as well.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Files that are decoded at once.")] = 2,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Say what is in a collection: clips, factors, faults, and which relations are possible."""
    from pydantic import ValidationError

    from disentone import inspection
    from disentone.datasets.config import CollectionConfig
    from disentone.errors import DataError
    from disentone.files import write_json

    options = {
        "pattern": pattern,
        "dataset": dataset,
        "split": split,
        "segment": segment,
        "hop": hop,
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


@app.command(epilog="Example: disentone embed runs/facets sounds/ -o sounds.parquet")
def embed(
    model: Annotated[Path, typer.Argument(help="Run folder, or any folder with a model.")],
    paths: Annotated[list[Path], typer.Argument(help="Audio files, folders and tables.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="FILE.parquet, .npz, or .npy with a .csv beside it.")
    ],
    segment: Annotated[
        float | None, typer.Option(help="A row for every so many seconds, not for every file.")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds from a segment to the next; needs --segment.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Keep features here: the next pass is many times faster.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Files that are decoded at once; all cores.")
    ] = None,
    on_error: Annotated[
        OnError, typer.Option(help="What a file that cannot be used does.")
    ] = OnError.skip,
    resume: Annotated[bool, typer.Option(help="Go on with what was stopped.")] = False,
    device: Device = "cpu",
    quiet: Quiet = False,
) -> None:
    """Embed a collection: a row for each file or segment, a column for each facet.

    What was left out is listed in OUT-skipped.csv, with the reason.
    """
    from disentone.extraction import embed_collection

    words = [str(model), *map(str, paths)]
    options = {"--out": out, "--segment": segment, "--hop": hop, "--cache": cache, "--jobs": jobs}
    words += [w for k, v in options.items() if v is not None for w in (k, str(v))]
    words += ["--on-error", on_error.value] if on_error is not OnError.skip else []
    words += ["--device", device] if device != "cpu" else []
    with Screen(quiet=quiet) as screen:
        made = _resumable(
            ["disentone", "embed", *words, "--resume"],
            lambda: embed_collection(
                model,
                paths,
                out,
                segment=segment,
                hop=hop,
                cache=cache,
                jobs=jobs,
                device=device,
                resume=resume,
                on_error=on_error.value,
                watcher=screen,
            ),
        )
    typer.echo(made)


@app.command(epilog="Example: disentone info runs/demo")
def info(
    run: Annotated[Path, typer.Argument(help="Run folder, or any folder with a model.")],
) -> None:
    """Say what a model is: facets, front-end, parameters, and what its audit found."""
    from disentone.artifact import load
    from disentone.audit import Card
    from disentone.frontends.latent import DACConfig, HFEncoderConfig
    from disentone.frontends.musical import MusicalConfig

    model = load(run)
    size = sum(parameter.numel() for parameter in model.network.parameters())
    frontend = model.frontend.config
    named = frontend.kind
    if isinstance(frontend, MusicalConfig):
        named += f" ({', '.join(frontend.inputs.chosen())})"
    if isinstance(frontend, DACConfig | HFEncoderConfig):
        named += f" {frontend.model} (weights {frontend.digest})"
    typer.echo(f"recipe     {model.about.get('recipe', 'unknown')}")
    typer.echo(f"facets     {', '.join(f'{name} ({n})' for name, n in model.facets.items())}")
    typer.echo(
        f"front-end  {named}, {frontend.sample_rate} Hz, {frontend.seconds:g} s, "
        f"{model.frontend.frames} frames x {model.frontend.features} features"
    )
    typer.echo(f"network    {size:,} parameters")
    if (run / "audit.json").exists():
        typer.echo(f"audit      {Card.load(run / 'audit.json').verdict()}")


@app.command(epilog="Example: disentone recipes")
def recipes() -> None:
    """List the recipes that come with disentone."""
    from disentone.recipes import about_recipe, recipe_names

    for name in recipe_names():
        typer.echo(f"{name:20s} {about_recipe(name)}")


def _train(
    recipe: str,
    folder: Path,
    *,
    data: Path | None = None,
    facets: list[str] | None = None,
    settings: list[str] | None = None,
    resume: bool = False,
    seed: int | None = None,
    device: str = "cpu",
    quiet: bool = False,
) -> None:
    from disentone.recipes import load_recipe
    from disentone.runs import train as run

    changes = list(settings or []) + ([f"seed={seed}"] if seed is not None else [])
    loaded = load_recipe(recipe, settings=changes, data=data, facets=facets or ())
    again = ["disentone", "train", recipe, "--out", str(folder), "--resume"]
    again += ["--data", str(data)] if data else []
    again += [word for facet in facets or () for word in ("--facet", facet)]
    again += [word for change in changes for word in ("--set", change)]
    again += ["--device", device] if device != "cpu" else []
    with Screen(quiet=quiet) as screen:
        report = _resumable(
            again, lambda: run(loaded, folder, resume=resume, device=device, watcher=screen)
        )
    typer.echo(report)


def _resumable(again: Sequence[str], work: Callable[[], Any]) -> Any:
    try:
        return work()
    except KeyboardInterrupt:
        console.print(
            f"Stopped. Go on with: {shlex.join(again)}",
            style="bold",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        raise typer.Exit(130) from None


def main() -> None:
    """Run the command line; mistakes of the user become one sentence and exit code 2."""
    gc.set_threshold(50_000)  # what torch's import makes stays: to look through it takes 0.2 s
    atexit.register(gc.freeze)  # and 0.3 s more when Python ends
    try:
        app()
    except DisentoneError as error:
        _complain(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        where = f" ({error.filename})" if error.filename else ""
        _complain(f"{error.strerror}{where}: free space, or choose another folder.")


def _complain(message: str) -> None:
    console.print(f"Error: {message}", style="red", highlight=False, markup=False, soft_wrap=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
