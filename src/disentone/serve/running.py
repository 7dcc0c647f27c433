"""Run the server until it is stopped."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

import uvicorn

from disentone.embeddings.model_files import describe
from disentone.embeddings.querying import model_folder
from disentone.errors import ArtifactError, RecipeError
from disentone.search import Index
from disentone.serve.app import create_app
from disentone.serve.guard import LOCAL
from disentone.serve.keeper import Keeper
from disentone.serve.patience import HeadInTime
from disentone.serve.served import Limits, Served

__all__ = ["run"]

SHORTEST_TOKEN = 12  # characters
_TURN = 0.001  # seconds that a thread may keep the others waiting; Python's own 5 ms add up
_WAITING = 2048  # connections that the system keeps until they are accepted

_log = logging.getLogger(__name__)


def run(
    index: str | Path,
    *,
    model: str | Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8765,
    token: str | None = None,
    limits: Limits | None = None,
    ready: Callable[[str, Served], object] = lambda address, served: None,
    keeper: Keeper | None = None,
    name: str | None = None,
    any_port: bool = False,
) -> None:
    """Serve an index until Ctrl-C.

    Parameters
    ----------
    index : path or URI
    model : path, optional
        Run folder of the index's model; by default the copy in the index. Without either, sounds
        cannot be uploaded.
    host : str
        Address to listen at. Where it is not this machine's own, every request needs the token.
    port : int
        0 is any that is free.
    token : str, optional
        Made up where one is needed and none is given.
    limits : Limits, optional
    ready : callable, optional
        Called with the address to open, with the token, and what is served, before any request.
    keeper : Keeper, optional
        What brings the index up to date meanwhile; whoever started it listens to it.
    name : str, optional
        Of the collection; that of the index by default.
    any_port : bool
        Take another port where that one is taken.

    Raises
    ------
    ArtifactError
        If there is no such index, or the model given is not the index's.
    RecipeError
        If the address cannot be listened at, or the token is too short.
    """
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise RecipeError(f"The token is easy to guess: use {SHORTEST_TOKEN} characters or more.")
    if token is None and host not in LOCAL:
        token = secrets.token_urlsafe(16)
    opened = Index.open(index)
    with (
        tempfile.TemporaryDirectory(prefix="disentone-") as folder,
        _listen(host, port, any_port=any_port) as bound,
    ):
        served = Served(
            opened,
            folder=Path(folder),
            name=name or Path(str(index)).stem or "index",
            model=_model(opened, model),
            limits=limits,
            keeper=keeper,
            local=host in LOCAL,
        )
        snapshot = opened.snapshot()  # vectors are read now, and not while the first client waits
        Thread(target=snapshot.prepare, daemon=True).start()
        ready(_address(host, bound.getsockname()[1], token), served)
        config = uvicorn.Config(
            create_app(served, token=token),
            http=HeadInTime,
            log_level="warning",
            access_log=False,
            lifespan="off",
        )
        sys.setswitchinterval(_TURN)
        with suppress(KeyboardInterrupt):
            asyncio.run(uvicorn.Server(config).serve(sockets=[bound]))


def _model(index: Index, model: str | Path | None) -> Path | None:
    try:
        folder = model_folder(index, model)
        describe(folder)  # a damaged one is refused now, and not at the first upload
        return folder
    except ArtifactError as error:
        if model is not None:
            raise
        _log.warning("Sounds cannot be uploaded: %s", error)
        return None


def _listen(host: str, port: int, *, any_port: bool = False) -> socket.socket:
    """Bind the address before anything slow is done."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By its protocol asyncio knows that answers must not wait for each other (TCP_NODELAY: 40 ms).
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":  # on Windows it lets two servers take one port
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(_WAITING)  # from here on, clients wait instead of being refused
    except (OSError, OverflowError) as error:
        bound.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            if any_port:
                return _listen(host, 0)
            raise RecipeError(f"Port {port} is taken: choose another.") from error
        raise RecipeError(f"Cannot listen at {host}, port {port}: {error}.") from error
    return bound


def _address(host: str, port: int, token: str | None) -> str:
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
