"""Five hundred requests that no honest client sends, each with the statuses that refuse it."""

import json
import random

from sockets import request

SEARCH, ITEM = "/api/v1/search", "sound0000003"
REFUSED = (400, 403, 404, 405, 408, 411, 413, 414, 421, 422, 431)
BARE = "localhost:{port}"

OUTSIDE = [
    "../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "/etc/passwd", "C:\\Windows\\win.ini",
    "....//....//etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%5c..%5cetc", "%00", "a%00.wav",
    "file:///etc/passwd", "\\\\host\\share", "..%c0%af..%c0%afetc", "~root/.ssh/id_rsa", ".",
    "..", "%ff%fe", "x" * 900, "http://evil.example/a.wav", "-rf", "$(id)", "`id`", "|id", ";id",
]  # fmt: skip
INJECTIONS = [
    "1=1; DROP TABLE items", "genre = 'a' UNION SELECT * FROM items", "genre = 'a'--",
    "genre = 'a' /* */", "sleep(10)", "genre = (SELECT 1)", "vector IS NOT NULL", "_rowid = 1",
    "stamp = 'x'", "read_parquet('/etc/passwd')", "tempo > 1 LIMIT 1", "genre = $1", "genre = ?",
    "genre = 'a' OR EXISTS (SELECT 1)", "CAST(tempo AS TEXT) = '1'", "tempo > 'a", "\x00", "'",
    "((((((((((((((((((((((1=1))))))))))))))))))))))", "NOT " * 200 + "true", "tempo > 1e",
    "tempo / 0 = 1 OR nothing = 2", "regexp_match(genre, '(a+)+$')", "genre LIKE", "=", "tempo >",
    "tempo BETWEEN 1", "genre IN ()", "genre.x = 1", "genre::int = 1", "@@version = 1", "genre",
    "tempo + 1", "tempo = genre", "a" * 3000, "tempo in (" + "1," * 900 + "1", "🎻 = 1",
]  # fmt: skip
NAMES = [
    "evil.example", "localhost.evil.example:{port}", "localhost.:{port}", "user@localhost:{port}",
    "localhost:1", "localhost", "127.0.0.1.nip.io:{port}", "127.1:{port}", "2130706433:{port}",
    "0.0.0.0:{port}", "[::1]:{port}", "[::ffff:127.0.0.1]:{port}", "localhost:{port}.evil.example",
    "localhost:{port}@evil.example", "evil.example@localhost:{port}", "LOCALHOST.:{port}",
    "localhost:0{port}", "localhost:{port}/", "localhost:{port},evil.example", "null", "",
]  # fmt: skip
ORIGINS = [
    "http://evil.example", "https://localhost:{port}", "http://user@localhost:{port}", "null",
    "http://localhost:{port}.evil.example", "http://localhost:1", "http://localhost", "localhost",
    "http://localhost.:{port}", "http://localhost:{port}/", "http://user:word@localhost:{port}",
    "file://", "chrome-extension://abc", "ws://localhost:{port}", "http://127.0.0.1:{port}",
    "//localhost:{port}", "http:localhost:{port}", "http://[::1]:{port}", "HTTP//localhost:{port}",
    "http://localhost:{port}#", "http://localhost:{port}?", "http://localhost:{port} evil", "x",
]  # fmt: skip
BODIES = [
    b"", b"{", b"[]", b"null", b"1", b'"x"', b"{}", b"\xff\xfe", b"\x00" * 10, b"[" * 100_000,
    b'{"a":' * 50_000, b"query=x", b"<xml/>", b'{"query":' + b"9" * 5000 + b"}", b"NaN", b"-",
]  # fmt: skip
VALUES = [
    float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 10**400, "1", None, [], {}, True,
    "NaN", -101, 101, "\x00", "x" * 5000,
]  # fmt: skip
SOUNDS = [
    b"", b"\x00" * 1000, b"RIFF", b"RIFF\xff\xff\xff\xffWAVEfmt ", b"ID3" + b"\xff" * 5000,
    b"OggS" * 500, b"fLaC" + b"\x00" * 5000, b"#EXTM3U\n/etc/passwd\n", b"<svg/>", b"PK\x03\x04",
    b"ffconcat version 1.0\nfile /etc/passwd\n", b"#!/bin/sh\nid\n", b"\x7fELF" + b"\x00" * 100,
    b"{" * 10_000, b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, b"GIF89a" + b"\x01" * 100,
]  # fmt: skip


def hostile_requests(seed=0, fuzzed=150):
    """Kind, bytes and the statuses that are right, of every request."""
    yield from paths()
    yield from searches()
    yield from foreign()
    yield from heads()
    yield from sounds()
    yield from damaged(random.Random(seed), fuzzed)


