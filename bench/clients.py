"""Many clients of the server at once: searches, stalled uploads beside real ones, hostile requests.

A server of the command line is started with made-up items and a small model, and asked over real
sockets by clients that each wait for their answer before they ask again:

    python bench/clients.py                                  # 200 clients, 30 s
    python bench/clients.py --seconds 5 --clients 50 --stalled 30

1. Searches: new queries, the same query with other weights, filters, and what a page asks for
   beside them. Clients that are told to come back later do so.
2. Real clients and uploads alone, then beside so many that stall: in the headers, in a body, or
   sending a byte now and then.
3. Hostile requests (``hostile.py``): each must be refused in a sentence, and nothing be left.

Clients share the machine with the server. Figures go to ``results/clients.json``.
"""

import argparse
import asyncio
import collections
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile
import torch

from disentone.embeddings import model_id
from disentone.embeddings.model import Model
from disentone.facets import Facets
from disentone.frontends.config import LogMelConfig
from disentone.frontends.logmel import LogMel
from disentone.models import ModelConfig, MultiView
from disentone.search import Index
from hostile import hostile_requests
from sockets import Client, request
from timing import publish, record

FACETS = Facets({f"facet{i}": 32 for i in range(8)})
RATE, GENRES = 16000, 10
SEARCHING, SENDING = 20, 4  # real clients beside those that stall
SEARCH, UPLOADS = "/api/v1/search", "/api/v1/uploads"


def make_index(folder, items):
    """An index of items around 200 centres with a small model of its own in it."""
    rng = np.random.default_rng(0)
    sound = folder / "tone.wav"
    soundfile.write(sound, 0.3 * np.sin(np.arange(2 * RATE) / 8), RATE)
    groups = rng.integers(0, 200, items)
    vectors = rng.standard_normal((200, FACETS.dim), np.float32)[groups]
    vectors += 0.7 * rng.standard_normal((items, FACETS.dim), np.float32)
    table = {"id": [name(i) for i in range(items)], "path": [str(sound)] * items}
    table |= {"genre": [f"genre {g % GENRES}" for g in groups]}
    table |= {"tempo": rng.uniform(60, 180, items)}
    model = folder / "model"
    small_model().save(model)
    Index.build(
        folder / "made.index",
        vectors=vectors,
        facets=FACETS,
        items=pa.table(table),
        model=model_id(model),
    )
    return folder / "made.index", model, sound


def small_model():
    network = ModelConfig(
        encoder={"kind": "patch", "patch": 8, "width": 64, "depth": 2},
        decoder={"kind": "dense", "widths": [64]},
    )
    frontend = LogMel(LogMelConfig())
    torch.manual_seed(0)
    net = MultiView(network, FACETS, frames=frontend.frames, features=frontend.features)
    return Model(net, frontend, torch.tensor(-30.0), torch.tensor(17.0))


def name(item):
    return f"sound{item:07d}"


@contextmanager
def serving(index, model, log, temporary):
    """A server of the command line: its port; its words go to a log, its files to a folder."""
    words = [str(index), "--model", str(model), "--port", "0", "--quiet"]
    command = [sys.executable, "-m", "disentone.cli", "serve", *words]
    kept = os.environ | {"TMPDIR": str(temporary)}
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=file, encoding="utf-8", env=kept
        ) as server,
    ):
        try:
            address = server.stdout.readline().strip()
            yield int(address.rstrip("/").rpartition(":")[2])
        finally:
            server.terminate()


# --- clients that wait for their answers ----------------------------------------------------------


@dataclass
class Told:
    """What clients were told: seconds until each kind of request was answered, and statuses."""

    seconds: dict = field(default_factory=lambda: collections.defaultdict(list))
    again: dict = field(default_factory=lambda: collections.defaultdict(list))
    statuses: collections.Counter = field(default_factory=collections.Counter)
    errors: list = field(default_factory=list)

    @property
    def wrong(self):
        """How many answers were neither right nor an honest "later"."""
        return len(self.errors) + sum(n for s, n in self.statuses.items() if s not in (200, 503))


def quantile(times, share):
    times = sorted(times)
    return times[min(len(times) - 1, int(share * len(times)))] if times else float("nan")


