import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from disentone.agreement.given import GivenTriplets
from disentone.cli import app
from disentone.clips import ClipTable, match_names
from disentone.datasets.config import CollectionConfig
from disentone.datasets.file_sounds import FileSounds
from disentone.embeddings.model import Model, load
from disentone.embeddings.networks import untrained_network
from disentone.embeddings.systems import System, system_of_file, system_of_run, wanted_songs
from disentone.embeddings.watcher import Watcher
from disentone.errors import DataError
from disentone.facets import Facets
from disentone.factors import Factor
from disentone.files import write_bytes
from disentone.recipes import dump_recipe, load_recipe
from disentone.runs.judging import judge, judge_files

RATE = 16000
CLIPS = [f"{register}/{take}.wav" for register in ("low", "high") for take in range(4)]


class Notes(Watcher):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Eight tones in two registers, of 2.5 s and less, and triplets of their register."""
    folder = tmp_path_factory.mktemp("music")
    rows = ["path,register,split"]
    for place, name in enumerate(CLIPS):
        hertz = (120, 1500)["high" in name] * (1 + 0.1 * (place % 4))
        time = np.arange(round(RATE * (1.0 + 0.5 * (place % 4)))) / RATE
        (folder / name).parent.mkdir(exist_ok=True)
        soundfile.write(folder / name, 0.4 * np.sin(2 * np.pi * hertz * time), RATE)
        rows.append(f"{name},{name.split('/')[0]},{'train' if place % 4 < 2 else 'test'}")
    (folder / "clips.csv").write_text("\n".join(rows))
    (folder / "triplets.csv").write_text(
        "anchor,positive,negative,dimensions\n"
        "low/0.wav,low/1.wav,high/0.wav,register\n"
        "high/2.wav,high/3.wav,low/2.wav,register;height\n"
    )
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of the smallest recipe's run, with a network of another seed, not trained."""
    out = tmp_path_factory.mktemp("runs") / "small"
    recipe = load_recipe("debug")
    frontend = recipe.frontend.build()
    network = untrained_network(recipe.model_copy(update={"seed": 1}), frontend)
    Model(network, frontend, torch.tensor(-30.0), torch.tensor(20.0)).save(out)
    write_bytes(out / "config.yaml", dump_recipe(recipe).encode())
    return out


def triplets(*rows):
    return GivenTriplets(
        np.array([row[:3] for row in rows], object), tuple(row[3] for row in rows), "'here'"
    )


PLANTED = System(
    "planted",
    Facets({"genre": 1, "tempo": 1, "mood": 1}),
    tuple("abcd"),
    np.array([[0.0, 0, 5], [0, 9, 5], [9, 0, 5], [9, 9, 5]]),
)
GIVEN = triplets(("a", "b", "c", ("genre",)), ("a", "c", "b", ("tempo",)))


def test_records_name_their_run_and_their_facets():
    records = judge(PLANTED, GIVEN)
    assert {record["run"] for record in records} == {"planted"}
    value = {(r["facet"], r["factor"]): r["value"] for r in records}
    assert (value["genre", "genre"], value["tempo", "genre"]) == (1, 0)
    assert (value["genre", "tempo"], value["tempo", "tempo"]) == (0, 1)
    assert value["all", "all"] == 0, "both distances are 9"


def test_triplets_of_unknown_clips_are_told_and_left_out():
    watcher = Notes()
    given = triplets(*GIVEN.names.tolist()[:0], ("a", "b", "c", ()), ("a", "x", "c", ()))
    records = judge(PLANTED, given, watcher=watcher)
    assert records[0]["n"] == 1
    assert "1 of 2 triplets name clips that planted does not have, such as 'x'" in watcher.notes[0]
    with pytest.raises(DataError, match="name its rows as the triplets do"):
        judge(PLANTED, triplets(("x", "y", "z", ())))


def test_retrieval_is_among_the_test_clips_of_other_recordings():
    clips = ClipTable(
        list("abcd"),
        {"genre": Factor.categorical("genre", list("rrjj"))},
        ["train", "test", "test", "test"],
        sounds=FileSounds(np.array(list("abcd"), object), np.zeros(4), np.ones(4)),
        recordings=list("wxyz"),
    )
    records = [r for r in judge(PLANTED, GIVEN, table=clips) if r["measure"] == "retrieval"]
    assert {r["factor"] for r in records} == {"genre"}
    assert {r["n"] for r in records} == {2}, "the query b finds no other of its genre"


def test_songs_of_dimsim_that_are_not_there_are_left_out(music):
    given = triplets(("low/3.wav", "low/1.wav", "high/0.wav", ()), ("low/3.wav", "x", "y", ()))
    songs = wanted_songs(CollectionConfig(path=str(music)), given)
    assert {"low/3.wav", "low/1.wav", "high/0.wav"} <= set(songs.table.ids[songs.rows])
    known = triplets(("low/3.wav", "x", "high/0.wav", ("genre",)))
    with pytest.raises(DataError, match="names 'x'"):
        wanted_songs(CollectionConfig(path=str(music)), known)


