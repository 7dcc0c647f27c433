"""The verb that opens any folder: open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from disentone.cli.app import app
from disentone.cli.screen import AllowDownload, Device, Jobs, Quiet, Screen
from disentone.cli.serving import Host, Token, need_packages, show

if TYPE_CHECKING:
    from disentone.embeddings.keeping_process import Order
    from disentone.serve.keeper import Keeper
    from disentone.serve.schemas import Library
    from disentone.serve.served import Served

_PORT = 8765


@app.command(
    "open",
    epilog="Example: disentone open ~/Samples · disentone open drums/ loops/ --watch · "
    "disentone open field/ --model runs/facets --index field.index --no-browser",
)
def open_folders(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Folders of audio, or tables.")
    ],
    model: Annotated[str, typer.Option(help="A packaged model, or a run folder.")] = "sounds",
    index: Annotated[
        Path | None, typer.Option(help="Keep the index here; in the user's data directory.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Take over changes of the folders as they come.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
    host: Host = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="8765, or another where that is taken."),
    ] = None,
    token: Token = None,
    jobs: Jobs = None,
    device: Device = "cpu",
    allow_download: AllowDownload = False,
    quiet: Quiet = False,
) -> None:
    """Search any folders on a web page, which works while they are being indexed.

    Nothing is written into the folders: their index is kept in the user's data directory, and
    brought up to date at every start. What is indexed when this is stopped stays; the next start
    goes on. Opened twice, the page of the first is shown.
    """
    from disentone.datasets.clip_parts import check_sounds
    from disentone.embeddings.keeping_process import Order
    from disentone.embeddings.model_files import find_model
    from disentone.search.store import check_free, check_library

    check_library()
    with need_packages():
        from disentone.serve.home import AlreadyOpen, claimed, index_folder
        from disentone.serve.running import run

    check_sounds(folders)
    paths = _outermost(folders)
    folder = find_model(model).absolute()
    place = Path(os.path.abspath(index)) if index else index_folder(paths, folder)
    check_free(place)
    order = Order(str(folder), paths, str(place), jobs, device, watch, allow_download)
    with Screen(quiet=quiet) as screen:
        try:
            with claimed(place) as tell, _kept(order) as keeper:
                run(
                    place,
                    host=host,
                    port=_PORT if port is None else port,
                    any_port=port is None,
                    token=token,
                    name=_name(paths),
                    keeper=keeper,
                    ready=lambda address, served: _ready(
                        address, served, keeper, tell, screen, browser=browser
                    ),
                )
                if not keeper.is_done:
                    screen.note("Stopped. What is indexed is kept; the same command goes on.")
        except AlreadyOpen as other:
            screen.note("These folders are open already:")
            typer.echo(other.address)
            if browser:
                show(other.address)


def _outermost(folders: Sequence[Path]) -> list[str]:
    """Full paths, without folders that are in another one."""
    paths = list(dict.fromkeys(os.path.abspath(folder) for folder in folders))
    above = {path: {*map(str, Path(path).parents)} for path in paths}
    return [path for path in paths if above[path].isdisjoint(paths)]


def _name(paths: Sequence[str]) -> str:
    """Name a collection after its folders."""
    return ", ".join(os.path.basename(path) or path for path in paths)


@contextmanager
def _kept(order: Order) -> Iterator[Keeper]:
    """Begin the index where there is none, and the process that brings it up to date."""
    from disentone.embeddings.keeping import begin_index
    from disentone.serve.keeper import Keeper

    begin_index(order.model, order.paths, order.out)
    keeper = Keeper(order)
    try:
        yield keeper
    finally:
        keeper.stop()


def _ready(
    address: str,
    served: Served,
    keeper: Keeper,
    tell: Callable[[str], None],
    screen: Screen,
    *,
    browser: bool,
) -> None:
    """Tell the address, open it, and show from now on how far the index is."""
    tell(address)
    screen.note(f"Looking through {', '.join(keeper.order.paths)}. Ctrl-C stops.")
    typer.echo(address)
    if browser:
        show(address)
    keeper.follow(served.refresh, _Shown(screen, Path(keeper.order.out)))


class _Shown:
    """Draws how far an index is, and notes the end of a pass."""

    def __init__(self, screen: Screen, place: Path) -> None:
        self._screen, self._place = screen, place
        self._draw: Callable[[int, int], None] | None = None
        self._state = "indexing"

    def __call__(self, now: Library) -> None:
        if now.done and self._draw is None:  # the time before has no share in what is left
            self._draw = self._screen.stage("Indexing")
        if self._draw is not None:
            self._draw(now.done, now.found)
        if now.state != self._state:
            self._state = now.state
            self._note(now)

    def _note(self, now: Library) -> None:
        if now.state == "failed":
            self._screen.note(f"Error: {now.error}")
        elif now.state == "current" and now.failed:
            first = now.failures[0]
            self._screen.note(
                f"{now.done:,} sounds, {now.failed:,} of them cannot be used, such as "
                f"{first.path}: {first.reason} All are listed in {self._place / 'skipped.csv'}."
            )
        elif now.state == "current":
            self._screen.note(f"All {now.done:,} sounds can be searched.")
