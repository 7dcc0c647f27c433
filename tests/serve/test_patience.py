"""Clients that stall or break off, over real sockets: dropped, and nothing is left."""

import asyncio
import socket

import pytest
from server_thread import Server

from disentone.serve import patience
from disentone.serve.app import create_app

SEARCH, UPLOADS = "/api/v1/search", "/api/v1/uploads"


@pytest.fixture
def hasty(served, monkeypatch):
    """A server that waits for tenths of a second only."""
    monkeypatch.setattr(patience, "_PAUSE", 0.2)
    monkeypatch.setattr(patience, "_HEAD", 0.2)
    with Server(create_app(served)) as server:
        yield server


def begin(server, *parts):
    sent = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    for part in parts:
        sent.sendall(part)
    return sent


def head(server, route, length):
    lines = (
        f"POST {route} HTTP/1.1",
        f"Host: localhost:{server.port}",
        f"Content-Length: {length}",
    )
    return "\r\n".join([*lines, "", ""]).encode()


def until_the_end(sent):
    with sent, sent.makefile("rb") as file:
        return file.read()


@pytest.mark.parametrize("part", [b"", b"GET / HTTP/1.1\r\nHost: loc"])
def test_a_head_that_does_not_come_is_not_waited_for(hasty, part):
    assert until_the_end(begin(hasty, part)) == b""


@pytest.mark.parametrize("route", [SEARCH, UPLOADS])
def test_a_body_that_stalls_is_dropped(hasty, served, route, caplog):
    answer = until_the_end(begin(hasty, head(hasty, route, 1000), b"{"))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"The request stalled, and was not waited for: send it again." in answer
    assert [record.message for record in caplog.records] == [
        f"{route} was dropped: its body stalled."
    ]
    assert list(served.folder.glob("*.upload")) == []


def test_a_body_that_drips_is_dropped_too():
    """By a clock of its own: bytes come every second, and never 16 kB of them."""
    clock = [0.0]

    async def app(scope, receive, send):
        while True:
            await receive()

    async def drip():
        clock[0] += 1.0
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    async def run():
        await patience.Patience(app)({"type": "http", "path": UPLOADS}, drip, None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patience.time, "monotonic", lambda: clock[0])
        with pytest.raises(patience.HTTPException, match="stalled"):
            asyncio.run(run())
    assert patience._PAUSE <= clock[0] <= patience._PAUSE + 3


def test_a_body_that_keeps_coming_is_waited_for():
    clock, left = [0.0], [100]

    async def app(scope, receive, send):
        while (await receive())["more_body"]:
            pass

    async def steady():
        clock[0] += 1.0
        left[0] -= 1
        await asyncio.sleep(0)
        return {"type": "http.request", "body": bytes(20_000), "more_body": left[0] > 0}

    async def run():
        await patience.Patience(app)({"type": "http", "path": UPLOADS}, steady, None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patience.time, "monotonic", lambda: clock[0])
        asyncio.run(run())
    assert left == [0]


@pytest.fixture
def alone(served):
    """A server of one test: what it logs is that test's."""
    with Server(create_app(served)) as server:
        yield server


def test_stalled_clients_take_no_place_from_a_real_one(alone, wav):
    server = alone
    waiting = [begin(server, head(server, UPLOADS, 10_000), b"x") for _ in range(60)]
    waiting += [begin(server, head(server, SEARCH, 100), b"{") for _ in range(60)]
    waiting += [begin(server, b"POST / HT") for _ in range(60)]
    try:
        request = head(server, UPLOADS, len(wav)).replace(
            b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"
        )
        answer = until_the_end(begin(server, request, wav))
        assert answer.startswith(b"HTTP/1.1 200 ")
        for stalled in waiting:  # all of them are still there
            stalled.setblocking(False)
            with pytest.raises(BlockingIOError):
                stalled.recv(1)
    finally:
        for stalled in waiting:
            stalled.close()


def test_an_upload_that_is_broken_off_is_one_quiet_line(hasty, served, caplog):
    begin(hasty, head(hasty, UPLOADS, 10_000), b"x" * 100).close()
    while not caplog.records:  # the server's thread has its own time
        until_the_end(begin(hasty, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    assert [record.message for record in caplog.records if record.name.startswith("disentone")] == [
        f"{UPLOADS} was broken off by its client."
    ]
    assert not any(record.exc_info for record in caplog.records)
    assert list(served.folder.glob("*.upload")) == []


def test_what_turns_out_to_be_no_http_is_refused_without_a_traceback(alone, caplog):
    chunked = head(alone, SEARCH, 1).replace(b"Content-Length: 1", b"Transfer-Encoding: chunked")
    answer = until_the_end(begin(alone, chunked, b"zz\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 4")
    assert not any(record.exc_info for record in caplog.records)