def searches(rng, items):
    """Kinds and requests of one client: a query, its sliders, filters, and what a page shows."""
    while True:
        item = name(int(rng.integers(items)))
        where = f"genre = 'genre {rng.integers(GENRES)}' and tempo > {60 + 10 * rng.integers(9)}"
        yield "search", wanted(rng, item)
        for _ in range(5):
            yield "weighed again", wanted(rng, item)
        yield "filtered", wanted(rng, item, where=where)
        yield "page", request("GET", f"/api/v1/item?id={item}")
        yield "page", request("GET", f"/api/v1/peaks?id={item}")
        yield "page", request("GET", "/api/v1/collection")


def wanted(rng, item, **also):
    weights = dict(zip(FACETS, rng.uniform(-1, 1, len(FACETS)).round(2).tolist()))
    query = {"examples": [{"item": item}]}
    return request("POST", SEARCH, {"query": query, "weights": weights} | also)


async def ask(client, kind, content, until, told):
    """Send one request, again when the server said so; give the body of a right answer."""
    first = time.monotonic()
    while (began := time.monotonic()) < until:
        try:
            status, headers, body = await client.ask(content)
        except (OSError, EOFError, TimeoutError) as error:
            client.close()
            told.errors.append(f"{kind}: {error!r}")
            return None
        told.statuses[status] += 1
        if status != 503:
            told.seconds[kind].append(time.monotonic() - began)
            told.again[kind].append(time.monotonic() - first)
            return body if status == 200 else None
        await asyncio.sleep(min(float(headers["retry-after"]), max(0, until - time.monotonic())))
    return None


async def searching(port, rng, items, until, told):
    async with Client(port) as client:
        for kind, content in searches(rng, items):
            if time.monotonic() >= until:
                return
            await ask(client, kind, content, until, told)


async def sending(port, sound, until, told):
    """Upload a sound and search with it, again and again."""
    async with Client(port) as client:
        while time.monotonic() < until:
            sent = await ask(client, "upload", request("POST", UPLOADS, sound), until, told)
            if sent is not None:
                query = {"query": {"examples": [{"upload": json.loads(sent)["upload"]}]}}
                await ask(client, "by upload", request("POST", SEARCH, query), until, told)


async def crowd(port, clients, items, seconds):
    told, until = Told(), time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for seed in range(clients):
            rng = np.random.default_rng(seed)
            group.create_task(searching(port, rng, items, until, told))
    return told


def crowd_lines(told, clients, items, seconds):
    size = {"size": items, "size_unit": "items"}
    title = f"{clients} clients"
    for kind in ("search", "weighed again", "filtered", "page"):
        for share in (0.5, 0.95, 0.99):
            target = ("target", 2.0) if share == 0.95 else ()
            times = told.seconds[kind]
            yield record(
                f"{title}: {kind}, {share:.0%}", quantile(times, share), "s", *target, **size
            )
    later = quantile(told.again["search"], 0.95)
    yield record(f"{title}: search, 95%, with those who came again", later, "s", **size)
    yield record(f"{title}: answers", told.statuses[200] / seconds, "1/s", **size)
    yield record(f"{title}: told to come later", told.statuses[503], "answers", **size)
    yield record(f"{title}: wrong answers", told.wrong, "", "target", 0, **size)


# --- clients that stall ---------------------------------------------------------------------------


async def stall(port, kind, until, dropped):
    """Begin a request and never end it, again and again; note when the server hangs up."""
    head = f"POST {UPLOADS} HTTP/1.1\r\nHost: localhost:{port}\r\n".encode()
    search = head.replace(UPLOADS.encode(), SEARCH.encode())
    begun = {
        "head": head,
        "nothing": b"",
        "upload": head + b"Content-Length: 1000000\r\n\r\n" + b"x" * 100,
        "search": search + b"Content-Length: 1000\r\n\r\n{",
        "drip": head + b"Content-Length: 1000000\r\n\r\n",
    }[kind]
    while (began := time.monotonic()) < until:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begun)
        over = asyncio.create_task(reader.read())
        while not over.done() and time.monotonic() < until:
            await asyncio.wait([over], timeout=0.5)
            if kind == "drip" and not over.done():
                writer.write(b"x")
        if over.done():
            over.exception()  # a reset is an end, too
            dropped[kind].append(time.monotonic() - began)
        over.cancel()
        writer.close()


