"""The verb that serves: serve."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from disentone.cli.app import app
from disentone.cli.screen import AllowDownload, Quiet, console

if TYPE_CHECKING:
    from disentone.serve.served import Served


Host = Annotated[
    str, typer.Option(help="Address to listen at; others than this machine need a token.")
]
Token = Annotated[
    str | None,
    typer.Option(envvar="DISENTONE_TOKEN", help="Token that every request must bring."),
]


@app.command(epilog="Example: disentone serve my.index --open")
def serve(
    index: Annotated[
        str, typer.Argument(metavar="INDEX", help="Index folder, or the address of one.")
    ],
    model: Annotated[
        str | None, typer.Option(help="Run folder of the index's model; the index's own copy.")
    ] = None,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 is any that is free.")] = 8765,
    token: Token = None,
    max_mb: Annotated[float, typer.Option(min=0.01, help="Largest upload, in MB.")] = 100,
    max_seconds: Annotated[float, typer.Option(min=0.1, help="Longest upload.")] = 600,
    browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    allow_download: AllowDownload = False,
    quiet: Quiet = False,
) -> None:
    """Search an index on a web page: listen, compare, weigh facets, look at maps.

    The page and its API answer on this machine only, unless --host is given; then every
    request needs the token, which is made up and printed where none is given.
    """
    from disentone.search.store import check_there

    check_there(index)
    if not quiet:
        console.print(f"Opening {index} ...", style="dim", highlight=False, markup=False)
    with need_packages():
        from disentone.serve.running import run
        from disentone.serve.served import Limits

    def ready(address: str, served: Served) -> None:
        if not quiet:
            note = "" if served.model else "; no model, so sounds cannot be uploaded"
            console.print(
                f"{len(served.index):,} sounds{note}. Ctrl-C stops.",
                style="dim",
                highlight=False,
            )
        typer.echo(address)
        if browser:
            show(address)

    limits = Limits(upload_bytes=int(max_mb * 2**20), upload_seconds=max_seconds)
    run(index, model=model, host=host, port=port, token=token, limits=limits, ready=ready)


@contextmanager
def need_packages() -> Iterator[None]:
    """Say what has to be installed, where an import of the web page fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        from disentone.errors import RecipeError

        missing = error.name or "a package"
        raise RecipeError(
            f"The web page needs {missing}: pip install 'disentone[search,web]'."
        ) from error


def show(address: str) -> None:
    """Open a page in the user's browser."""
    import webbrowser

    webbrowser.open(address)