def paths():
    for place in OUTSIDE:
        for route in ("audio?id=", "peaks?id=", "item?id=", "uploads/audio?upload=", "map?facet="):
            target = "/api/v1/" + route + place.replace(" ", "%20").replace("\\", "%5C")
            yield "a path for an id", request("GET", target), REFUSED
        target = "/static/" + place.replace("\\", "%5C")
        yield "a path below static", request("GET", target), REFUSED


def searches():
    for where in INJECTIONS:
        yield "an injection", request("POST", SEARCH, wanted(where=where)), REFUSED
    for value in VALUES:
        weight = {"weights": {"facet0": value}}
        given = (weight, {"diversity": value}, {"k": value}, {"start": value})
        for changed in given:
            right = (200, *REFUSED) if harmless(changed) else REFUSED
            yield "a wrong value", request("POST", SEARCH, wanted(**changed)), right
    for content in BODIES:
        yield "a body that is no search", request("POST", SEARCH, content), REFUSED
    for facet in ("", "nothing", "facet0 ", "../facet0", "__class__", "x" * 5000):
        content = wanted(weights={facet: 1})
        yield "a facet that is none", request("POST", SEARCH, content), REFUSED
    many = [{"item": ITEM}] * 65
    yield "too many examples", request("POST", SEARCH, {"query": {"examples": many}}), REFUSED
    both = [{"item": ITEM, "upload": "x"}]
    yield "two things at once", request("POST", SEARCH, {"query": {"examples": both}}), REFUSED


def wanted(**also):
    return {"query": {"examples": [{"item": ITEM}]}} | also


def harmless(changed):
    """Whether a value is one that the API takes: true and "1" are read as numbers."""
    ((key, value),) = changed.items()
    if key == "weights":
        value = value["facet0"]
    return (key != "start" and (value is None or value in (True, "1"))) or changed == {"k": 101}


def foreign():
    for host in NAMES:
        yield "a foreign host", request("GET", "/api/v1/collection", Host=host), (400, 421)
    for origin in ORIGINS:
        for method, target, body in (("GET", "/api/v1/health", None), ("POST", SEARCH, wanted())):
            yield "a foreign origin", request(method, target, body, Origin=origin), (403,)
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"):
        yield "another method", request(method, "/api/v1/health", b""), REFUSED


def heads():
    def line(text, *headers):
        return "\r\n".join([text, f"Host: {BARE}", *headers, "", ""]).encode("latin-1")

    get, post = "GET /api/v1/health HTTP/1.1", f"POST {SEARCH} HTTP/1.1"
    yield "a long head", line(get, "X: " + "x" * 200_000), REFUSED
    yield "a long address", line(f"GET /{'x' * 100_000} HTTP/1.1"), REFUSED
    yield "no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01" + b"\x00" * 100, REFUSED
    yield "no HTTP", b"HELO evil.example\r\n\r\n", REFUSED
    yield "a version that is none", line("GET / HTTP/x.y"), REFUSED
    yield "two hosts", line(get, "Host: evil.example"), REFUSED
    yield "no host", b"GET / HTTP/1.1\r\n\r\n", REFUSED
    yield "a space before a colon", line(get, "Host : x"), REFUSED
    yield "two lengths", line(post, "Content-Length: 1", "Content-Length: 2"), REFUSED
    yield "a negative length", line(post, "Content-Length: -1"), REFUSED
    yield "a huge length", line(post, "Content-Length: 99999999999999999999"), REFUSED
    yield "no length", line(post, "Transfer-Encoding: chunked") + b"0\r\n\r\n", REFUSED
    both = line(post, "Content-Length: 3", "Transfer-Encoding: chunked") + b"0\r\n\r\n"
    yield "a length and chunks", both, REFUSED
    yield "a broken chunk", line(post, "Transfer-Encoding: chunked") + b"zz\r\n\r\n", REFUSED


def sounds():
    for content in SOUNDS:
        target = "/api/v1/uploads?name=..%2F..%2Fa%0D%0AX-Evil:%201.wav"
        yield "a sound that is none", request("POST", target, content), REFUSED
    for key in ("", "x", "../a", "%00", "x" * 2000):
        content = {"query": {"examples": [{"upload": key}]}}
        yield "an upload that is none", request("POST", SEARCH, content), REFUSED


def damaged(rng, count):
    """A good search of which some bytes of the body were changed: never an error of the server."""
    good = json.dumps(wanted(weights={"facet0": 1.0}, where="tempo > 100", k=5)).encode()
    for _ in range(count):
        content = bytearray(good)
        for _ in range(rng.randint(1, 8)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        yield "a damaged search", request("POST", SEARCH, bytes(content)), (200, *REFUSED)
