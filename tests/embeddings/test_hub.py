"""Models go to the Hugging Face Hub and come back, through folders: no test asks the network."""

import json
import shutil
import sys
from pathlib import Path

import huggingface_hub.hub_mixin
import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from near_embeddings import RATE, WINDOW

from disentone import Card, Facets, Model, load
from disentone.errors import ArtifactError

PROBE = {"measure": "probe", "metric": "accuracy", "low": 0.8, "high": 1.0, "chance": 0.25}
AUDIT = Card(
    Facets({"private": 3, "shared": 2}),
    {"kind": {"kind": "categorical"}, "a|b": {"kind": "categorical"}},
    (
        PROBE | {"facet": "shared", "factor": "kind", "value": 0.91},
        PROBE | {"facet": "shared", "factor": "kind", "metric": "within", "value": 0.99},
        PROBE | {"facet": "private", "factor": "a|b", "value": 0.9, "low": None, "high": None},
        PROBE | {"facet": "all", "factor": "kind", "value": 0.95},
        PROBE | {"measure": "leak", "facet": "private", "factor": "kind", "value": 0.1},
    ),
    run="runs/x",
)


@pytest.fixture
def audited(model, tmp_path):
    """A run folder with an audit."""
    folder = Path(shutil.copytree(model, tmp_path / "run"))
    AUDIT.save(folder / "audit.json")
    return folder


@pytest.fixture
def wave(rng):
    return rng.standard_normal(round(3.7 * WINDOW * RATE))


def same(one, two, wave):
    np.testing.assert_array_equal(
        one.embed(wave, sample_rate=RATE).values, two.embed(wave, sample_rate=RATE).values
    )


def test_a_model_goes_into_a_folder_and_comes_back(audited, tmp_path, wave):
    trained = load(audited)
    trained.save_pretrained(tmp_path / "shared")
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == [
        "README.md",
        "audit.json",
        "config.json",
        "model.safetensors",
    ]
    for loaded in (Model.from_pretrained(tmp_path / "shared"), load(tmp_path / "shared")):
        same(loaded, trained, wave)
        assert loaded.facets == trained.facets
        assert loaded.about == trained.about
    again = tmp_path / "again"
    Model.from_pretrained(str(tmp_path / "shared")).save_pretrained(again)
    assert Card.load(again / "audit.json") == AUDIT


def test_the_model_card_carries_the_audit(audited):
    load(audited).save_pretrained("shared")
    card = ModelCard.load("shared/README.md")
    assert card.data.library_name == "disentone"
    assert {"audio", "model_hub_mixin"} <= set(card.data.tags)
    assert yaml.safe_load(card.content.split("---")[1])["pipeline_tag"] == "feature-extraction"
    assert "# shared" in card.text
    assert "logmel 16 kHz, 0.2 s" in card.text
    assert 'Model.from_pretrained("shared")' in card.text
    assert AUDIT.verdict() in card.text
    table = [line for line in card.text.splitlines() if line.startswith("|")]
    assert table == [
        r"| facet | kind | a\|b |",
        "| --- | --- | --- |",
        "| shared | 0.910 (0.800 to 1.000), chance 0.250 |  |",
        "| private |  | 0.900 (? to ?), chance 0.250 |",
        "| all | 0.950 (0.800 to 1.000), chance 0.250 |  |",
    ]


def test_a_model_without_an_audit_says_so(model):
    Path("shared").mkdir()
    AUDIT.save("shared/audit.json")  # of another model that was there
    load(model).save_pretrained("shared")
    assert "It was not audited" in Path("shared/README.md").read_text(encoding="utf-8")
    assert not Path("shared/audit.json").exists()


def test_a_readme_of_ones_own_stays(model):
    Path("shared").mkdir()
    Path("shared/README.md").write_text("mine", encoding="utf-8")
    load(model).save_pretrained("shared")
    assert Path("shared/README.md").read_text(encoding="utf-8") == "mine"


