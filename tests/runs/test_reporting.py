import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

import page_tree
from disentone.audit import Card
from disentone.embeddings.model import Model
from disentone.frontends.config import LogMelConfig
from disentone.frontends.logmel import LogMel
from disentone.models import MultiView
from disentone.recipes import load_recipe
from disentone.runs import reporting as module
from disentone.runs.preparation import prepare
from disentone.runs.reporting import report_run, resynthesise


@pytest.fixture(scope="module")
def parts():
    """Arguments of a report: an untrained model, real data, a card with one number."""
    recipe = load_recipe("debug", settings=["paper.shared.timbre=0.9741"])
    data, frontend = prepare(recipe), LogMel(recipe.frontend)
    torch.manual_seed(0)
    network = MultiView(
        recipe.model, recipe.layout(), frames=frontend.frames, features=frontend.features
    )
    model = Model(network, frontend, torch.tensor(-30.0), torch.tensor(12.0))
    record = {
        "measure": "probe", "facet": "shared", "factor": "timbre", "metric": "accuracy",
        "value": 0.4321, "low": 0.4, "high": 0.5, "chance": 0.25, "n": 40, "split": "test",
    }  # fmt: skip
    about = {"timbre": {"kind": "categorical", "classes": ["sine", "square"]}}
    return {
        "recipe": recipe,
        "model": model,
        "data": data,
        "card": Card(recipe.layout(), about, (record,), "made up"),
    }


@pytest.fixture(scope="module")
def inputs(parts, tmp_path_factory):
    """What is handed to the page."""
    taken = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "write_report", lambda inputs, path: taken.append(inputs))
        report_run(tmp_path_factory.mktemp("inputs"), **parts)
    return taken[0]


@pytest.fixture(scope="module")
def held_out(parts):
    """Test clips: table, features, embedding."""
    data = parts["data"]
    rows = data.table.where("test")
    features = data.features[rows]
    return data.table.take(rows), features, parts["model"].embed_features(features)


def test_the_page_is_written_and_plays(parts, tmp_path):
    (tmp_path / "metrics.jsonl").write_text(
        "".join(
            json.dumps({"epoch": i, "train/total": 9.0 - i, "valid/total": 9.5 - i}) + "\n"
            for i in range(3)
        )
    )
    assert report_run(tmp_path, **parts) == tmp_path / "report.html"
    tree = page_tree.read(tmp_path / "report.html")
    assert tree.first("h1").words == "disentone · debug"
    assert "0.432" in tree.words
    assert "0.974" in tree.words, "the paper's"
    players = list(tree.all("audio"))
    assert len(players) == 4 * 6
    kind, coded = players[0].attributes["src"].split(",", 1)
    assert kind.startswith("data:audio/")
    wave, rate = soundfile.read(io.BytesIO(base64.b64decode(coded)))
    assert (len(wave), rate) == (4000, 16000)
    assert np.abs(wave).max() > 0.1


def test_an_audit_elsewhere_has_no_curves_and_a_report_all_the_same(inputs):
    assert inputs.history == []


def test_only_the_held_out_is_shown(inputs, held_out):
    _, features, embedding = held_out
    np.testing.assert_array_equal(inputs.embedding, embedding)
    assert len(inputs.embedding) == len(inputs.factors["timbre"].values) == 40
    shown = inputs.reconstructions[0]
    assert len(shown) == 6
    for picture in shown:
        assert (features == picture).all((1, 2)).any()


def test_reconstructions_are_the_models(inputs, parts):
    shown, rebuilt, captions = inputs.reconstructions
    expected = parts["model"].decode(parts["model"].embed_features(shown))
    np.testing.assert_allclose(rebuilt, expected, rtol=1e-5, atol=1e-4)
    assert len(captions) == len(shown)
    assert all(text.startswith("timbre ") and " Hz" in text for text in captions)


def find(wave, table):
    """Index of the clip with this waveform."""
    return next(i for i in range(len(table)) if (table.sounds.read(i, 16000) == wave).all())


def test_players_are_the_clips_and_their_exchanged_facets(inputs, parts, held_out):
    table, features, _ = held_out
    model, shared = parts["model"], parts["model"].facets.slice("shared")
    assert len(inputs.sounds) == 4
    for title, sounds in inputs.sounds:
        assert [sound.caption for sound in sounds] == [
            "A, original", "A, reconstruction", "A with the shared facet of B",
            "B, original", "B, reconstruction", "B with the shared facet of A",
        ]  # fmt: skip
        assert {sound.sample_rate for sound in sounds} == {16000}
        a, b = (find(sounds[i].wave, table) for i in (0, 3))
        timbres = [table.factor("timbre").labels()[i] for i in (a, b)]
        assert timbres[0] != timbres[1], "the two players differ"
        assert [f"timbre {timbre}" in title for timbre in timbres] == [True, True]
        own = model.codes(features[[a, b]])
        codes = np.concatenate([own, own])  # in this order: phases are drawn by row
        codes[2, shared], codes[3, shared] = own[1, shared], own[0, shared]
        expected = resynthesise(model.decode(codes), model.frontend)
        for wave, index in zip(expected, (1, 4, 2, 5)):
            np.testing.assert_allclose(sounds[index].wave, wave, atol=1e-4)


