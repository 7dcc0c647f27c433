"""Access control: which requests are answered, and what a browser may do with the answer."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LOCAL", "Guard", "refusal"]

LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
COOKIE = "disentone-token"
_UPLOADS = "/api/v1/uploads"
_LONGEST = 2**20  # bytes of a request that is no upload

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; "
    "img-src 'self' data:; media-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


class Guard:
    """Middleware: checks where a request comes from, and sets the security headers.

    Without a token only requests to the served address are answered, by its number or as localhost,
    so that no web site can reach the server under a name of its own (DNS rebinding). An Origin must
    be exactly the address of the page itself.

    Parameters
    ----------
    app : ASGI application
    token : str, optional
        What every request must bring: ``Authorization: Bearer TOKEN``, or the cookie that
        ``/?token=TOKEN`` sets.
    """

    def __init__(self, app: ASGIApp, *, token: str | None = None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or pass a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY.format(nonce=nonce)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-cache")  # validated before every use
            await send(message)

        request = Request(scope)
        answer = self._refuse(scope, request.headers) or self._admit(request) or _too_long(request)
        await (answer or self.app)(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        """Refuse what comes under another name or from another site."""
        host = headers.get("host", "").lower()
        served = _addresses(scope)
        if self.token is None and host not in served:
            return refusal(421, f"This server answers at its own address only: {served[0]}.")
        # Without a token nothing stands in front of the server that could speak https for it.
        scheme = "http" if self.token is None else scope["scheme"]
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"{scheme}://{host}":
            return refusal(403, "Requests from other web sites are refused.")
        return None

    def _admit(self, request: Request) -> Response | None:
        """Let requests with the token through; a token in the address moves to a cookie."""
        if self.token is None:
            return None
        given = request.query_params.get("token", "")
        if request.url.path == "/" and self._matches(given):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, given, httponly=True, samesite="strict")
            return answer
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        known = scheme.lower() == "bearer" and self._matches(bearer.strip())
        if known or self._matches(_cookie(request)):
            return None
        return refusal(401, "This server needs its token: open the address that it printed.")

    def _matches(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (self.token or "").encode())


def _too_long(request: Request) -> Response | None:
    """Refuse long bodies before they are read; uploads have a limit of their own."""
    if request.method in ("GET", "HEAD") or request.url.path == _UPLOADS:
        return None
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        return refusal(411, "The request needs its length, in the header Content-Length.")
    return refusal(413, "This request is too long.") if int(length) > _LONGEST else None


def _addresses(scope: Scope) -> list[str]:
    """Names and port under which the socket of a request is reached on this machine."""
    address, port = scope.get("server") or ("localhost", 80)
    names = [f"[{address}]" if ":" in address else address]
    names += ["localhost"] * (address != "localhost")
    return [*(f"{name}:{port}" for name in names), *(names if port == 80 else ())]


def _cookie(request: Request) -> str:
    try:
        cookies = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


def refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Answer with an error: its status and one sentence."""
    return JSONResponse({"status": status, "error": sentence}, status, headers)
