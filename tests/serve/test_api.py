"""The API: what it gives is what the index gives, and every mistake is one clear sentence."""

import errno
import http.client
import json
import os

import numpy as np
import pyarrow as pa
import pytest
from api_calls import API, ITEM, OUTSIDE, problem, search

from disentone.embeddings.packaged_models import UNKNOWN
from disentone.errors import AudioError
from disentone.serve.describing import factor_of


def test_health(client):
    body = client.get(f"{API}/health").json()
    assert (body["status"], body["items"]) == ("ok", 36)


def test_an_index_that_nobody_brings_up_to_date_is_current(client):
    body = client.get(f"{API}/library").json()
    assert (body["state"], body["watching"]) == ("current", False)
    assert (body["found"], body["done"], body["items"], body["failed"]) == (36, 36, 36, 0)


def test_the_collection_is_described(client):
    body = client.get(f"{API}/collection").json()
    assert body["facets"] == {"timbre": 3, "pitch": 3, "rest": 2}
    factors = {factor.pop("name"): factor for factor in body["factors"]}
    assert factors["instrument"]["classes"] == ["saw", "sine", "square"]
    assert (factors["pitch"]["low"], factors["pitch"]["high"]) == (60, 71)
    assert factors["key"]["classes"] == ["c", "d'\""]
    assert sorted(item["factors"]["instrument"] for item in body["examples"]) == [
        "saw",
        "sine",
        "square",
    ]


def test_what_facets_predict_is_told_by_the_audit_of_the_same_model(tmp_path, model):
    """From the model's folder, while it is still the same model there; else it is not known."""
    from starlette.testclient import TestClient

    from disentone.audit import Card
    from disentone.embeddings import model_id
    from disentone.search import Index
    from disentone.serve.app import create_app
    from disentone.serve.served import Served

    folder = tmp_path / "model"
    model.save(folder)
    facets = model.facets
    numbers = {"value": 0.95, "low": 0.9, "high": 1.0, "chance": 0.1, "n": 9, "split": "test"}
    record = {"measure": "probe", "facet": "timbre", "factor": "instrument", "metric": "accuracy"}
    card = Card(facets, {"instrument": {"kind": "categorical"}}, (record | numbers,))
    card.save(folder / "audit.json")
    index = Index.build(
        tmp_path / "i",
        vectors=np.ones((2, facets.dim), np.float32),
        facets=facets,
        items=pa.table({"id": ["a", "b"], "path": ["a", "b"]}),
        model=model_id(folder),
        about={"model_folder": str(folder)},
    )

    def told():
        app = create_app(Served(index, folder=tmp_path))
        client = TestClient(app, base_url="http://localhost")
        return client.get(f"{API}/collection").json()["predicts"]

    assert told()["timbre"] == card.sentence("timbre")
    assert "instrument at 0.95" in told()["timbre"]
    assert told()["rest"] == UNKNOWN
    (folder / "audit.json").write_text("{")
    assert told()["timbre"] == UNKNOWN
    card.save(folder / "audit.json")
    with (folder / "model.safetensors").open("r+b") as weights:
        weights.seek(-4, os.SEEK_END)
        weights.write(b"more")
    assert told()["timbre"] == UNKNOWN


def test_a_search_gives_what_the_index_gives(client, index):
    weights = {"timbre": 1.0, "pitch": -0.5, "rest": 0.25}
    body = search(client, weights=weights, k=7).json()
    found = index.query(like=[ITEM]).rank(weights, k=7)
    assert [hit["id"] for hit in body["results"]] == [hit.id for hit in found]
    for hit in body["results"]:
        assert hit["score"] == pytest.approx(sum(hit["contributions"].values()), abs=1e-5)
        cosines = hit["cosines"]
        shares = {name: weight * cosines[name] / 1.75 for name, weight in weights.items()}
        assert hit["contributions"] == pytest.approx(shares, abs=1e-5)
    assert body["candidates"] == found.candidates


def test_the_same_query_is_opened_once(client, served, monkeypatch):
    opened = []
    query = served.index.query
    monkeypatch.setattr(
        type(served.index), "query", lambda self, **given: opened.append(1) or query(**given)
    )
    examples = {"examples": [{"item": "saw/65.wav"}]}
    for weight in (1.0, 0.5, -1.0):
        assert search(client, query=examples, weights={"timbre": weight}).status_code == 200
    assert len(opened) == 1


