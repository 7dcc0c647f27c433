"""The page and its API over made-up items of eight facets, as their users meet them.

A real browser moves sliders, and the time is taken until the new list is painted. Then two hundred
clients ask at once, every one for queries of its own and for sounds: none may be lost, and the
server's memory is measured before and at its peak. Needs chromium.
"""

import argparse
import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2
import numpy as np
import pyarrow as pa
import soundfile
from playwright.sync_api import sync_playwright

from disentone.facets import Facets
from disentone.search import Index
from timing import publish, record

FACETS = Facets({f"facet{i}": 32 for i in range(8)})
CLIENTS, ROUNDS, MOVES = 200, 5, 40
SEARCH = "/api/v1/search"

SLIDE = """async (moves) => {
  const sliders = document.querySelectorAll("#weights input");
  const shown = () => [...document.querySelectorAll(".result .name, .result .number")]
    .map((e) => e.textContent).join();
  const times = [];
  for (let n = 0; n < moves; n += 1) {
    const before = shown();
    sliders[n % sliders.length].value = ((n * 7) % 41) / 20 - 1;
    const begun = performance.now();
    sliders[n % sliders.length].dispatchEvent(new Event("input"));
    while (shown() === before && performance.now() - begun < 2000) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    times.push(performance.now() - begun);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return times;
}"""


def make_index(folder, items):
    """An index of items around 200 centres, all with the same short sound."""
    rng = np.random.default_rng(0)
    sound = folder / "tone.wav"
    soundfile.write(sound, 0.3 * np.sin(np.arange(22050) / 8), 22050)
    groups = rng.integers(0, 200, items)
    vectors = rng.standard_normal((200, FACETS.dim), np.float32)[groups]
    vectors += 0.7 * rng.standard_normal((items, FACETS.dim), np.float32)
    table = {"id": [f"sound{i:07d}" for i in range(items)], "path": [str(sound)] * items}
    table |= {"genre": [f"genre {g % 10}" for g in groups], "tempo": rng.uniform(60, 180, items)}
    Index.build(
        folder / "made.index",
        vectors=vectors,
        facets=FACETS,
        items=pa.table(table),
        model="made-up",
    )
    return folder / "made.index"


def slide(address):
    """Milliseconds from moving a slider to the painted list, sorted."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        page.click("#examples li:nth-child(2) .from")
        page.wait_for_selector(".result .wave div", timeout=60_000)
        page.wait_for_selector("#legend .key", timeout=120_000)  # the first map is laid out
        page.wait_for_timeout(2000)
        times = sorted(page.evaluate(SLIDE, MOVES))
        browser.close()
    return times


def reweigh(address):
    """Median milliseconds of an answer to a query that is open, over HTTP."""
    rng, times = np.random.default_rng(1), []
    with httpx2.Client(base_url=address) as client:
        for _ in range(MOVES):
            began = time.perf_counter()
            client.post(SEARCH, json=wanted(rng, item=7)).raise_for_status()
            times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[1:])


def wanted(rng, *, item):
    weights = dict(zip(FACETS, rng.uniform(-1, 1, len(FACETS)).round(2).tolist()))
    return {"query": {"examples": [{"item": f"sound{item:07d}"}]}, "weights": weights}


async def crowd(address, items):
    """Answers that were right, and requests a second, of many clients at once."""
    rng = np.random.default_rng(2)

    async def client(session):
        right = 0
        for turn in range(ROUNDS):
            item = int(rng.integers(items))
            if turn % 2:
                options = {"params": {"id": f"sound{item:07d}"}, "headers": {"Range": "bytes=0-99"}}
                answer = await session.get("/api/v1/audio", **options)
                right += answer.status_code == 206 and len(answer.content) == 100
            else:
                answer = await session.post(SEARCH, json=wanted(rng, item=item))
                right += answer.status_code == 200 and len(answer.json()["results"]) == 20
        return right

    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(base_url=address, timeout=300, limits=limits) as session:
        began = time.perf_counter()
        right = sum(await asyncio.gather(*(client(session) for _ in range(CLIENTS))))
    return right, CLIENTS * ROUNDS / (time.perf_counter() - began)


def memory(process, name):
    """MiB of a process, from the system's status."""
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def measure(items):
    with tempfile.TemporaryDirectory() as folder:
        index = make_index(Path(folder), items)
        command = [sys.executable, "-m", "disentone.cli", "serve", str(index), "--port", "0", "-q"]
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as server:
            try:
                address = server.stdout.readline().strip()
                httpx2.get(address).raise_for_status()
                ready = time.perf_counter() - began
                times, open_query = slide(address), reweigh(address)
                before = memory(server, "VmRSS")
                right, rate = asyncio.run(crowd(address, items))
                peak = memory(server, "VmHWM")
            finally:
                server.terminate()
    lines = [
        ("the server answers after", ready, "s", "target", 3),
        ("slider to list: median", times[MOVES // 2], "ms", "target", 100),
        ("slider to list: 95 %", times[int(0.95 * MOVES)], "ms", "target", 100),
        ("open query over HTTP", open_query, "ms", "target", 100),
        (f"{CLIENTS} clients: right answers", right, "", "sent", CLIENTS * ROUNDS),
        (f"{CLIENTS} clients: answers", rate, "1/s", None, None),
        (f"{CLIENTS} clients: peak memory", peak, "MiB", "before", before),
    ]
    return [record(*line, size=items, size_unit="items") for line in lines]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000])
    lines = []
    for items in parser.parse_args().items:
        lines += measure(items)
    publish("page", lines)


if __name__ == "__main__":
    main()