KINDS = ("head", "nothing", "upload", "search", "drip")


async def beside(port, stalled, items, sound, seconds):
    """Real clients for some time, beside some that stall: what they were told, when those went."""
    told, until, dropped = Told(), time.monotonic() + seconds, collections.defaultdict(list)
    async with asyncio.TaskGroup() as group:
        for _, kind in zip(range(stalled), itertools.cycle(KINDS)):
            group.create_task(stall(port, kind, until, dropped))
        for seed in range(SEARCHING):
            rng = np.random.default_rng(seed)
            group.create_task(searching(port, rng, items, until, told))
        for _ in range(SENDING):
            group.create_task(sending(port, sound, until, told))
    return told, dropped


def stalled_lines(alone, told, dropped, stalled):
    title = f"beside {stalled} that stall"
    for kind in ("search", "upload", "by upload"):
        times = (quantile(each.seconds[kind], 0.95) for each in (told, alone))
        value, peer = times
        yield record(f"{title}: {kind}, 95%", value, "s", "without them", peer)
    answers, peer = told.statuses[200], alone.statuses[200]
    yield record(f"{title}: answers", answers, "answers", "without them", peer)
    for kind in KINDS:
        worst = max(dropped[kind], default=float("nan"))
        yield record(f"{title}: {kind}, dropped after at most", worst, "s", "target", 12.0)
    yield record(f"{title}: wrong answers", told.wrong, "", "target", 0)


# --- hostile clients ------------------------------------------------------------------------------


async def attack(port, hidden):
    """Send what is hostile; give how many there were, and the answers that are wrong."""
    wrong, count = [], 0
    for kind, content, right in hostile_requests():
        count += 1
        async with Client(port, timeout=30) as client:
            try:
                status, headers, body = await client.ask(content)
            except (OSError, EOFError) as error:
                status, headers, body = None, {}, b""
                if kind not in MAY_HANG_UP:
                    wrong.append(f"{kind}: {error!r}")
                    continue
        if status is not None and status not in right:
            wrong.append(f"{kind}: {status}: {content[:300]!r}")
        if any(part in f"{headers}{body}" for part in hidden):
            wrong.append(f"{kind} shows a path: {body!r}")
    return count, wrong


MAY_HANG_UP = {"no HTTP", "a long head", "a long address", "a broken chunk"}


def hostile_lines(count, wrong, left, words):
    yield record("hostile requests: answered otherwise than refused", len(wrong), "",
                 "target", 0, size=count, size_unit="requests")  # fmt: skip
    yield record("hostile requests: files left behind", left, "", "target", 0)
    yield record(
        "hostile requests: tracebacks in the log", words.count("Traceback"), "", "target", 0
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=30, help="of each part")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--stalled", type=int, default=150)
    parser.add_argument("--items", type=int, default=20_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as used:
        index, model, sound = make_index(Path(made), options.items)
        log, temporary = Path(made) / "log", Path(used)
        with serving(index, model, log, temporary) as port:
            lines = campaign(port, options, sound.read_bytes(), temporary, log)
        print(log.read_text(encoding="utf-8")[-2000:], file=sys.stderr)
    publish("clients", lines)


def campaign(port, options, sound, temporary, log):
    """All three parts: flat records of what they found."""
    seconds, items = options.seconds, options.items
    told = asyncio.run(crowd(port, options.clients, items, seconds))
    lines = list(crowd_lines(told, options.clients, items, seconds))
    alone, _ = asyncio.run(beside(port, 0, items, sound, seconds))
    both, dropped = asyncio.run(beside(port, options.stalled, items, sound, seconds))
    lines += stalled_lines(alone, both, dropped, options.stalled)
    count, wrong = asyncio.run(attack(port, [str(temporary), "disentone-", "root:"]))
    left = len(list(temporary.rglob("*.upload")))
    lines += hostile_lines(count, wrong, left, log.read_text(encoding="utf-8"))
    for problem in [*told.errors, *both.errors, *wrong]:
        print(problem, file=sys.stderr)
    return lines


if __name__ == "__main__":
    main()
