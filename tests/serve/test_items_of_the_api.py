"""The API: items listed, folded, downloaded, exported, heard, outlined and put on a map."""

import csv
import io
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pytest
from api_calls import API, ITEM, OUTSIDE, problem, search


def test_items_are_listed_and_found(client):
    body = client.get(f"{API}/items", params={"where": "pitch = 60", "limit": 2}).json()
    assert (body["total"], len(body["items"])) == (3, 2)
    item = client.get(f"{API}/item", params={"id": ITEM}).json()
    assert (item["name"], item["factors"]["pitch"]) == ("sine/60", 60)


def test_items_are_listed_by_words_in_an_order_and_a_window(client):
    asked = {"text": "SAW 6", "sort": "-pitch", "offset": 1, "limit": 3}
    body = client.get(f"{API}/items", params=asked).json()
    assert body["total"] == 10
    assert [item["file"] for item in body["items"]] == ["68.wav", "67.wav", "66.wav"]
    assert search(client, text="squ", k=50).json()["candidates"] == 12
    wrong = client.get(f"{API}/items", params={"sort": "pich"})
    assert "did you mean 'pitch'" in problem(wrong)


def test_folders_are_listed_and_searched(client):
    body = client.get(f"{API}/folders").json()
    assert body["folder"] == ""
    assert body["folders"] == [{"folder": n, "items": 12} for n in ("saw", "sine", "square")]
    assert client.get(f"{API}/folders", params={"folder": "saw"}).json()["folders"] == []
    inside = client.get(f"{API}/items", params={"folder": "saw", "limit": 1}).json()
    assert (inside["total"], inside["items"][0]["id"]) == (12, "saw/60.wav")
    assert search(client, folder="saw", k=50).json()["candidates"] == 12
    assert "did you mean 'saw'" in problem(search(client, folder="saws"))
    for value in OUTSIDE:
        answer = client.get(f"{API}/folders", params={"folder": value})
        assert answer.status_code in (400, 422), value


def test_copies_are_folded_and_listed(client, index):
    found = index.query(like=[ITEM]).rank(k=5, fold=True)
    body = search(client, k=5, fold=True).json()["results"]
    assert [(hit["id"], hit["copies"]) for hit in body] == [(h.id, list(h.copies)) for h in found]
    listed = client.get(f"{API}/duplicates", params={"threshold": 0.9, "limit": 1}).json()
    groups = index.duplicates(0.9)
    assert (listed["threshold"], listed["total"]) == (0.9, len(groups))
    assert [item["id"] for item in listed["groups"][0]["items"]] == list(groups[0].ids)
    assert client.get(f"{API}/duplicates", params={"threshold": 2}).status_code == 422


def test_a_download_is_the_file_under_its_own_name(tones, model, tmp_path):
    from starlette.testclient import TestClient

    from disentone.search import Index
    from disentone.serve.app import create_app
    from disentone.serve.served import Served

    content = (tones / ITEM).read_bytes()
    file = tmp_path / 'Größe "naïve"; x.wav'
    file.write_bytes(content)
    items = {"id": ["a", "b"], "path": [str(file)] * 2, "start": [0.0, 0.5], "end": [1.0, 1.0]}
    index = Index.build(
        tmp_path / "i",
        vectors=np.ones((2, model.facets.dim), np.float32),
        facets=model.facets,
        items=pa.table(items),
        model="made-up",
    )

    def ask(local):
        app = create_app(Served(index, folder=tmp_path, local=local))
        return TestClient(app, base_url="http://localhost")

    whole = ask(True).get(f"{API}/download", params={"id": "a"})
    assert whole.content == content
    kind, _, name = whole.headers["content-disposition"].partition("; filename*=utf-8''")
    assert (kind, unquote(name)) == ("attachment", file.name)  # RFC 5987
    part = ask(True).get(f"{API}/download", params={"id": "b"})
    assert unquote(part.headers["content-disposition"]).endswith("x@0.5.wav")
    assert len(part.content) == 44 + (len(content) - 44) // 2
    wanted = {"format": "m3u8", "ids": ["a", "b"]}
    listed = ask(True).post(f"{API}/export", json=wanted)
    assert listed.text.splitlines()[2] == str(file)
    assert listed.headers["content-disposition"] == 'attachment; filename="sounds.m3u8"'
    assert "another one" in problem(ask(False).post(f"{API}/export", json=wanted))
    assert (
        str(tmp_path) not in ask(False).post(f"{API}/export", json=wanted | {"format": "csv"}).text
    )


def test_results_are_exported_as_a_table(client):
    found = {"query": {"examples": [{"item": ITEM}]}, "k": 3}
    answer = client.post(f"{API}/export", json={"format": "csv", "search": found})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    best = search(client, k=3).json()["results"]
    assert [(row["id"], float(row["score"])) for row in rows] == [
        (b["id"], b["score"]) for b in best
    ]
    for wrong in ({"format": "csv"}, {"format": "csv", "ids": [ITEM], "search": found}):
        assert "one of the two" in problem(client.post(f"{API}/export", json=wrong))
    gone = client.post(f"{API}/export", json={"format": "csv", "ids": ["none"]})
    assert gone.status_code == 404


def test_audio_comes_whole_and_in_ranges(client, tones):
    content = (tones / ITEM).read_bytes()
    address = f"{API}/audio"
    whole = client.get(address, params={"id": ITEM})
    assert (whole.content, whole.headers["content-type"]) == (content, "audio/wav")
    part = client.get(address, params={"id": ITEM}, headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, content[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(content)}"
    end = client.get(address, params={"id": ITEM}, headers={"Range": "bytes=-10"})
    assert end.content == content[-10:]
    beyond = client.get(address, params={"id": ITEM}, headers={"Range": "bytes=9999999-"})
    assert beyond.status_code == 416


def test_what_browsers_do_not_play_is_converted(client, tones):
    import soundfile

    answer = client.get(f"{API}/audio", params={"id": "saw/71.aiff"})
    assert answer.headers["content-type"] == "audio/wav"
    given, rate = soundfile.read(io.BytesIO(answer.content))
    stored, stored_rate = soundfile.read(tones / "saw" / "71.aiff")
    assert rate == stored_rate
    np.testing.assert_allclose(given, stored, atol=2**-14)


def test_peaks_are_the_outline(client, tones):
    import soundfile

    wave, rate = soundfile.read(tones / ITEM)
    body = client.get(f"{API}/peaks", params={"id": ITEM}).json()
    assert body["seconds"] == pytest.approx(len(wave) / rate)
    count = len(body["peaks"])
    places = np.arange(len(wave)) * count // len(wave)
    naive = [np.abs(wave[places == part]).max() for part in range(count)]
    np.testing.assert_allclose(body["peaks"], naive, atol=6e-4)


def test_maps_have_a_place_for_every_item(client, index):
    points = client.get(f"{API}/map/points").json()
    assert points["ids"] == index.items(columns=["id"])["id"].to_pylist()
    assert points["names"][0] == points["ids"][0].rpartition(".")[0]
    assert set(points["factors"]) == {"instrument", "pitch", "key"}
    assert points["factors"]["pitch"] == index.items(columns=["pitch"])["pitch"].to_pylist()
    layout = client.get(f"{API}/map", params={"facet": "timbre"}).json()
    grid = np.stack([layout["x"], layout["y"]], axis=1)
    np.testing.assert_allclose(grid / 5000 - 1, np.clip(index.map("timbre"), -1, 1), atol=2e-4)
