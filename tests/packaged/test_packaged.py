"""The models that come with disentone: whole, small, and with cards that say what they are."""

import numpy as np
import pytest
import yaml

import disentone
from disentone.embeddings.model_files import MODEL_FILES
from disentone.embeddings.packaged_models import about_packaged
from disentone.packaged import (
    CARD,
    HERE,
    SOURCES,
    name_of,
    or_packaged,
    packaged_folder,
    packaged_models,
)
from disentone.recipes import load_recipe

MOST_BYTES = 8_000_000  # of the weights of all of them
HUB = {"license", "library_name", "pipeline_tag", "tags", "datasets"}


@pytest.fixture(params=packaged_models())
def name(request):
    return request.param


def card(name):
    """What the hub reads of a card, and its text."""
    _, front, text = (packaged_folder(name) / CARD).read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(front), text


def test_the_model_of_sounds_is_there():
    assert "sounds" in packaged_models()


def test_the_weights_are_small():
    weights = list(HERE.glob("*/model.safetensors"))
    assert sorted(file.parent.name for file in weights) == packaged_models()
    assert sum(file.stat().st_size for file in weights) <= MOST_BYTES


def test_it_embeds(name):
    model = disentone.load(name)
    rate = model.frontend.sample_rate
    wave = 0.3 * np.random.default_rng(0).standard_normal(rate).astype(np.float32)
    found = model.embed(wave, sample_rate=rate)
    assert found.values.shape == (1, model.facets.dim)
    assert np.isfinite(found.values).all()
    assert found.values.std() > 0


def test_the_card_is_as_the_hub_reads_it(name):
    front, text = card(name)
    assert set(front) >= HUB
    assert front["license"] == "mit"
    assert f"# {name}\n" in text
    assert f'disentone.load("{name}")' in text
    for heading in ("## What it was trained on", "## What it cannot do", "## Audit"):
        assert heading in text


def test_the_card_lists_every_data_set_with_its_licence(name):
    front, text = card(name)
    known = {source["name"]: source for source in yaml.safe_load(SOURCES.read_text("utf-8"))}
    assert front["datasets"]
    for one in front["datasets"]:
        row = next(line for line in text.splitlines() if line.startswith(f"| {one} |"))
        assert known[one]["licence"] in row
        assert known[one]["by"] in row
    data = load_recipe(packaged_folder(name) / "config.yaml").data
    places = [known[one].get("kind") or known[one]["folder"] for one in front["datasets"]]
    for used in (data.kind, *(one.path for one in getattr(data, "recordings", ()))):
        assert used in places


def test_the_card_has_the_figures_of_the_audit(name):
    file = packaged_folder(name) / "audit.json"
    if not file.exists():
        pytest.skip("it was not audited, as its card says")
    _, text = card(name)
    audit = disentone.Card.load(file)
    assert audit.facets == disentone.load(name).facets
    for facet in audit.facets:
        assert audit.sentence(facet) in text
    probes = [r for r in audit.records if r["measure"] == "probe" and r["value"] is not None]
    numbers = {(r["facet"], r["factor"]) for r in probes if r["metric"] == "r2"}
    for record in probes:
        if record["metric"] == "r2":
            assert f"R2 {record['value']:.3f} (" in text
        elif record["metric"] == "accuracy" and (record["facet"], record["factor"]) not in numbers:
            assert f"{record['value']:.3f} (" in text


def test_what_is_listed_is_what_is_there(name):
    about, model = about_packaged(name), disentone.load(name)
    assert about["facets"] == model.facets.to_json()
    assert set(about["predicts"]) == set(model.facets)
    assert about["parameters"] == sum(p.numel() for p in model.network.parameters())
    assert about["bytes"] >= sum((packaged_folder(name) / f).stat().st_size for f in MODEL_FILES)


def test_a_name_is_of_a_folder_here_alone(name, tmp_path):
    folder = packaged_folder(name)
    assert name_of(folder) == name
    assert name_of(tmp_path / name) is None
    for other in ("", ".", "..", f"../packaged/{name}", f"{name}/", "nothing"):
        assert packaged_folder(other) is None


def test_what_is_there_is_no_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert or_packaged(name) == packaged_folder(name)
    (tmp_path / name).mkdir()
    assert or_packaged(name).resolve() == tmp_path / name
    assert or_packaged(tmp_path / "nothing") == tmp_path / "nothing"


def test_every_source_says_what_a_card_needs():
    sources = yaml.safe_load(SOURCES.read_text("utf-8"))
    assert len({source["name"] for source in sources}) == len(sources)
    for source in sources:
        assert {"name", "content", "licence", "by"} <= set(source)
        assert ("kind" in source) != ("folder" in source)
