"""The application: API, page, errors in one sentence."""

from __future__ import annotations

import logging
from importlib.resources import files

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from disentone import __version__
from disentone.errors import DisentoneError
from disentone.serve.api import router
from disentone.serve.guard import Guard, refusal
from disentone.serve.patience import Patience
from disentone.serve.problems import Busy, Missing, TooLarge
from disentone.serve.served import Served

__all__ = ["create_app"]

_STATIC = files("disentone.serve") / "static"
_log = logging.getLogger(__name__)


def create_app(served: Served, *, token: str | None = None) -> FastAPI:
    """Make the ASGI application that serves an index.

    Parameters
    ----------
    served : Served
    token : str, optional
        What every request must bring (see :class:`disentone.serve.guard.Guard`); without one, only
        requests to this machine's own names are answered.
    """
    app = FastAPI(
        title="disentone",
        version=__version__,
        summary="Search a collection of sounds by facets.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
    )
    app.include_router(router(served))
    app.mount("/static", StaticFiles(directory=str(_STATIC)), name="static")
    page = (_STATIC / "index.html").read_text(encoding="utf-8")

    @app.get("/", include_in_schema=False)
    def index(request: Request) -> HTMLResponse:
        return HTMLResponse(
            page.replace("%NONCE%", request.state.nonce), headers={"Cache-Control": "no-store"}
        )

    _answer_errors(app)
    app.add_middleware(Patience)
    app.add_middleware(Guard, token=token)
    return app


def _answer_errors(app: FastAPI) -> None:
    """Answer every error as JSON with one clear sentence."""

    @app.exception_handler(HTTPException)
    def wrong_address(request: Request, error: HTTPException) -> JSONResponse:
        messages = {
            404: "There is nothing at this address.",
            405: "This address takes other methods.",
        }
        sentence = messages.get(error.status_code, str(error.detail))
        return refusal(error.status_code, sentence, error.headers)

    @app.exception_handler(RequestValidationError)
    def wrong_parameter(request: Request, error: RequestValidationError) -> JSONResponse:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"][1:])
        message = problem["msg"].removeprefix("Value error, ").rstrip(".")
        return refusal(422, f"{place}: {message}." if place else f"{message}.")

    @app.exception_handler(DisentoneError)
    def wrong_input(request: Request, error: DisentoneError) -> JSONResponse:
        status, sentence = {Missing: 404, TooLarge: 413}.get(type(error), 400), str(error)
        return refusal(status, sentence if sentence.endswith((".", "?")) else f"{sentence}.")

    @app.exception_handler(Busy)
    def busy(request: Request, error: Busy) -> JSONResponse:
        return refusal(503, str(error), {"Retry-After": str(error.seconds)})

    @app.exception_handler(ClientDisconnect)
    def gone(request: Request, error: ClientDisconnect) -> JSONResponse:
        _log.warning("%s was broken off by its client.", request.url.path)
        return refusal(400, "The request was broken off.")  # which nobody reads

    @app.exception_handler(OSError)
    def no_room(request: Request, error: OSError) -> JSONResponse:
        _log.error("%s %s failed: %s", request.method, request.url.path, error)
        return refusal(507, f"The server cannot store this: {error.strerror or 'no room'}.")

    @app.exception_handler(Exception)
    def broken(request: Request, error: Exception) -> JSONResponse:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return refusal(500, "The server failed at this; the reason is in its log.")
