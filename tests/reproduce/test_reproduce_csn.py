"""Reproducing CSN: which rows there are, what they are scored by, and what is shown."""

import json
import shutil
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import soundfile
import torch

from disentone.datasets.triplets import read_triplets
from disentone.embeddings.model import Model
from disentone.embeddings.networks import untrained_network
from disentone.errors import DataError
from disentone.files import write_bytes
from disentone.models.config import InceptionConfig
from disentone.recipes import dump_recipe, load_recipe
from disentone.reproduce import csn
from disentone.reproduce.cells import Row, Score

RATE = 22050
HEADER = "path,genre,mood,instrument,era,tempo,key,split\n"


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Eight songs of a second, known in all six dimensions, and two triplets of them."""
    folder, rows = tmp_path_factory.mktemp("music"), []
    time = np.arange(RATE) / RATE
    for place in range(8):
        wave = 0.3 * np.sin(2 * np.pi * (110, 880)[place % 2] * (1 + place / 40) * time)
        soundfile.write(folder / f"s{place}.wav", wave, RATE)
        kind, split = "ab"[place % 2], ("train", "valid", "test", "test")[place // 2]
        key, tempo = ("C major", "D minor")[place % 2], (60, 97)[place % 2]
        rows.append(f"s{place}.wav,{kind},{kind},{kind},{kind},{tempo},{key},{split}\n")
    (folder / "clips.csv").write_text(HEADER + "".join(rows))
    (folder / "triplets.csv").write_text(
        "anchor,positive,negative,dimensions\ns4.wav,s6.wav,s5.wav,genre;key\n"
        "s5.wav,s7.wav,s4.wav,tempo\n"
    )
    return folder


@pytest.fixture(scope="module")
def run(music, tmp_path_factory):
    """What a run of csn-music leaves, of a size for a test and not trained."""
    out = tmp_path_factory.mktemp("run")
    settings = [f"data.path={music}", "frontend.seconds=1", "model.encoder.width=0.0625"]
    recipe = load_recipe("csn-music", settings=settings)
    frontend = recipe.frontend.build()
    network = untrained_network(recipe.model_copy(update={"seed": 7}), frontend)
    width = frontend.features
    Model(network, frontend, torch.zeros(width), torch.ones(width)).save(out)
    write_bytes(out / "config.yaml", dump_recipe(recipe).encode())
    return out


def cells(music, seeds=2):
    return csn.study(str(music)).cells(seeds)


def test_table_1_has_the_papers_rows_and_ours_beside_its_numbers(music):
    first = [cell for cell in cells(music) if cell.table == csn.TABLE_1]
    assert {cell.paper.get("triplet score") for cell in first[:5]} == {
        0.8192, 0.8286, 0.7934, 0.8169, 0.8380,
    }  # fmt: skip
    assert [cell.row for cell in first[5:]] == [
        "untrained, multi-input", "no labels: views, multi-input", "log-mel statistics",
    ]  # fmt: skip
    recipes = {cell.row: cell.load(0) for cell in first}
    sizes = [recipes[cell.row].layout().dim for cell in first[:5]]
    assert sizes == [256, 256, 258, 384, 384]
    assert [len(recipes[cell.row].layout()) for cell in first[:5]] == [4, 4, 6, 6, 6]
    inputs = [recipes[cell.row].frontend.inputs.chosen() for cell in first[:5]]
    assert [len(names) for names in inputs] == [1, 3, 1, 1, 3]
    for recipe in recipes.values():
        (term,) = [term for term in recipe.objective if term.term == "triplet"]
        assert set(term.ordered(recipe.relations())) == set(recipe.layout())
        assert recipe.data.path == str(music)


def test_table_2_has_every_subset_of_one_run_beside_the_papers(music):
    second = [cell for cell in cells(music) if cell.table == csn.TABLE_2]
    assert len(second) == 63
    assert {cell.folder(0) for cell in second} == {cells(music)[4].folder(0)}
    published = [cell for cell in second if cell.paper]
    assert len(published) == 12
    era = next(cell for cell in second if cell.row == "era")
    assert (era.facet, era.paper["triplet score"]) == ("era", 0.7559)


def records(music, run, system):
    """What was kept of the scores of a system."""
    given = read_triplets(music / "triplets.csv")
    return json.loads((run / f"triplets-{system}-{given.key}.json").read_text())


def test_other_triplets_are_scored_anew(music, run, tmp_path):
    folder = tmp_path / "music"
    shutil.copytree(music, folder)
    before = csn.study(str(folder)).scores(run, "genre")["triplet score"].value
    rows = (folder / "triplets.csv").read_text().splitlines()
    turned = [",".join(np.array(row.split(","))[[0, 2, 1, 3]]) for row in rows[1:]]
    (folder / "triplets.csv").write_text("\n".join([rows[0], *turned]))
    after = csn.study(str(folder)).scores(run, "genre")["triplet score"].value
    assert after == 1 - before


def test_clips_of_triplets_are_not_trained_on(music, tmp_path):
    folder = tmp_path / "music"
    shutil.copytree(music, folder)
    table = (folder / "clips.csv").read_text()
    (folder / "clips.csv").write_text(table.replace("C major,test", "C major,train"))
    with pytest.raises(DataError, match=r"such as 's4\.wav', are not in the test split"):
        csn.study(str(folder))


def test_dimensions_are_those_of_the_triplets(music, run, tmp_path):
    folder = tmp_path / "music"
    shutil.copytree(music, folder)
    header = "anchor,positive,negative,dimension\n"
    (folder / "triplets.csv").write_text(header + "s4.wav,s6.wav,s5.wav,genre\n")
    study = csn.study(str(folder))
    own = [cell for cell in study.cells(1) if cell.table == csn.OWN]
    assert {cell.columns for cell in own} == {("genre", "mean of these")}
    rows = [Row(cell, [study.scores(run, cell.facet)]) for cell in study.cells(1)
            if cell.facet not in ("statistics", "untrained")]  # fmt: skip
    assert len(study.figures(rows)) == 1, "one dimension is no chart of dimensions"
    (folder / "triplets.csv").write_text(header + "s4.wav,s6.wav,s5.wav,rhythm\n")
    with pytest.raises(DataError, match="hold in none of the dimensions genre"):
        csn.study(str(folder))


def test_scores_of_a_run_are_those_of_its_triplets_and_kept(music, run, monkeypatch):
    scores = csn.study(str(music)).scores
    whole = scores(run, "all")
    assert {"triplet score", "genre", "key", "tempo", "map genre", "map tempo"} <= set(whole)
    assert 0 <= whole["triplet score"].low <= whole["triplet score"].value <= 1
    assert set(scores(run, "statistics")) >= {"triplet score", "genre"}
    assert scores(run, "statistics")["genre"].value == 1, "tones three octaves apart"
    kept = records(music, run, "run")
    subset = [r for r in kept if (r["facet"], r["factor"]) == ("genre+key", "all")]
    assert subset[0]["value"] == scores(run, "genre+key")["triplet score"].value
    monkeypatch.setattr(csn, "judge", lambda *_, **__: pytest.fail("scored again"))
    assert csn.study(str(music)).scores(run, "all") == whole


def test_own_facets_are_told_for_every_trained_row_and_the_untrained(music, run):
    own = [cell for cell in cells(music) if cell.table == csn.OWN]
    first = [cell for cell in cells(music) if cell.table == csn.TABLE_1]
    assert [cell.row for cell in own] == [cell.row for cell in first[:-1]]
    scores = csn.study(str(music)).scores
    for facet, system in (("own", "run"), ("own, untrained", "untrained")):
        found = scores(run, facet)
        values = {
            r["factor"]: r["value"]
            for r in records(music, run, system)
            if r["measure"] == "triplet" and r["facet"] == r["factor"] and r["value"] is not None
        }
        assert values
        del values["all"]
        assert {name: found[name].value for name in values} == values
        assert found["mean of these"].value == pytest.approx(np.mean(list(values.values())))


def made(music, value):
    """Rows with made-up scores, by table and row."""
    return [
        Row(cell, [dict.fromkeys(cell.columns or ("triplet score",), Score(*[value(cell)] * 3))])
        for cell in cells(music, seeds=1)
    ]


def test_the_best_six_subsets_the_papers_and_the_facets_alone_are_shown(music):
    rows = made(music, lambda cell: 0.9 if cell.row == "mood + key" else 0.5)
    shown = [row.cell.row for row in csn.arranged(rows) if row.cell.table == csn.TABLE_2]
    assert shown[0] == "mood + key"
    assert len(shown) == len(set(shown)) <= 6 + 6 + 6
    assert set(csn.DIMENSIONS) <= set(shown)
    for names in csn.PUBLISHED:
        assert any(set(row.split(" + ")) == names for row in shown)


def test_figures_are_radar_charts_of_the_facets(music):
    figures = csn.figures(made(music, lambda cell: 0.8 if cell.row == "tempo" else 0.6))
    assert [figure.caption[:6] for figure in figures] == ["Fig. 2", "Fig. 3"]
    label = ET.fromstring(figures[0].image).get("aria-label")
    assert "ours: genre 0.60" in label
    assert "tempo 0.80" in label
    assert "the paper, on Dim-sim: genre 0.75" in label


def test_a_folder_with_tags_and_dimsim_is_the_papers_protocol(tmp_path):
    (tmp_path / "lastfm_train").mkdir()
    names = [
        f"{role}_{what}"
        for role in ("anchor", "song1", "song2")
        for what in ("id", "start_seconds")
    ]
    row = "TRA,0,TRB,0,TRC,0,1"
    (tmp_path / "clean-dim-sim.csv").write_text(",".join([*names, "song1_vote"]) + f"\n{row}\n")
    for name in ("TRA", "TRB", "TRC"):
        soundfile.write(tmp_path / f"{name}.wav", np.ones(10), RATE)
    study = csn.study(str(tmp_path))
    assert study.title == " on MSD and Dim-sim"
    found = study.cells(1)
    assert {cell.table for cell in found} == {csn.TABLE_1, csn.TABLE_2}
    recipe = found[4].load(0)
    assert (recipe.data.dataset, recipe.data.derive["key"]) == ("msd-lastfm", "estimate")
    assert (recipe.training.learning_rate, recipe.model.encoder.width) == (1e-5, 1)
    assert (recipe.training.schedule, recipe.frontend.cyclic) == ("plateau", None)
    for cell in found[:5]:
        model = cell.load(0).model
        assert model.encoder == InceptionConfig(), "nothing that is not in the paper"
        assert not model.unit_length


def test_the_title_says_what_it_is_not(music):
    study = csn.study(str(music))
    assert study.title == f" on {music.name}, not Dim-sim"
    assert "no human judgements" in study.source


def test_missing_data_or_triplets_are_named(tmp_path):
    with pytest.raises(DataError, match="give the data"):
        csn.study(str(tmp_path / "nowhere"))
    (tmp_path / "clips.csv").write_text(HEADER)
    with pytest.raises(DataError, match=r"no '.*triplets.csv': a table with the columns anchor"):
        csn.study(str(tmp_path))