def test_short_clips_are_told_or_left_out_and_silent_ones_are_left_out(run, music, tmp_path):
    folder = tmp_path / "songs"
    shutil.copytree(music, folder)
    rate = soundfile.info(folder / "low/1.wav").samplerate
    wave = soundfile.read(folder / "low/1.wav")[0]
    soundfile.write(folder / "low/1.wav", wave[: len(wave) // 50], rate)
    soundfile.write(folder / "low/0.wav", 0 * wave, rate)
    given = triplets(("low/3.wav", "low/1.wav", "low/0.wav", ()))
    songs = wanted_songs(CollectionConfig(path=str(folder)), given)
    padded, skipped = Notes(), Notes()
    system = system_of_run(run, songs, watcher=padded)
    assert "low/1.wav" in system.ids
    assert "low/0.wav" not in system.ids
    assert padded.notes[0].startswith("Left out low/0.wav: ")
    assert "low/0.wav' is silent" in padded.notes[0]
    assert "padded with silence; leave them out with --short skip" in padded.notes[1]
    assert "low/1.wav" not in system_of_run(run, songs, short="skip", watcher=skipped).ids
    assert skipped.notes[1].startswith("Left out low/1.wav: The clip lasts 0.03 s, less than")


def test_a_column_called_key_need_not_be_of_keys():
    clips = ClipTable(
        list("abcd"),
        {"key": Factor.categorical("key", ["k1", "k1", "D dorian", "k1"])},
        ["test"] * 4,
        sounds=FileSounds(np.array(list("abcd"), object), np.zeros(4), np.ones(4)),
    )
    given = triplets(("a", "b", "c", ("key",)))
    records = [r for r in judge(PLANTED, given, table=clips) if r["measure"] == "retrieval"]
    assert {r["factor"] for r in records} == {"key"}


def test_a_run_embeds_whole_clips_as_means_over_segments(run, music):
    config = CollectionConfig(path=str(music), segment=0.5)
    given = triplets(("low/3.wav", "low/1.wav", "high/0.wav", ()))
    songs = wanted_songs(config, given)
    system = system_of_run(run, songs)
    expected = {"low/1.wav", "low/3.wav", "high/0.wav"}
    expected |= {name for name in CLIPS if name[-5] in "23"}  # and the test split
    assert set(system.ids) == expected
    place = system.ids.index("low/3.wav")
    alone = load(run).embed(music / "low/3.wav").values[0]
    np.testing.assert_allclose(system.values[place], alone, rtol=1e-4, atol=1e-5)
    fresh = system_of_run(run, songs, untrained=True)
    assert fresh.name == "untrained network"
    assert not np.allclose(fresh.values, system.values)


def test_the_command_judges_runs_files_and_baselines_side_by_side(run, music, tmp_path):
    heights = np.array([["high" in name, place] for place, name in enumerate(CLIPS)], float)
    np.save(tmp_path / "heights.npy", heights * [1000, 1])
    arguments = ["triplets", str(run), str(tmp_path / "heights.npy"), "--baselines", "-o"]
    arguments += [str(tmp_path / "out"), "--triplets", str(music / "triplets.csv")]
    arguments += ["--data", str(music), "--facets", "register=1,rest=1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == str(tmp_path / "out" / "report.html")
    records = json.loads((tmp_path / "out" / "triplets.json").read_text())
    assert list(dict.fromkeys(r["run"] for r in records)) == [
        "small", "heights", "untrained network", "log-mel statistics",
    ]  # fmt: skip
    value = {(r["run"], r["facet"], r["factor"], r["metric"]): r["value"] for r in records}
    assert value["heights", "register", "register", "score"] == 1
    assert value["log-mel statistics", "all", "register", "score"] == 1, "pure tones far apart"
    assert value["heights", "all", "register", "map"] == 1
    page = (tmp_path / "out" / "report.html").read_text()
    for words in ("Triplets in order", "Facets by dimension: heights", "Retrieval: map"):
        assert words in page
        assert words in result.output


def test_rows_are_averaged_by_name_and_found_by_the_end_of_their_path(tmp_path):
    np.savez(
        tmp_path / "e.npz",
        embedding=np.array([[0.0], [2.0], [5.0]]),
        path=np.array(["my/low/0.wav", "my/low/0.wav", "my/high/0.wav"]),
    )
    system = system_of_file(tmp_path / "e.npz")
    assert system.ids == ("my/low/0.wav", "my/high/0.wav")
    np.testing.assert_array_equal(system.values, [[1], [5]])
    assert match_names(system.ids, ["low/0.wav", "high/0", "0.wav", "0"]) == {"low/0.wav": 0}


def test_names_without_folders_or_suffix_are_found_where_one_clip_has_them():
    found = match_names(["audio/A/TRA.mp3", "audio/B/TRB.mp3@12.5"], ["TRA", "TRB@12.5", "TRB"])
    assert found == {"TRA": 0, "TRB@12.5": 1}


def test_rows_without_names_need_their_table(tmp_path, music):
    np.save(tmp_path / "e.npy", np.zeros((3, 2)))
    with pytest.raises(DataError, match=r"no column path, file.*name its rows"):
        system_of_file(tmp_path / "e.npy")
    with pytest.raises(DataError, match="is not the 8 clips of the data"):
        judge_files([tmp_path / "e.npy"], music / "triplets.csv", tmp_path / "o", data=music)
    with pytest.raises(DataError, match="has 2 columns, not 3"):
        system_of_file(tmp_path / "e.npy", facets="a=3")


def test_a_triplet_file_with_unknown_clips_is_refused_by_name(run, music, tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("anchor,positive,negative,dimension\nlow/0.wav,low/9.wav,high/0.wav,register\n")
    with pytest.raises(DataError, match=r"names 'low/9.wav'.*did you mean 'low/"):
        judge_files([run], file, tmp_path / "o", data=music)
    with pytest.raises(DataError, match="clips are not known: give the data"):
        judge_files([run], file, tmp_path / "o")


def test_two_systems_need_two_names(music, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "e.npy", np.arange(8.0)[:, None])
    both = [tmp_path / "a" / "e.npy", tmp_path / "b" / "e.npy"]
    with pytest.raises(DataError, match="called 'e'"):
        judge_files(both, music / "triplets.csv", tmp_path / "o", data=music)
