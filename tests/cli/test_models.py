"""The models that come with disentone, listed."""

import json

import tiny_training
from command_line import call, complaint
from disentone import Card, packaged
from disentone.packaged import CARD, packaged_folder, packaged_models


def test_the_models_are_listed_with_what_their_facets_predict():
    done = call("models")
    assert (done.code, done.err) == (0, "")
    headings = [line for line in done.out.splitlines() if line and not line.startswith(" ")]
    assert headings == packaged_models()
    for name in packaged_models():
        folder = packaged_folder(name)
        if (folder / "audit.json").exists():
            audit = Card.load(folder / "audit.json")
            assert all(audit.sentence(facet) in done.out for facet in audit.facets)
    for said in ("pitch (", "MIT", " MB, ", "trained on patches (MIT)"):
        assert said in done.out


def test_a_model_of_that_name_here_is_spoken_of():
    assert "Here" not in call("models").out
    tiny_training.problem()[0].save("sounds")
    assert "Here 'sounds' is the folder of that name" in call("models").out


def test_a_name_prints_the_card():
    text = (packaged_folder("sounds") / CARD).read_text(encoding="utf-8")
    assert call("models", "sounds").out == text.rstrip("\n") + "\n"


def test_json_is_a_list_or_one():
    listed = json.loads(call("models", "--json").out)
    assert [one["name"] for one in listed] == packaged_models()
    one = json.loads(call("models", "sounds", "--json").out)
    assert one in listed
    assert set(one) == {
        "name", "about", "facets", "predicts", "parameters", "bytes", "licence", "trained_on",
        "folder",
    }  # fmt: skip
    assert all({"name", "licence", "by"} <= set(source) for source in one["trained_on"])


def test_a_name_that_is_not_there_is_one_sentence():
    assert complaint("models", "soundz") == (
        "Error: No model 'soundz' comes with disentone; did you mean 'sounds'?"
    )


def test_what_an_installation_lacks_is_named(monkeypatch, tmp_path):
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").touch()
    monkeypatch.setattr(packaged, "HERE", tmp_path)
    assert "lacks its model.safetensors: install disentone anew" in complaint("models")
