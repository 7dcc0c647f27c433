import re
import shlex

import pytest
from synthetic_sounds import sine
from typer.testing import CliRunner

from disentone.cli.app import app
from disentone.datasets.config import CollectionConfig
from disentone.datasets.inspection import inspect, proposals_text, propose, text
from disentone.embeddings.model import load

FILES = 21  # of which two are for validation


@pytest.fixture
def recordings(put, tmp_path, monkeypatch):
    """Give a folder of recordings of 2.2 s in a working folder of its own."""
    for number in range(FILES):
        put(f"my sounds/{number:02}.wav", sine(frequency=200 + 20 * number, seconds=2.2))
    monkeypatch.chdir(tmp_path)
    return CollectionConfig(path="my sounds")


def commands(page):
    """Commands on a page as a shell takes them, words each."""
    lines = re.sub(r" \\\n\s*", " ", page).splitlines()
    return [shlex.split(line) for line in lines if line.strip().startswith("disentone ")]


def test_inspect_ends_with_commands_that_work_as_printed(recordings):
    look, train = commands(text(inspect(recordings)))
    assert look == ["disentone", "open", "my sounds"]
    assert train[:5] == ["disentone", "train", "facets", "--data", "my sounds"]
    assert "source:16 same=recording" in train
    # Two epochs, as the test asks only whether it works.
    done = CliRunner().invoke(app, [*train[1:], "--epochs", "2", "--quiet"])
    assert done.exit_code == 0, done.output
    run = done.output.split()[-1]
    assert run == "runs/source"
    assert dict(load(run).facets) == {"source": 16, "rest": 8}


def test_one_shots_are_proposed_copies_and_these_commands_work(put, tmp_path, monkeypatch):
    pytest.importorskip("audiomentations", reason="the extra 'augment' is not installed")
    for number in range(FILES):
        put(f"{number:02}.wav", sine(frequency=200 + 20 * number, seconds=0.2))
    monkeypatch.chdir(tmp_path)
    config = CollectionConfig(path=str(tmp_path))
    page = proposals_text(config, propose(config))
    assert "same=recording" not in page
    assert "pip install 'disentone[augment]'" in page
    asked = commands(page)
    assert [words[words.index("--out") + 1] for words in asked] == [
        "runs/timbre",
        "runs/tone",
        "runs/sound",
    ]
    for words in asked:
        done = CliRunner().invoke(app, [*words[1:], "--epochs", "1", "--quiet"])
        assert done.exit_code == 0, done.output


def test_train_without_facets_says_what_each_would_mean_and_trains_nothing(recordings, tmp_path):
    done = CliRunner().invoke(app, ["train", "facets", "--data", "my sounds"])
    assert done.exit_code != 0
    assert (
        "parts of one recording agree,\n  so it encodes what stays over a recording" in done.output
    )
    assert not (tmp_path / "runs").exists()
    asked = commands(done.stdout)
    assert [words[words.index("--out") + 1] for words in asked] == [
        f"runs/{name}" for name in ("source", "timbre", "tone", "sound")
    ]


def test_proposals_keep_how_the_collection_is_read(recordings):
    config = CollectionConfig(path=recordings.path, seed=3)
    asked = commands(proposals_text(config, propose(config)))
    assert len(asked) == 4
    assert all("data.seed=3" in words for words in asked)


def test_segments_that_are_there_are_taken(recordings):
    config = CollectionConfig(path="my sounds", segment=0.5)
    first, *_ = propose(config)
    assert first.facets[0] == "source:16 same=recording"
    assert first.settings == {}


def test_too_few_recordings_are_told(put, tmp_path):
    for number in range(3):
        put(f"{number}.wav", sine(frequency=200 + 20 * number, seconds=2.2))
    config = CollectionConfig(path=str(tmp_path))
    assert propose(config) == ()
    for page in (text(inspect(config)), proposals_text(config, ())):
        assert "two recordings each" in page
        assert f"disentone open {tmp_path}" in page
        assert "disentone train" not in page


def test_labels_come_first(put, tmp_path):
    for number in range(FILES):
        put(f"{'ab'[number % 2]}/{number:02}.wav", sine(frequency=200 + 20 * number, seconds=2.2))
    found = inspect(CollectionConfig(path=str(tmp_path)))
    assert found.facets[0] == "folder:8 same=folder"
    assert found.proposals == ()
    assert "disentone open" in text(found)
