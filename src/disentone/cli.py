"""The command line: one command a verb, thin."""

from __future__ import annotations

import sys
from collections.abc import Callable
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


class Screen:
    """A progress bar for every stage, and notes above it; implements ``runs.Watcher``."""

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
            self.bar.console.print(text, style="dim", highlight=False, markup=False)

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


@app.command(
    epilog="Example: disentone train marl-syntone --out runs/marl --set training.epochs=20"
)
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a YAML file.")],
    data: Annotated[Path | None, typer.Option(help="Folder or table of audio.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/RECIPE by default.")] = None,
    settings: Settings = None,
    resume: Annotated[bool, typer.Option(help="Go on with an unfinished run.")] = False,
    seed: Seed = None,
    device: Device = "cpu",
    quiet: Quiet = False,
) -> None:
    """Train a recipe; leave model, audit and report in a run folder."""
    from disentone.recipes import load_recipe
    from disentone.runs import train as run

    changes = list(settings or []) + ([f"seed={seed}"] if seed is not None else [])
    loaded = load_recipe(recipe, settings=changes, data=data)
    folder = out or Path("runs") / loaded.name
    with Screen(quiet=quiet) as screen:
        report = _resumable(
            folder,
            recipe,
            lambda: run(
                loaded,
                folder,
                resume=resume,
                device=device,
                watcher=screen,  # type: ignore[arg-type]
            ),
        )
    typer.echo(report)


def _resumable(folder: Path, recipe: str, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except KeyboardInterrupt:
        console.print(
            f"Stopped. Go on with: disentone train {recipe} --out {folder} --resume", style="bold"
        )
        raise typer.Exit(130) from None


def main() -> None:
    """Run the command line; mistakes of the user become one sentence and exit code 2."""
    try:
        app()
    except DisentoneError as error:
        console.print(f"Error: {error}", style="red", highlight=False, markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
