"""What every verb shares: the options that all have, progress on the screen, and Ctrl-C."""

from __future__ import annotations

import shlex
import time
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

from disentone.embeddings.watcher import Watcher
from disentone.permissions import allow

if TYPE_CHECKING:
    from disentone.embeddings.watcher import Progress as TrainingProgress

__all__ = [
    "AllowCode",
    "AllowDownload",
    "Cache",
    "Device",
    "Hop",
    "Jobs",
    "Quiet",
    "Screen",
    "Seed",
    "Settings",
    "ShardOption",
    "Short",
    "ShortClip",
    "again",
    "console",
    "resumable",
]

console = Console(stderr=True)
EVERY = 5  # seconds from a line of a log to the next


class ShortClip(StrEnum):
    """What is done with a clip that is shorter than the model's window."""

    pad = "pad"
    skip = "skip"


def _grants(what: str) -> Callable[[typer.Context, bool], bool]:
    """Allow it until the command ends, where the option is given."""

    def grant(context: typer.Context, value: bool) -> bool:
        if value:
            context.with_resource(allow(**{what: True}))
        return value

    return grant


AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        callback=_grants("code"),
        help="Run the code that a recipe names in terms such as 'module:Class'.",
    ),
]
AllowDownload = Annotated[
    bool,
    typer.Option(
        "--allow-download",
        callback=_grants("download"),
        help="Fetch a front-end's network from the Hugging Face Hub.",
    ),
]
Seed = Annotated[int | None, typer.Option(help="Seed of everything random.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result's path only.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set any key of the recipe: training.lr=0.001; repeat."),
]
Hop = Annotated[
    float | None, typer.Option(help="Seconds from a segment to the next; needs --segment.")
]
Cache = Annotated[
    Path | None, typer.Option(help="Keep features here: the next pass is many times faster.")
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Files that are decoded at once; all cores.")]


Short = Annotated[
    ShortClip,
    typer.Option(help="A clip shorter than the model's window: silence added, or left out."),
]
ShardOption = Annotated[
    str | None,
    typer.Option("--shard", metavar="N/M", help="Do this part of M only, into the folder OUT."),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")]


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
            disable=quiet or not console.is_terminal,  # a log gets lines
        )
        self._training: TaskID | None = None

    def __enter__(self) -> Screen:
        self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.bar.live.transient = kind is not None  # of what failed no bar is left standing
        self.bar.stop()

    def note(self, text: str) -> None:
        """Print one line above the bars."""
        if not self.quiet:
            self.bar.console.print(text, style="dim", highlight=False, markup=False, soft_wrap=True)

    def stage(self, name: str) -> Callable[[int, int], None]:
        """Begin a bar; in a log, lines."""
        if not console.is_terminal:
            return self._lines(name)
        task = self.bar.add_task(name, total=None, detail="")
        return lambda done, total: self.bar.update(task, completed=done, total=total)

    def _lines(self, name: str) -> Callable[[int, int], None]:
        """Log that a stage begins and, every few seconds, its progress."""
        begun = last = time.monotonic()
        self.note(name)

        def show(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if 0 < done < total and now - last >= EVERY:
                last = now
                left = (now - begun) / done * (total - done)
                self.note(f"{name} ({done} of {total}), about {_duration(left)} left")

        return show

    def training(self, progress: TrainingProgress) -> None:
        """Show epoch, loss terms and the time left."""
        total = progress.epochs * progress.steps
        if self._training is None:
            self._training = self.bar.add_task("Training", total=total, detail="")
            if not console.is_terminal:
                self.note(f"Training: {progress.epochs} epochs of {progress.steps} steps")
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


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def again(verb: str, *words: object, **options: object) -> list[str]:
    """Give the command that does the same once more, without options at their defaults."""
    command = ["disentone", verb, *map(str, words)]
    for name, value in options.items():
        if (name, value) in (("device", "cpu"), ("short", "pad")):
            continue
        flag = "--" + name.replace("_", "-")
        if value is True:
            command.append(flag)
        elif value is not None and value is not False:
            values = value if isinstance(value, list) else [value]
            command += [word for one in values for word in (flag, str(one))]
    return command


def resumable(again: Sequence[str], work: Callable[[], Any]) -> Any:
    """Do it; Ctrl-C ends with the command that goes on with what is kept."""
    try:
        return work()
    except KeyboardInterrupt:
        console.print(
            f"Stopped. What is done is kept; go on with: {shlex.join(again)}",
            style="bold",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        raise typer.Exit(130) from None