def test_several_examples_infer_weights(client, index):
    ids = ["sine/60.wav", "sine/65.wav", "sine/70.wav"]
    body = search(client, query={"examples": [{"item": item} for item in ids]}).json()
    assert body["weights"] == pytest.approx(index.infer_weights(ids))
    assert not set(ids) & {hit["id"] for hit in body["results"]}


def test_staying_away_and_mixing(client, index):
    away = {"examples": [{"item": ITEM}], "away": [{"item": "saw/60.wav"}]}
    found = index.query(like=[ITEM], away=["saw/60.wav"]).rank(k=5)
    body = search(client, query=away, k=5).json()["results"]
    assert [hit["id"] for hit in body] == [hit.id for hit in found]
    mix = [{"item": ITEM, "facets": ["timbre"]}, {"item": "saw/70.wav", "facets": ["pitch"]}]
    found = index.query(mix={"timbre": ITEM, "pitch": "saw/70.wav"}).rank(k=5)
    body = search(client, query={"examples": mix}, k=5).json()["results"]
    assert [hit["id"] for hit in body] == [hit.id for hit in found]


def test_filters_and_one_a_recording(client):
    body = search(client, where="instrument = 'saw' and pitch >= 65", k=50).json()
    assert body["candidates"] == len(body["results"]) == 7
    assert {hit["factors"]["instrument"] for hit in body["results"]} == {"saw"}
    quoted = search(client, where="`key` in ('d''\"')", k=50).json()
    assert quoted["candidates"] == 12
    assert search(client, where="pitch > 100").json()["results"] == []
    once = search(client, one_per_recording=True, diversity=0.5, k=50).json()["results"]
    assert len({hit["recording"] for hit in once}) == len(once)


