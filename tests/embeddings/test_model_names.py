"""Models that come with disentone, by their names: with tiny ones in place of the real."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import disentone
import tiny_training
from command_line import call, complaint
from disentone import Model, packaged
from disentone.embeddings import model_id
from disentone.embeddings.estimator import FacetEmbedder
from disentone.embeddings.indexing import index_collection
from disentone.embeddings.model_files import describe, find_model
from disentone.embeddings.querying import model_folder
from disentone.errors import ArtifactError
from disentone.search import Index


@pytest.fixture
def home(model, tmp_path, monkeypatch):
    """A place of packaged models with one, 'tiny'."""
    home = tmp_path / "installed"
    shutil.copytree(model, home / "tiny")
    monkeypatch.setattr(packaged, "HERE", home)
    return home


@pytest.fixture
def other(tmp_path):
    """A model with other weights."""
    tiny_training.problem(seed=1)[0].save(tmp_path / "another")
    return tmp_path / "another"


def test_a_name_is_a_model_wherever_a_folder_is(home, model, folder):
    wave = str(next(Path(folder).rglob("*.wav")))
    expected = disentone.load(model).embed(wave).values
    for loaded in (disentone.load("tiny"), Model.from_pretrained("tiny")):
        np.testing.assert_array_equal(loaded.embed(wave).values, expected)
        assert loaded.folder == home / "tiny"
    fitted = FacetEmbedder("tiny").fit([wave])
    np.testing.assert_array_equal(fitted.transform([wave]), expected)
    assert describe("tiny") == describe(model)
    assert model_id("tiny") == model_id(model)


def test_the_commands_take_names(home, model, folder):
    by_name, by_folder = call("info", "tiny"), call("info", model)
    assert by_name.code == 0
    assert by_name.out == by_folder.out
    for given in ("tiny", model):
        assert call("embed", given, folder, "-o", f"{Path(given).name}.npz").code == 0
    one, two = (np.load(f"{name}.npz") for name in ("tiny", model.name))
    np.testing.assert_array_equal(one["embedding"], two["embedding"])
    assert call("index", "tiny", folder, "-o", "my.index").code == 0
    wave = str(next(Path(folder).rglob("*.wav")))
    found = call("search", "my.index", wave, "--end", "0.08", "--model", "tiny", "-q")
    assert found.code == 0, found.err


def test_a_folder_goes_first_only_with_a_model_in_it(home, other):
    Path("tiny").mkdir()
    Path("tiny/kick.wav").touch()
    assert find_model("tiny") == home / "tiny"
    shutil.copytree(other, "tiny", dirs_exist_ok=True)
    assert find_model("tiny") == Path("tiny")
    (Path("tiny") / "model.safetensors").unlink()
    assert find_model("tiny") == home / "tiny"


@pytest.mark.parametrize("path", ["./tiny", "tiny/", "sub/tiny"])
def test_a_path_is_no_name(home, path):
    with pytest.raises(
        ArtifactError, match=r"There is no model in \S*tiny: config.json is missing"
    ):
        find_model(path)


@pytest.mark.parametrize(
    ("name", "ending"),
    [("tinny", "did you mean 'tiny'?"), ("nowhere", "there are: tiny")],
)
def test_a_name_that_is_not_there_is_one_sentence_with_the_nearest(home, name, ending):
    with pytest.raises(ArtifactError, match="listed by disentone models") as caught:
        disentone.load(name)
    assert str(caught.value).endswith(ending)
    with pytest.raises(ArtifactError, match="listed by disentone models"):
        Model.from_pretrained(name)


def test_every_command_offers_the_nearest_name(home, folder, table):
    clips = table([["path"], ["sounds/low/a.wav"]])
    for words in (
        ("info", "tinny"),
        ("embed", "tinny", folder, "-o", "o.npz"),
        ("index", "tinny", folder, "-o", "o.index"),
        ("audit", "tinny"),
        ("audit", "tinny", "--data", clips),
    ):
        assert "did you mean 'tiny'?" in complaint(*words)
    assert not list(Path.cwd().glob("o.*"))


def test_an_index_remembers_a_name_and_no_place(home, model, folder, monkeypatch):
    index = index_collection("tiny", [folder], "my.index")
    assert index.about["packaged"] == "tiny"
    assert str(home) not in str(index.about)
    assert model_folder(index) == Path("my.index/model")
    shutil.rmtree("my.index/model")  # as on s3
    moved = shutil.move(home, home.with_name("elsewhere"))
    monkeypatch.setattr(packaged, "HERE", Path(moved))
    assert model_folder(Index("my.index")) == Path(moved) / "tiny"
    assert len(index_collection("tiny", [folder], "my.index")) == len(index)


def test_other_weights_of_a_later_release_are_noticed(home, other, folder, noise):
    index = index_collection("tiny", [folder], "my.index")
    count = len(index)
    shutil.copytree(other, home / "tiny", dirs_exist_ok=True)
    noise("sounds/new.wav")
    said = complaint("index", "tiny", folder, "-o", "my.index")
    assert f"made with other weights of 'tiny' (disentone {disentone.__version__})" in said
    assert "its own copy, 'my.index/model'" in said
    assert len(Index("my.index")) == count
    # what it says works
    assert len(index_collection("my.index/model", [folder], "my.index")) == count + 1
    assert model_folder(Index("my.index")) == Path("my.index/model")
    shutil.rmtree("my.index/model")
    with pytest.raises(ArtifactError, match=r"other weights of 'tiny'.* install disentone=="):
        model_folder(Index("my.index"))


def test_weights_of_another_format_are_refused(home):
    config = home / "tiny" / "config.json"
    config.write_text(config.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ArtifactError, match=r"has format 2, and this version .* format 1"):
        disentone.load("tiny")
