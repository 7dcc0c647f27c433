import json
import shutil

import numpy as np
import pytest
from scipy import stats

from disentone import reproduce as module
from disentone.audit import Card
from disentone.errors import ArtifactError, RecipeError
from disentone.recipes import load_recipe
from disentone.reproduce import PAPERS, reproduce
from disentone.watcher import Watcher

QUICK = ("training.epochs=1", "audit.seeds=1", "audit.permutations=20", "data.frequencies=50")
SETTINGS = ("paper.shared.timbre=0.9741", "audit.classes.frequency=3")
KEYS = {"table", "row", "column", "value", "low", "high", "paper"}


def cells(seeds):
    """A main table with two rows, and an ablation, as of a real paper but tiny."""
    return [
        module.Cell("Table 1: accuracy", "ours", "debug", SETTINGS, seeds=seeds, paper=True),
        module.Cell("Table 1: accuracy", "wide", "debug", (*SETTINGS, "model.encoder.width=48")),
        module.Cell("Ablation: weights", "gamma 1", "debug", ("objective.1.gamma=1",)),
    ]


@pytest.fixture(scope="module")
def small():
    """Let the paper be reproduced in seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "QUICK", QUICK)
        patch.setitem(PAPERS, "marl", (cells, "A paper & its authors."))
        yield


@pytest.fixture(scope="module")
def done(small, tmp_path_factory):
    """A reproduction with two seeds, for looking only: folder, report, text."""
    folder = tmp_path_factory.mktemp("reproduce") / "marl"
    return folder, *reproduce("marl", folder, quick=True, seeds=2)


@pytest.fixture
def untrained(monkeypatch):
    """Names of the folders in which training was asked for; nothing is trained."""
    asked = []

    def train(recipe, folder, **_):
        asked.append(folder.name)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "train", train)
    return asked


def test_tables_are_flat_records(done):
    folder, _, _ = done
    records = json.loads((folder / "tables.json").read_text())
    assert all(set(record) == KEYS for record in records)
    rows = dict.fromkeys((record["table"], record["row"]) for record in records)
    assert list(rows) == [(cell.table, cell.row) for cell in cells(2)]
    columns = {record["column"] for record in records}
    assert columns == {
        f"{facet} → {factor}"
        for facet in ("private", "shared", "all")
        for factor in ("timbre", "frequency")
    }
    assert len(records) == len(rows) * len(columns)
    assert all(record["low"] <= record["value"] <= record["high"] for record in records)


def test_the_papers_numbers_stand_beside_their_own_row_alone(done):
    folder, _, text = done
    records = json.loads((folder / "tables.json").read_text())
    published = {(r["row"], r["column"]): r["paper"] for r in records if r["paper"] is not None}
    assert published == {("ours", "shared → timbre"): 0.9741}
    assert text.count("0.974") == 1


def test_values_are_means_over_seeds_with_their_interval(done):
    folder, _, text = done
    runs = sorted(path for path in (folder / "cells").iterdir() if path.name.startswith("ours"))
    assert len(runs) == 2
    seeds = [load_recipe(run / "config.yaml").seed for run in runs]
    assert seeds == [0, 1]
    cards = [Card.load(run / "audit.json") for run in runs]
    values = [card.value("probe", "shared", "frequency", "accuracy") for card in cards]
    assert values[0] != values[1], "two seeds, two models"
    record = next(
        r
        for r in json.loads((folder / "tables.json").read_text())
        if (r["row"], r["column"]) == ("ours", "shared → frequency")
    )
    low, high = stats.t.interval(0.95, 1, np.mean(values), stats.sem(values))
    assert record["value"] == pytest.approx(np.mean(values))
    assert (record["low"], record["high"]) == (pytest.approx(low), pytest.approx(high))
    assert f"{np.mean(values):.3f}" in text


def test_a_row_of_one_run_has_the_interval_of_its_audit(done):
    folder, _, _ = done
    card = Card.load(folder / "cells" / "gamma_1-ablation-0" / "audit.json")
    probe = card.record("probe", "private", "timbre", "accuracy")
    record = next(
        r
        for r in json.loads((folder / "tables.json").read_text())
        if (r["row"], r["column"]) == ("gamma 1", "private → timbre")
    )
    assert [record[key] for key in ("value", "low", "high")] == [
        probe[key] for key in ("value", "low", "high")
    ]


def test_cells_are_run_with_their_own_settings(done):
    folder, _, _ = done
    recipes = {
        path.name: load_recipe(path / "config.yaml") for path in (folder / "cells").iterdir()
    }
    assert len(recipes) == 4
    assert recipes["wide-table_1-0"].model.encoder.width == 48
    assert recipes["gamma_1-ablation-0"].objective[1].gamma == 1
    assert {recipe.training.epochs for recipe in recipes.values()} == {1}, "quick"


def test_the_report_shows_source_tables_and_that_it_was_quick(done):
    folder, report, text = done
    assert report == folder / "report.html"
    page = report.read_text()
    assert "<p>A paper &amp; its authors.</p>" in page
    assert "quick: not the protocol" in page
    for words in ("Table 1: accuracy", "Ablation: weights", "gamma 1", "shared → timbre"):
        assert words in page
        assert words in text


def test_what_is_done_is_not_done_again(done, untrained):
    folder, _, text = done
    before = (folder / "tables.json").read_bytes()
    assert reproduce("marl", folder, quick=True, seeds=2)[1] == text
    assert untrained == []
    assert (folder / "tables.json").read_bytes() == before


def test_a_stopped_reproduction_goes_on_with_the_cell_that_is_missing(done, untrained, tmp_path):
    folder = shutil.copytree(done[0], tmp_path / "marl")
    (folder / "cells" / "wide-table_1-0" / "report.html").unlink()
    with pytest.raises(KeyboardInterrupt):
        reproduce("marl", folder, quick=True, seeds=2)
    assert untrained == ["wide-table_1-0"]


def test_quick_cells_are_not_taken_for_the_real_ones(done, untrained, tmp_path):
    folder = shutil.copytree(done[0], tmp_path / "marl")
    with pytest.raises(ArtifactError, match="started with other settings"):
        reproduce("marl", folder, seeds=2)
    assert untrained == []


def test_features_are_computed_once_for_all_cells_that_share_them(
    done, small, tmp_path, monkeypatch
):
    prepared, given = [], []
    audit = done[0] / "cells" / "wide-table_1-0" / "audit.json"

    def prepare(recipe, **_):
        prepared.append(object())
        return prepared[-1]

    def train(recipe, folder, *, data, **_):
        given.append(data)
        shutil.copy(audit, folder)

    monkeypatch.setattr(module, "prepare", prepare)
    monkeypatch.setattr(module, "train", train)
    reproduce("marl", tmp_path, quick=True, seeds=2)
    assert len(prepared) == 1
    assert given == prepared * 4


def test_an_unknown_paper_gets_a_suggestion(tmp_path):
    with pytest.raises(RecipeError, match=r"no paper 'marll'; did you mean 'marl'\?"):
        reproduce("marll", tmp_path / "out", watcher=Watcher())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("settings", [(), module.QUICK])
def test_every_cell_of_a_paper_is_a_recipe_that_exists(paper, settings):
    found = PAPERS[paper][0](3)
    slugs = [module._slug(f"{cell.row}-{cell.table.split(':')[0]}") for cell in found]
    assert len(set(slugs)) == len(found), "every cell has its own folder"
    for cell in found:
        recipe = load_recipe(cell.recipe, settings=[*cell.settings, "seed=1", *settings])
        if cell.paper:
            assert recipe.paper
