"""Clients that stall: a body, or the head of a request, that does not come is not waited for."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import h11
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["HeadInTime", "Patience"]

_PAUSE = 5.0  # seconds without a byte
_SLOWEST = 16_384  # bytes a second of a body in the mean, once the first seconds are over
_HEAD = 10.0  # seconds from a connection, or the last answer, to the end of a request's head

_log = logging.getLogger(__name__)


class Patience:
    """Middleware: drops a request whose body pauses for 5 s, or drips more slowly than 16 kB/s.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and the parts of its body while they come."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, received, arriving = time.monotonic(), 0, True

        async def receive_in_time() -> Message:
            nonlocal received, arriving
            if not arriving:  # to wait for the client's end may take as long as it likes
                return await receive()
            left = began + _PAUSE + received / _SLOWEST - time.monotonic()
            try:
                async with asyncio.timeout(min(_PAUSE, left)):
                    message = await receive()
            except TimeoutError:
                _log.warning("%s was dropped: its body stalled.", scope["path"])
                raise HTTPException(
                    408,
                    "The request stalled, and was not waited for: send it again.",
                    {"Connection": "close"},
                ) from None
            received += len(message.get("body", b""))
            arriving = message["type"] == "http.request" and message.get("more_body", False)
            return message

        await self.app(scope, receive_in_time, send)


class HeadInTime(H11Protocol):
    """HTTP of uvicorn that closes a connection on which no head of a request comes for 10 s."""

    _alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Go on, and stop waiting when a request has begun."""
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; an answer that is being made for its head goes nowhere."""
        if self.cycle is not None:
            self.cycle.disconnected = True
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # an answer has begun, or gone
            self.transport.close()

    def _wait(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._alarm is None:
            self._alarm = self.loop.call_later(_HEAD, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
