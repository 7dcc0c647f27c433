"""An index that is kept like its folders, pass after pass and part by part."""

import csv
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from followed import all_there, names, rename
from near_embeddings import RATE

from disentone.datasets import clip_parts as parts_module
from disentone.embeddings import keeping as module
from disentone.embeddings.embedder import EmbedOptions
from disentone.embeddings.indexing import IndexSink, index_collection
from disentone.embeddings.keeping import begin_index, keeping
from disentone.errors import ArtifactError
from disentone.search import Index


@pytest.fixture
def kept(model):
    """Make passes over some folders, and give the index and what was told."""

    def run(*paths, out="my.index", passes=1, between=lambda: None, again=False):
        told = []
        begin_index(model, paths, out)
        options = EmbedOptions(jobs=1)
        with keeping(
            model, paths, out, options, lambda *event: told.append(event), again=again
        ) as keeper:
            for number in range(passes):
                if number:
                    between()
                keeper.run()
        return Index.open(out), told

    return run


def progress(told):
    return [facts for kind, facts in told if kind == "progress"]


def embedded(monkeypatch):
    """Count the clips that are embedded from now on."""
    counts, embed = [], IndexSink.embed

    def count(self, library, *words, wanted=None, **options):
        counts.append(int(wanted.sum()))
        return embed(self, library, *words, wanted=wanted, **options)

    monkeypatch.setattr(IndexSink, "embed", count)
    return counts


def test_an_index_without_items_can_be_opened_and_searched(model):
    begin_index(model, ["."], "my.index")
    index = Index.open("my.index")
    assert len(index) == 0
    assert len(index.query(np.ones(index.facets.dim)).rank(k=5)) == 0
    assert (Path("my.index") / "model" / "config.json").is_file()


def test_it_holds_what_the_whole_collection_at_once_would(model, folder, kept, monkeypatch):
    monkeypatch.setattr(parts_module, "FIRST", 1)
    monkeypatch.setattr(parts_module, "LATER", 2)
    index, told = kept(folder)
    whole = index_collection(model, [folder], "whole.index")
    ids = sorted(whole.items()["id"].to_pylist())
    assert sorted(index.items()["id"].to_pylist()) == ids
    np.testing.assert_allclose(index.vectors(ids), whole.vectors(ids), atol=1e-5)
    columns = ["id", "path", "recording", "start", "end", "folder"]
    assert index.items(ids, columns=columns).to_pydict() == (
        whole.items(ids, columns=columns).to_pydict()
    )
    assert progress(told)[-1] == {"done": 4, "failed": 0}


def test_it_can_be_searched_after_the_first_part(sounds, kept, monkeypatch):
    monkeypatch.setattr(module, "_FIRST", 1)
    seen = []
    commit = module.Keeping._embed_some

    def watched(self, *words):
        commit(self, *words)
        seen.append(len(Index.open("my.index")))

    monkeypatch.setattr(module.Keeping, "_embed_some", watched)
    kept(sounds)
    assert seen[0] == 1
    assert seen[-1] == 4


def test_only_what_is_new_or_changed_is_embedded(sounds, kept, noise, monkeypatch):
    kept(sounds)
    counts = embedded(monkeypatch)
    kept(sounds)
    assert counts == []
    noise("sounds/s0.wav", 0.5)
    noise("sounds/new.wav")
    index, _ = kept(sounds)
    assert sum(counts) == 2
    assert names(index) == ["new.wav", "s0.wav", "s1.wav", "s2.wav", "s3.wav"]


def test_what_is_moved_keeps_its_item_and_what_is_gone_goes(sounds, kept, monkeypatch):
    first, _ = kept(sounds)
    vector = first.vectors(["s1.wav"])
    rename("sounds/s1.wav", "sounds/deep/moved.wav")
    os.remove("sounds/s2.wav")
    counts = embedded(monkeypatch)
    index, _ = kept(sounds)
    assert counts == []
    assert names(index) == ["moved.wav", "s0.wav", "s3.wav"]
    assert all_there(index)
    np.testing.assert_array_equal(index.vectors(["s1.wav"]), vector)


def test_two_copies_of_one_that_is_gone_are_one_moved_and_one_new(sounds, kept, monkeypatch):
    monkeypatch.setattr(parts_module, "FIRST", 1)
    monkeypatch.setattr(parts_module, "LATER", 1)
    kept(sounds)
    content = Path("sounds/s0.wav").read_bytes()
    os.remove("sounds/s0.wav")
    for name in ("x", "y"):
        Path(f"sounds/{name}.wav").write_bytes(content)
    index, _ = kept(sounds)
    assert names(index) == ["s1.wav", "s2.wav", "s3.wav", "x.wav", "y.wav"]


