"""HTTP/1.1 by hand, over asyncio's streams: a client that costs little beside the server."""

import asyncio
import json


def request(method, target, body=None, **headers):
    """Bytes of a request; a body that is no bytes is sent as JSON."""
    given = {"Host": "localhost:{port}"} | headers
    if body is not None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given |= {"Content-Length": str(len(content))}
        if not isinstance(body, bytes):
            given |= {"Content-Type": "application/json"}
    else:
        content = b""
    lines = [f"{method} {target} HTTP/1.1", *(f"{key}: {value}" for key, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + content


class Client:
    """One connection at a time, opened again where the server has closed it."""

    def __init__(self, port, *, timeout=60):
        self.port, self.timeout = port, timeout
        self.host = f"localhost:{port}".encode()
        self.reader = self.writer = None

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.close()

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None

    async def ask(self, content):
        """Send a request and read its answer: status, headers, body."""
        async with asyncio.timeout(self.timeout):
            if self.writer is None or self.reader.at_eof():
                self.close()
                self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
            self.writer.write(content.replace(b"localhost:{port}", self.host, 1))
            return await self.answer()

    async def answer(self):
        """Read one answer: status, headers, body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {key.lower(): value for key, _, value in (x.partition(": ") for x in lines)}
        if "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        else:
            body = await self.reader.read()
        if headers.get("connection") == "close":
            self.close()
        return int(first.split()[1]), headers, body
