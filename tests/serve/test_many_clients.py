"""Two hundred clients at once: nobody is lost, and what is kept stays within its bounds."""

import asyncio

import httpx2
import numpy as np
import pytest

API = "/api/v1"
CLIENTS = 200


@pytest.fixture
def all_of(server):
    """Send requests all at the same time, each from a client with a connection of its own."""

    async def gathered(make):
        async with httpx2.AsyncClient(
            base_url=server.address, timeout=60, limits=httpx2.Limits(max_connections=None)
        ) as client:
            return await asyncio.gather(*(make(client, n) for n in range(CLIENTS)))

    return lambda make: asyncio.run(gathered(make))


def test_no_search_is_lost_or_mixed_up(all_of, served, index):
    ids = index.items(columns=["id"])["id"].to_pylist()
    weights = np.random.default_rng(0).uniform(-1, 1, (CLIENTS, 3)).round(3).tolist()

    def wanted(n):
        facets = dict(zip(index.facets, weights[n]))
        return {
            "query": {"examples": [{"item": ids[n % 36]}, {"item": ids[n * 7 % 36]}]},
            "weights": facets,
            "k": 3,
        }

    async def search(client, n):
        answer = await client.post(f"{API}/search", json=wanted(n))
        return answer.status_code, [hit["id"] for hit in answer.json()["results"]]

    for n, (status, found) in enumerate(all_of(search)):
        asked = wanted(n)
        alone = index.query(like=[e["item"] for e in asked["query"]["examples"]])
        assert status == 200
        assert found == [hit.id for hit in alone.rank(asked["weights"], k=3)]
    assert served._queries.size <= served.limits.query_bytes


def test_sounds_and_outlines_all_come(all_of, tones):
    content = (tones / "saw" / "60.wav").read_bytes()

    async def play(client, n):
        route = ("audio", "peaks", "audio")[n % 3]
        item = "saw/60.wav" if n % 3 else "saw/71.aiff"
        answer = await client.get(
            f"{API}/{route}", params={"id": item}, headers={"Range": "bytes=0-999"}
        )
        return n % 3, answer

    for kind, answer in all_of(play):
        assert answer.status_code == (200 if kind == 1 else 206)
        if kind == 2:
            assert answer.content == content[:1000]


def test_bad_and_good_requests_do_not_disturb_each_other(all_of, served):
    async def knock(client, n):
        kind = n % 4
        if kind == 0:
            return kind, await client.get(f"{API}/health")
        if kind == 1:
            return kind, await client.post(f"{API}/search", json={"query": n})
        if kind == 2:
            return kind, await client.get(f"{API}/audio", params={"id": f"../{n}"})
        return kind, await client.post(f"{API}/uploads", content=bytes(2**20 + 1))

    for kind, answer in all_of(knock):
        assert answer.status_code == (200, 422, 404, 413)[kind]
        assert answer.json()
    assert list(served.folder.glob("*.upload")) == []
