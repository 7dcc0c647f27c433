"""A collection embedded in shards is the one of a single process, whatever becomes of these."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import tiny_training
from command_line import call, complaint
from disentone.embeddings import collection, read_embeddings
from disentone.embeddings.collection import embed_collection
from disentone.embeddings.embedder import EmbedOptions
from disentone.embeddings.gathering import gather
from disentone.embeddings.indexing import index_collection, index_shards
from disentone.embeddings.sharding import embed_shard
from disentone.embeddings.shards import Shard
from disentone.embeddings.watcher import Watcher
from disentone.errors import ArtifactError, AudioError, DataError
from disentone.search import Index


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(collection, "_PART", 3)


@pytest.fixture
def many(noise):
    """A table of 11 usable files in 2 folders, with labels, and of two that cannot be used."""
    lines = ["path,label,tempo"]
    for number in range(11):
        name = f"{'ab'[number % 2]}/{number:02d}.wav"
        noise(f"many/{name}", 0.2 + 0.1 * (number % 3))
        lines.append(f"{name},l{number % 3},{90 + number if number % 4 else ''}")
    Path("many/a/junk.wav").write_text("no audio at all " * 100)
    noise("many/b/silent.wav", silent=[(0, 1)])
    lines[4:4] = ["a/junk.wav,l0,", "b/silent.wav,l1,100"]
    Path("many/clips.csv").write_text("\n".join(lines) + "\n")
    return "many"


def shards(model, paths, count, folder="dir", options=None, **more):
    """Make all shards, the last one first."""
    for number in range(count, 0, -1):
        embed_shard(model, paths, folder, Shard(number, count), options or EmbedOptions(), **more)


def skipped(file):
    with open(file, encoding="utf-8", newline="") as lines:
        return sorted((row["path"], row["reason"]) for row in csv.DictReader(lines))


# --- the same as one process -------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_shards_are_to_the_byte_what_one_process_makes(model, many, count):
    embed_collection(model, [many], "whole.parquet")
    shards(model, [many], count)
    gather("dir", "o.parquet")
    assert Path("o.parquet").read_bytes() == Path("whole.parquet").read_bytes()
    assert skipped("o-skipped.csv") == skipped("whole-skipped.csv")
    assert len(skipped("o-skipped.csv")) == 2
    left = {file.name.partition("-of")[0] for file in Path("dir").iterdir()}
    assert left == {f"shard-{number:05d}" for number in range(1, count + 1)}, "nothing unfinished"


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_segments_gather_into_every_format(model, many, suffix):
    options = EmbedOptions(segment=0.15, hop=0.1)
    embed_collection(model, [many], f"whole.{suffix}", options)
    shards(model, [many], 3, options=options)
    gather("dir", f"o.{suffix}")
    whole, joined = (read_embeddings(f"{name}.{suffix}") for name in ("whole", "o"))
    np.testing.assert_array_equal(joined.values, whole.values)
    assert joined.about == whole.about
    for name, column in whole.columns.items():
        np.testing.assert_array_equal(joined.columns[name], column)


def test_parts_are_spread_and_every_clip_is_in_one_shard():
    rows = [Shard(number, 3).rows(20, 3).tolist() for number in (1, 2, 3)]
    assert rows[1] == [3, 4, 5, 12, 13, 14]
    assert sorted(number for shard in rows for number in shard) == list(range(20))


def test_a_shard_that_is_there_is_not_made_again_and_a_killed_one_is(model, noise):
    paths = [noise(f"s/{number:03d}.wav") for number in range(120)]
    code = (
        "import sys; from disentone.embeddings import collection; collection._PART = 3\n"
        "from disentone.embeddings.sharding import embed_shard\n"
        "from disentone.embeddings.shards import Shard\n"
        "from disentone.embeddings.watcher import Watcher\n"
        "class Slow(Watcher):\n"
        "    def stage(self, name):\n"
        "        import time\n"
        "        def show(done, total):\n"
        "            if done >= 9: print('working', flush=True); time.sleep(600)\n"
        "        return show\n"
        "embed_shard(sys.argv[1], ['s'], 'dir', Shard(1, 2), watcher=Slow())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(model)], stdout=subprocess.PIPE, env=os.environ
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"working\n"
    with pytest.raises(ArtifactError, match=r"Another command makes shard 1/2 in 'dir'"):
        embed_shard(model, ["s"], "dir", Shard(1, 2))
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not list(Path("dir").glob("shard-*")), "nothing of it has the name of a shard"
    shards(model, ["s"], 2)
    times = {file: file.stat().st_mtime_ns for file in Path("dir").glob("*.parquet")}
    notes = []
    watcher = Watcher()
    watcher.note = notes.append
    shards(model, ["s"], 2, watcher=watcher)
    assert all("finished already" in note for note in notes)
    assert {file: file.stat().st_mtime_ns for file in Path("dir").glob("*.parquet")} == times
    gather("dir", "o.parquet")
    assert read_embeddings("o.parquet").columns["path"].tolist() == paths
    assert not list(Path("dir").glob(".*.tmp"))


def test_more_shards_than_clips_leave_empty_ones(model, noise):
    shards(model, [noise("a.wav"), noise("b.wav")], 4)
    gather("dir", "o.parquet")
    assert read_embeddings("o.parquet").columns["path"].tolist() == ["a.wav", "b.wav"]


# --- an index ----------------------------------------------------------------------------------


def contents(place):
    index = Index(place)
    items = index.items().sort_by("id")
    with index.changing() as changes:
        entries = changes.entries().sort_by("id").to_pylist()
    return items.to_pydict(), entries, index.vectors(items["id"].to_pylist()).tobytes()


def test_an_index_of_shards_is_that_of_one_process_and_follows_its_files(model, many, updated):
    index_collection(model, [many], "whole.index", exclude=["b/05.wav"])
    shards(model, [many], 3, exclude=["b/05.wav"])
    index_shards("dir", "my.index")
    one, other = contents("whole.index"), contents("my.index")
    assert len(one[0]["id"]) == 10
    assert other == one
    left_out = [
        [path for path, _ in skipped(f"{name}.index/skipped.csv")] for name in ("my", "whole")
    ]
    assert left_out[0] == left_out[1]
    assert len(left_out[0]) == 2
    _, line = updated(many, exclude=["b/05.wav"])
    assert line == "0 new, 0 changed, 10 kept, 0 gone"


def test_clips_that_came_after_the_shards_are_noted_and_can_be_added(model, many, noise, updated):
    shards(model, [many], 2)
    noise("many/a/new.wav")
    lines = Path("many/clips.csv").read_text()
    Path("many/clips.csv").write_text(lines + "a/new.wav,l0,100\n")
    time.sleep(0.01)
    noise("many/a/00.wav")  # changed
    notes = []
    watcher = Watcher()
    watcher.note = notes.append
    index = index_shards("dir", "my.index", watcher=watcher)
    assert len(index) == 11
    (late,) = [note for note in notes if "in no shard" in note]
    assert late.startswith("1 clips are in no shard, such as")
    assert "many/a/new.wav" in late
    _, line = updated(many)
    assert line == "1 new, 1 changed, 10 kept, 0 gone"


def test_an_index_needs_the_model_that_made_the_shards(model, many, tmp_path):
    import shutil

    copy = shutil.copytree(model, tmp_path / "copy")
    shards(copy, [many], 2)
    tiny_training.train(copy, epochs=1)
    with pytest.raises(ArtifactError, match="not the one that the shards"):
        index_shards("dir", "my.index")
    shutil.rmtree(copy)
    with pytest.raises(ArtifactError, match="There is no model in"):
        index_shards("dir", "my.index")
    assert not Path("my.index").exists()


# --- what is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0/64", "65/64", "3", "3/0", "-1/4", "a/b", "1/2/3", "", "1.5/3"])
def test_there_is_no_such_shard(text):
    with pytest.raises(DataError, match=r"There is no shard .*: write 1/") as caught:
        Shard.parse(text)
    assert "\n" not in str(caught.value)
    assert Shard.parse("64/64") == (64, 64)


def refused(match, work, *arguments, **options):
    """It is refused in one sentence, and nothing has changed."""
    before = {file: file.read_bytes() for file in Path().rglob("*") if file.is_file()}
    with pytest.raises(ArtifactError, match=match) as caught:
        work(*arguments, **options)
    assert "\n" not in str(caught.value)
    assert {file: file.read_bytes() for file in Path().rglob("*") if file.is_file()} == before


def test_a_shard_of_another_list_or_model_is_refused_before_it_is_made(
    model, many, noise, tmp_path
):
    embed_shard(model, [many], "dir", Shard(1, 3))
    refused("shards of 3, not of 4", embed_shard, model, [many], "dir", Shard(2, 4))
    other = tmp_path / "other"
    tiny_training.train(other, epochs=1)
    refused("another model", embed_shard, other, [many], "dir", Shard(2, 3))
    options = EmbedOptions(segment=0.1)
    refused("segment None, not 0.1", embed_shard, model, [many], "dir", Shard(2, 3), options)
    text = Path("many/clips.csv").read_text()
    Path("many/clips.csv").write_text(text.replace("b/01.wav,l1", "b/01.wav,l2"))
    refused("another list of clips", embed_shard, model, [many], "dir", Shard(2, 3))
    refused("another list of clips", embed_shard, model, [many], "dir", Shard(1, 3))
    Path("many/clips.csv").write_text(text + "a/00.wav,l0,1\n".replace("00", "99"))
    noise("many/a/99.wav")
    refused(r"list of clips \(13, not 14\)", embed_shard, model, [many], "dir", Shard(2, 3))


def test_what_does_not_belong_together_is_not_gathered(model, many, noise):
    refused("There are no shards in 'dir'", gather, "dir", "o.parquet")
    embed_shard(model, [many], "dir", Shard(2, 3))
    refused(r"lacks shards.*: 1/3, 3/3\.", gather, "dir", "o.parquet")
    refused(r"lacks shards.*: 1/3, 3/3\.", index_shards, "dir", "my.index")
    shards(model, [many], 3)
    Path("o.parquet").write_text("mine")
    refused("'o.parquet' exists", gather, "dir", "o.parquet")
    Path("many/clips.csv").write_text(
        Path("many/clips.csv").read_text().replace("b/01.wav,l1", "b/01.wav,l2")
    )
    shards(model, [many], 3, "other")
    file = Shard(2, 3).file("dir")
    mine = file.read_bytes()
    file.write_bytes(Shard(2, 3).file("other").read_bytes())
    refused("another list", gather, "dir", "p.parquet")
    file.write_bytes(Shard(1, 3).file("dir").read_bytes())
    refused("shard-00002-of-00003.parquet' is damaged: delete it", gather, "dir", "p.parquet")
    for damaged in (b"", mine[: len(mine) // 2], mine[:-4], b"PAR1" + mine[4:-8] + b"\0" * 8):
        file.write_bytes(damaged)
        refused("shard-00002-of-00003.parquet' is damaged: delete it", gather, "dir", "p.parquet")
    file.write_bytes(mine)
    shards(model, [many], 4, "four")
    extra = Shard(1, 4).file("dir")
    extra.write_bytes(Shard(1, 4).file("four").read_bytes())
    refused("shards of 3 and of 4", gather, "dir", "p.parquet")


def test_rows_that_are_there_twice_are_found(model, many):
    shards(model, [many], 2)
    file = Shard(1, 2).file("dir")
    table = pq.read_table(file)
    with pq.ParquetWriter(file, table.schema) as writer:
        for part in (table.slice(0, 3), table.slice(0, 3), table.slice(3)):
            writer.write_table(part)
    refused("is damaged", gather, "dir", "o.parquet")


def test_a_shard_none_of_whose_files_is_there_is_no_empty_shard(model, many, monkeypatch):
    from disentone.embeddings import sharding as module

    planned = module.plan

    def unmount(*arguments, **options):
        plan = planned(*arguments, **options)
        os.rename("many/a", "gone")
        os.rename("many/b", "gone/b")
        return plan

    monkeypatch.setattr(module, "plan", unmount)
    with pytest.raises(DataError, match=r"None of the 4 clips of shard 2/3 is there on '.*many/"):
        embed_shard(model, [many], "dir", Shard(2, 3))
    assert not Path("dir").exists()


def test_nothing_usable_is_no_file(model, noise):
    noise("silent.wav", silent=[(0, 1)])
    shards(model, ["silent.wav"], 2)
    with pytest.raises(DataError, match=r"No clip of the shards .*silent\.wav"):
        gather("dir", "o.parquet")
    with pytest.raises(DataError, match=r"No clip is usable"):
        index_shards("dir", "my.index")
    assert not Path("o.parquet").exists()


def test_stop_stops_a_shard_and_leaves_nothing_of_it(model, many):
    with pytest.raises(AudioError, match="junk"):
        shards(model, [many], 2, on_error="stop")
    assert [file.name for file in Path("dir").iterdir() if "00001" in file.name] == []


def test_a_folder_that_cannot_be_written_is_named(model, many):
    Path("file").write_text("")
    refused("could not be written", embed_shard, model, [many], "file/dir", Shard(1, 2))


# --- the command line --------------------------------------------------------------------------


def test_verbs(model, many):
    for number in (1, 2):
        done = call("embed", model, many, "--shard", f"{number}/2", "-o", "dir", "-q")
        assert done.out.strip() == str(Shard(number, 2).file("dir"))
    assert call("gather", "dir", "-o", "o.parquet", "-q").out.strip() == "o.parquet"
    assert len(read_embeddings("o.parquet").values) == 11
    call("index", model, many, "--shard", "1/1", "-o", "one", "--exclude", "b/01.wav", "-q")
    call("gather", "one", "-o", "my.index", "-q")
    assert len(Index("my.index")) == 10
    assert "65/64" in complaint("embed", model, many, "--shard", "65/64", "-o", "dir")