class FakeApi:
    """Takes what is uploaded, as a dictionary."""

    def __init__(self, token=None):
        self.token = token

    def create_repo(self, repo_id, **_):
        return type("Repo", (), {"repo_id": repo_id})

    def upload_folder(self, *, repo_id, folder_path, **options):
        FakeApi.uploaded = {path.name: path.read_bytes() for path in Path(folder_path).iterdir()}
        return f"https://huggingface.co/{repo_id}/commit/{options['commit_message']}"


def test_what_is_pushed_is_what_is_loaded_by_name(audited, wave, monkeypatch):
    monkeypatch.setattr(huggingface_hub.hub_mixin, "HfApi", FakeApi)
    trained = load(audited)
    url = trained.push_to_hub("user/facets", commit_message="first")
    assert url == "https://huggingface.co/user/facets/commit/first"
    assert 'Model.from_pretrained("user/facets")' in FakeApi.uploaded["README.md"].decode()
    # a cache as the hub's library keeps it, with that commit
    commit = "0" * 40
    place = Path("cache/models--user--facets")
    (place / "snapshots" / commit).mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit)
    for name, content in FakeApi.uploaded.items():
        (place / "snapshots" / commit / name).write_bytes(content)
    loaded = Model.from_pretrained("user/facets", cache_dir="cache", local_files_only=True)
    same(loaded, trained, wave)
    assert repr(loaded) == repr(trained)


@pytest.mark.parametrize("name", ["user/nothing", "no folder/of/this name"])
def test_what_is_neither_a_folder_nor_on_the_hub_is_one_sentence(name):
    with pytest.raises(ArtifactError, match=f"no folder '{name}', and no such model") as caught:
        Model.from_pretrained(name, cache_dir="cache", local_files_only=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        OfflineModeIsEnabled("Cannot reach the hub.\nOffline mode."),
        HfHubHTTPError.__bases__[0]("403 Forbidden"),
    ],
)
def test_a_hub_that_does_not_take_a_model_is_one_sentence(model, monkeypatch, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(FakeApi, "create_repo", refuse)
    monkeypatch.setattr(huggingface_hub.hub_mixin, "HfApi", FakeApi)
    with pytest.raises(ArtifactError, match="'user/facets' could not be written") as caught:
        load(model).push_to_hub("user/facets")
    assert "\n" not in str(caught.value)
    assert str(error).splitlines()[0].rstrip(".") in str(caught.value)


def test_a_folder_without_a_model_is_named():
    Path("empty").mkdir()
    with pytest.raises(ArtifactError, match="There is no model in empty"):
        Model.from_pretrained("empty")


def test_a_damaged_model_is_one_sentence(model):
    shutil.copytree(model, "bad")
    config = json.loads(Path("bad/config.json").read_text()) | {"facets": None}
    Path("bad/config.json").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match="damaged"):
        Model.from_pretrained("bad")


@pytest.mark.parametrize(
    "use",
    [
        lambda trained: trained.save_pretrained("shared", repo_id="user/facets"),
        lambda trained: trained.push_to_hub("user/facets"),
        lambda trained: Model.from_pretrained("user/facets"),
    ],
)
def test_without_the_hubs_library_the_extra_is_named(model, monkeypatch, use):
    trained = load(model)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.delitem(sys.modules, "disentone.embeddings.hub", raising=False)
    monkeypatch.delattr("disentone.embeddings.hub", raising=False)
    with pytest.raises(ArtifactError, match=r"pip install 'disentone\[hub\]'"):
        use(trained)
    assert not Path("shared").exists()


def test_a_folder_needs_no_library_of_the_hub(audited, monkeypatch, wave):
    trained = load(audited)
    trained.save_pretrained("by-hub", repo_id="user/facets")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.delitem(sys.modules, "disentone.embeddings.hub", raising=False)
    monkeypatch.delattr("disentone.embeddings.hub", raising=False)
    trained.save_pretrained("shared")
    same(Model.from_pretrained("shared"), trained, wave)
    for name in ("README.md", "audit.json", "config.json", "model.safetensors"):
        written = (Path(folder) / name for folder in ("shared", "by-hub"))
        one, other = (file.read_bytes().replace(b"by-hub", b"shared") for file in written)
        assert one == other, name