def test_every_related_facet_is_exchanged(parts, held_out, tmp_path, monkeypatch):
    taken = []
    monkeypatch.setattr(module, "write_report", lambda inputs, path: taken.append(inputs))
    recipe = load_recipe("debug", settings=["facets.private.same=frequency"])
    report_run(tmp_path, **{**parts, "recipe": recipe})
    model, (table, features, _) = parts["model"], held_out
    _, sounds = taken[0].sounds[0]
    assert [sound.caption for sound in sounds[:4]] == [
        "A, original", "A, reconstruction", "A with the private facet of B",
        "A with the shared facet of B",
    ]  # fmt: skip
    own = model.codes(features[[find(sounds[i].wave, table) for i in (0, 4)]])
    codes = np.concatenate([own, own, own])
    for row, facet in ((2, "private"), (4, "shared")):
        part = model.facets.slice(facet)
        codes[row : row + 2, part] = own[::-1, part]
    expected = resynthesise(model.decode(codes), model.frontend)
    for wave, index in zip(expected, (1, 5, 2, 6, 3, 7)):
        np.testing.assert_allclose(sounds[index].wave, wave, atol=1e-4)


def test_no_clip_is_in_two_pairs_and_all_classes_are_heard(inputs, held_out):
    table = held_out[0]
    sources = [find(sounds[i].wave, table) for _, sounds in inputs.sounds for i in (0, 3)]
    assert len(set(sources)) == 8
    labels = table.factor("timbre").labels()
    assert {labels[i] for i in sources} == {"sine", "triangle", "sawtooth", "square"}


def test_traversals_move_one_dimension_of_one_clip(inputs, parts, held_out):
    model, embedding = parts["model"], held_out[2]
    assert list(inputs.traversals) == [
        "private[0]", "private[1]", "private[2]", "shared[0]", "shared[1]",
    ]  # fmt: skip
    distance = np.linalg.norm(embedding - embedding.mean(0), axis=1)
    codes = np.repeat(embedding[[distance.argmin()]], 7, axis=0)
    codes[:, 3] = np.linspace(*inputs.traversal_range, 7)
    np.testing.assert_allclose(inputs.traversals["shared[0]"], model.decode(codes), atol=1e-4)


def test_axes_are_in_seconds_and_hertz(inputs):
    assert inputs.mel_axes.frame_seconds == pytest.approx(256 / 16000)
    bands = np.asarray(inputs.mel_axes.band_hz)
    assert len(bands) == 24
    assert (np.diff(bands) >= 0).all()
    assert 0 < bands[0] < 300
    assert 6000 < bands[-1] < 8000


def test_what_was_skipped_and_the_settings_are_listed(inputs, parts):
    assert inputs.skipped == []
    assert load_recipe("debug").about in inputs.config
    assert inputs.own == parts["recipe"].owns()


@pytest.mark.parametrize("frequency", [600.0, 2500.0])
def test_a_tone_survives_resynthesis(frequency):
    frontend = LogMel(LogMelConfig(seconds=0.25, n_fft=1024, hop=128, n_mels=128))
    time = np.arange(frontend.samples) / 16000
    tone = np.stack([0.5 * np.sin(2 * np.pi * frequency * time), 0 * time]).astype(np.float32)
    waves = resynthesise(frontend(torch.from_numpy(tone)).numpy(), frontend)
    assert waves.shape == tone.shape
    assert waves.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(waves[0]))
    assert 4 * spectrum.argmax() == pytest.approx(frequency, rel=0.03)  # 4 Hz a bin
    assert np.sqrt(np.mean(waves[0] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.3)
    assert np.abs(waves[1]).max() == pytest.approx(0, abs=1e-6), "the floor is silence"


def test_a_split_of_one_clip_has_a_report(parts, tmp_path):
    data = parts["data"]
    test = data.table.where("test")
    keep = np.setdiff1d(np.arange(len(data.table)), test[1:])
    few = replace(data, views=data.views.take(keep), windows=data.windows.take(keep))
    report = report_run(tmp_path, **parts | {"data": few})
    assert "0.432" in report.read_text()