def test_an_upload_is_searched_with_and_a_part_of_it(client, tones, index, model):
    content = (tones / "saw" / "66.wav").read_bytes()
    sent = client.post(f"{API}/uploads", params={"name": "a.wav"}, content=content).json()
    body = search(client, query={"examples": [{"upload": sent["upload"]}]}, k=1).json()
    assert body["results"][0]["id"] == "saw/66.wav"
    assert body["results"][0]["score"] == pytest.approx(1, abs=1e-4)
    part = {"upload": sent["upload"], "start": 0.25, "end": 0.75}
    body = search(client, query={"examples": [part]}, k=3).json()
    import soundfile

    wave, rate = soundfile.read(tones / "saw" / "66.wav", dtype="float32")
    vector = model.embed(wave[rate // 4 : 3 * rate // 4], sample_rate=rate).values[0]
    found = index.query(vector).rank(k=3)
    assert [hit["score"] for hit in body["results"]] == pytest.approx(
        [hit.score for hit in found], abs=1e-4
    )
    back = client.get(f"{API}/uploads/audio", params={"upload": sent["upload"]})
    assert back.content[:4] == b"RIFF"


def test_a_part_of_an_item_is_searched_with(client, tones, index, model):
    part = {"item": ITEM, "start": 0.5}
    body = search(client, query={"examples": [part]}, k=3).json()
    import soundfile

    wave, rate = soundfile.read(tones / ITEM, dtype="float32")
    vector = model.embed(wave[rate // 2 :], sample_rate=rate).values[0]
    scores = [hit.score for hit in index.query(vector).rank(k=3)]
    assert [hit["score"] for hit in body["results"]] == pytest.approx(scores, abs=1e-4)


EXAMPLE = [{"item": ITEM}]
WRONG = {
    "no query": ({"query": None}, 422, "query"),
    "no example": ({"query": {"examples": []}}, 422, "query.examples"),
    "unknown key": ({"wieghts": {}}, 422, "wieghts"),
    "unknown facet": ({"weights": {"timber": 1}}, 400, "did you mean 'timbre'"),
    "no weight": ({"weights": {"timbre": 0}}, 400, "weight"),
    "huge weight": ({"weights": {"timbre": 1e9}}, 422, "weights.timbre"),
    "too many": ({"k": 10_000}, 422, "k:"),
    "unknown column": ({"where": "instrumnt = 'saw'"}, 400, "instrumnt"),
    "statement": ({"where": "pitch > 1; drop table items"}, 400, "filter"),
    "comment": ({"where": "pitch > 1 -- x"}, 400, "filter"),
    "subquery": ({"where": "id in (select path from items)"}, 400, ""),
    "function": ({"where": "read_csv('/etc/passwd') = 1"}, 400, "function"),
    "long filter": ({"where": "pitch > 1 and " * 500 + "pitch > 1"}, 422, "where"),
    "unknown item": ({"query": {"examples": [{"item": "none"}]}}, 404, "no such item"),
    "unknown upload": ({"query": {"examples": [{"upload": "x"}]}}, 404, "send the sound again"),
    "both": ({"query": {"examples": [{"item": ITEM, "upload": "x"}]}}, 400, "give one of the two"),
    "backwards": ({"query": {"examples": [{"item": ITEM, "start": 1, "end": 0.5}]}}, 400, "part"),
    "beyond": ({"query": {"examples": [{"item": ITEM, "start": 50}]}}, 400, "ends before"),
    "mixed twice": (
        {"query": {"examples": [{"item": ITEM, "facets": ["timbre"]}] * 2}},
        400,
        "Two examples give the facet 'timbre'",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_search_is_one_clear_sentence(kind, client):
    wanted, status, words = WRONG[kind]
    answer = search(client, **wanted)
    assert answer.status_code == status
    assert words in problem(answer)
    assert client.get(f"{API}/health").json()["items"] == 36


def test_not_json_and_not_numbers_are_refused(client):
    for content in (b"{", b"\xff\xfe", b"[]", b'{"query": NaN}', b'{"k": Infinity}'):
        answer = client.post(
            f"{API}/search", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422
        problem(answer)


PARAMETERS = [
    ("item", "id"),
    ("audio", "id"),
    ("download", "id"),
    ("peaks", "id"),
    ("map", "facet"),
    ("uploads/audio", "upload"),
    ("items", "where"),
    ("items", "sort"),
]


@pytest.mark.parametrize(("route", "name"), PARAMETERS)
def test_no_parameter_leads_out_of_the_index(route, name, client):
    for value in OUTSIDE:
        answer = client.get(f"{API}/{route}", params={name: value})
        assert answer.status_code in (400, 404, 422), value
        problem(answer)
    assert problem(client.get(f"{API}/{route}", params={name: ""}))


def test_the_path_of_the_address_leads_nowhere_else(server):
    """The client sends these addresses as they are; browsers and libraries tidy them first."""
    for path in (
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/static/..\\app.py",
        "/../../etc/passwd",
        "/api/v1/../../../etc/passwd",
        "/static/vendor",
        "/docs",
    ):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 404, path
        assert json.loads(answer.read())["error"] == "There is nothing at this address."
        connection.close()


def test_a_file_that_has_gone_is_told(client, tones):
    file = tones / "sine" / "62.wav"
    file.rename(tones / "gone")
    try:
        for route in ("audio", "peaks"):
            answer = client.get(f"{API}/{route}", params={"id": "sine/62.wav"})
            assert answer.status_code == 404
            assert problem(answer).startswith("The file of 'sine/62.wav' is not where it was")
    finally:
        (tones / "gone").rename(file)


def test_uploads_that_are_too_large_or_no_sound_are_told(client):
    large = client.post(f"{API}/uploads", content=bytes(2**20 + 1))
    assert (large.status_code, problem(large)[:22]) == (413, "'sound' is larger than")
    text = client.post(f"{API}/uploads", params={"name": "a.mp3"}, content=b"text" * 99)
    assert (text.status_code, problem(text)[:20]) == (400, "'a.mp3' is not audio")


def test_without_a_model_items_are_still_queries(index, tmp_path):
    from starlette.testclient import TestClient

    from disentone.serve.app import create_app
    from disentone.serve.served import Served

    client = TestClient(create_app(Served(index, folder=tmp_path)), base_url="http://localhost")
    assert client.get(f"{API}/collection").json()["uploads"] is False
    assert search(client).status_code == 200
    assert "start the server with the model" in problem(client.post(f"{API}/uploads", content=b"x"))


def test_a_fault_of_the_server_is_json_too(served, monkeypatch, caplog):
    from starlette.testclient import TestClient

    from disentone.serve.app import create_app

    def fail(*_):
        raise RuntimeError("secret details")

    monkeypatch.setattr(served, "peaks", fail)
    client = TestClient(
        create_app(served), base_url="http://localhost", raise_server_exceptions=False
    )
    answer = client.get(f"{API}/peaks", params={"id": ITEM})
    assert answer.status_code == 500
    assert "secret" not in problem(answer)
    assert "secret details" in caplog.text


def test_openapi_names_every_route_and_its_errors(client):
    body = client.get(f"{API}/openapi.json").json()
    routes = {path.removeprefix(API) for path in body["paths"]}
    assert {"/health", "/collection", "/search", "/items", "/audio", "/map"} <= routes
    for methods in body["paths"].values():
        for operation in methods.values():
            schema = operation["responses"]["default"]["content"]["application/json"]["schema"]
            assert schema["$ref"].endswith("/Problem")
    assert (
        "application/octet-stream"
        in (body["paths"][f"{API}/uploads"]["post"]["requestBody"]["content"])
    )


def test_factors_are_described_by_what_they_hold():
    numbers = factor_of("tempo", pa.chunked_array([[1.5, None, float("nan"), 9.0]]))
    assert (numbers.kind, numbers.low, numbers.high) == ("number", 1.5, 9.0)
    unknown = factor_of("tempo", pa.chunked_array([pa.array([None, None], pa.float64())]))
    assert (unknown.kind, unknown.low) == ("number", None)
    classes = factor_of("take", pa.chunked_array([["10", "9", "b", None, "", "9"]]))
    assert (classes.kind, classes.classes) == ("classes", ["9", "10", "b"])
    titles = factor_of("title", pa.chunked_array([[str(n) for n in range(1000)]]))
    assert (titles.kind, titles.classes) == ("text", [])


def test_a_busy_server_says_when_to_come_back(client, monkeypatch):
    monkeypatch.setattr("disentone.serve.lanes.Lane.wait", 7.2)
    answer = client.get(f"{API}/peaks", params={"id": "saw/60.wav"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "8")
    assert answer.json()["error"] == "The server is busy: ask again in 8 s."


def test_no_error_shows_where_a_file_lies(index, model, tones, tmp_path, monkeypatch):
    """Errors of sounds call an upload by its name, and an item by its id."""
    from starlette.testclient import TestClient

    from disentone.serve.app import create_app
    from disentone.serve.served import Served

    fresh = Served(index, folder=tmp_path, model=model)  # that has no outline in memory yet
    client = TestClient(create_app(fresh), base_url="http://localhost")

    def damaged(path, *_, **__):
        raise AudioError(f"'{path}' is damaged.")

    content = (tones / "saw" / "60.wav").read_bytes()
    sent = client.post(f"{API}/uploads", params={"name": "mine.wav"}, content=content).json()
    monkeypatch.setattr("disentone.serve.sounds.outline", damaged)
    monkeypatch.setattr("disentone.serve.served.embed_query", lambda _, path, **__: damaged(path))
    query = {"query": {"examples": [{"upload": sent["upload"], "end": 0.5}]}}
    answers = [
        client.post(f"{API}/search", json=query),
        client.get(f"{API}/peaks", params={"id": "saw/61.wav"}),
        client.post(f"{API}/uploads", params={"name": "other.wav"}, content=content),
    ]
    assert [answer.json()["error"] for answer in answers] == [
        "'mine.wav' is damaged.",
        "'saw/61.wav' is damaged.",
        "'other.wav' is damaged.",
    ]


def test_a_disk_that_is_full_is_told_without_a_path(client, served, monkeypatch, caplog):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(served.folder))

    monkeypatch.setattr("disentone.serve.uploads.Uploads._receive", full)
    answer = client.post(f"{API}/uploads", content=b"x")
    assert answer.status_code == 507
    assert answer.json()["error"] == "The server cannot store this: No space left on device."