def test_what_is_ignored_from_now_on_goes(sounds, kept):
    kept(sounds)
    Path("sounds/.disentoneignore").write_text("s0.wav\n")
    index, _ = kept(sounds)
    assert names(index) == ["s1.wav", "s2.wav", "s3.wav"]


def test_the_items_of_a_folder_that_is_empty_now_stay(sounds, kept, noise):
    """As of a disk that is not mounted."""
    noise("others/o.wav")
    kept(sounds, "others")
    os.rename("sounds", "elsewhere")
    os.mkdir("sounds")
    index, _ = kept(sounds, "others")
    assert len(index) == 5


def test_labels_of_a_table_are_factors_and_are_taken_over(sounds, kept, table, monkeypatch):
    table([["path", "key"], ["s0.wav", "c"], ["s1.wav", "d"]], "sounds/clips.csv")
    index, _ = kept(sounds)
    assert sorted(index.items(columns=["key"])["key"].to_pylist()) == ["c", "d"]
    table([["path", "key"], ["s0.wav", "c"], ["s1.wav", "e"]], "sounds/clips.csv")
    counts = embedded(monkeypatch)
    index, told = kept(sounds)
    assert counts == []
    assert sorted(index.items(columns=["key"])["key"].to_pylist()) == ["c", "e"]
    assert ("commit", {}) in told


def test_numbers_as_folders_stay_text_whatever_comes_later(noise, kept, monkeypatch):
    monkeypatch.setattr(parts_module, "FIRST", 1)
    for name in ("60/a.wav", "61/b.wav", "drums/c.wav"):
        noise(f"sounds/{name}")
    index, _ = kept("sounds")
    assert sorted(index.items(columns=["folder"])["folder"].to_pylist()) == ["60", "61", "drums"]


def test_what_cannot_be_used_is_listed_and_costs_nothing_else(sounds, kept):
    Path("sounds/broken.wav").write_bytes(b"RIFF of nothing")
    soundfile.write("sounds/silent.wav", np.zeros(RATE), RATE)
    Path("sounds/empty.wav").touch()
    index, told = kept(sounds)
    assert len(index) == 4
    assert progress(told)[-1] == {"done": 7, "failed": 3}
    with open("my.index/skipped.csv", newline="") as file:
        listed = {os.path.basename(row["path"]): row["reason"] for row in csv.DictReader(file)}
    assert set(listed) == {"broken.wav", "silent.wav", "empty.wav"}
    told = [facts for kind, facts in told if kind == "skipped"]
    assert {os.path.basename(item["path"]): item["reason"] for item in told} == listed


def test_what_cannot_be_used_is_tried_again_once_it_has_changed(sounds, kept, noise, monkeypatch):
    Path("sounds/broken.wav").write_bytes(b"RIFF of nothing")
    counts = embedded(monkeypatch)
    _, told = kept(sounds, passes=2, again=True)
    assert sum(counts) == 5
    assert progress(told)[-1] == {"done": 5, "failed": 1}
    counts.clear()
    index, told = kept(sounds, passes=2, again=True, between=lambda: noise("sounds/broken.wav"))
    assert sum(counts) == 2
    assert progress(told)[-1] == {"done": 5, "failed": 0}
    assert len(index) == 5


def test_only_silence_leaves_an_index_without_items(kept):
    os.mkdir("sounds")
    soundfile.write("sounds/a.wav", np.zeros(RATE), RATE)
    index, told = kept("sounds")
    assert len(index) == 0
    assert progress(told)[-1] == {"done": 1, "failed": 1}


def test_an_index_of_another_model_is_refused(sounds, kept, tmp_path_factory):
    import tiny_training

    other = tmp_path_factory.mktemp("other")
    tiny_training.train(other, epochs=1)
    kept(sounds)
    with pytest.raises(ArtifactError, match="another model"):
        begin_index(other, [sounds], "my.index")


def test_memory_does_not_grow_with_the_files_that_are_looked_at(kept, monkeypatch):
    """Peak of what Python holds while 500 and 8,000 files are refused."""
    monkeypatch.setattr(parts_module, "LATER", 256)

    def peak(folder, count):
        os.makedirs(folder)
        for number in range(count):
            os.close(os.open(f"{folder}/{number}.wav", os.O_CREAT))
        tracemalloc.start()
        try:
            begin, end = parts_module.clip_parts([folder]), 0
            for part in begin:
                end += part.found
            assert end == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak("many", 8000) < 1.5 * peak("few", 500)
