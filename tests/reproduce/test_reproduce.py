"""A reproduction runs the cells of a paper, once each, and tables them beside its numbers."""

import json
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from scipy import stats

from disentone.audit import Card
from disentone.embeddings.watcher import Watcher
from disentone.errors import ArtifactError, RecipeError
from disentone.recipes import load_recipe
from disentone.report import Figure
from disentone.report.radar import radar
from disentone.reproduce import PAPERS, marl, reproduce
from disentone.reproduce import running as module
from disentone.reproduce.cells import Cell

QUICK = ("training.epochs=1", "audit.seeds=1", "audit.permutations=20", "data.frequencies=50")
SETTINGS = ("audit.classes.frequency=3",)
PUBLISHED = {"shared → timbre": 0.9741}
CHART = {"ours": {"a": 0.1, "b": 0.2, "c": 0.3}}
KEYS = {"table", "row", "column", "value", "low", "high", "paper"}


def cells(seeds):
    """A main table with two rows, and an ablation, as of a real paper but tiny."""
    return [
        Cell("Table 1: accuracy", "ours", "debug", SETTINGS, seeds=seeds, paper=PUBLISHED),
        Cell("Table 1: accuracy", "wide", "debug", (*SETTINGS, "model.encoder.width=48")),
        Cell("Ablation: weights", "gamma 1", "debug", ("objective.1.gamma=1",)),
    ]


@pytest.fixture(scope="module")
def small():
    """Let the paper be reproduced in seconds."""
    with pytest.MonkeyPatch.context() as patch:
        study = replace(
            marl.study(None),
            source="A paper & its authors.",
            cells=cells,
            quick=QUICK,
            figures=lambda rows: [
                Figure("Fig. 1: rows.", radar(CHART, title="Rows", unit="share"))
            ],
        )
        patch.setitem(PAPERS, "marl", lambda data: study)
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
    assert cards[0].records != cards[1].records, "two seeds, two models"
    columns = [(facet, factor) for facet in ("private", "shared") for factor in cards[0].factors]
    scores = {c: [card.value("probe", *c, "accuracy") for card in cards] for c in columns}
    (facet, factor), values = next((c, v) for c, v in scores.items() if v[0] != v[1])
    record = next(
        r
        for r in json.loads((folder / "tables.json").read_text())
        if (r["row"], r["column"]) == ("ours", f"{facet} → {factor}")
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


def test_a_chart_stands_in_the_page_and_is_a_file_of_its_own(done):
    folder, report, _ = done
    chart = (folder / "figures" / "fig._1.svg").read_text()
    assert ET.fromstring(chart).get("aria-label").startswith("Rows (share). ours: a 0.10")
    assert chart in report.read_text()


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
    prepared, given, devices = [], [], []
    audit = done[0] / "cells" / "wide-table_1-0" / "audit.json"

    def prepare(recipe, *, device, **_):
        devices.append(device)
        prepared.append(object())
        return prepared[-1]

    def train(recipe, folder, *, data, **_):
        given.append(data)
        shutil.copy(audit, folder)

    monkeypatch.setattr(module, "prepare", prepare)
    monkeypatch.setattr(module, "train", train)
    reproduce("marl", tmp_path, quick=True, seeds=2, device="meta")
    assert devices == ["meta"], "front-ends run where they are asked to"
    assert given == prepared * 4


def test_cells_that_share_their_features_are_run_one_after_the_other():
    mels = [f"frontend.n_mels={count}" for count in (24, 32, 24, 24, 32)]
    jobs = [
        module._Job(Path(str(place)), load_recipe("debug", settings=[mel]), "", True)
        for place, mel in enumerate(mels)
    ]
    assert [job.folder.name for job in module._by_data(jobs)] == ["0", "2", "3", "1", "4"]


def test_copies_of_another_seed_are_other_features(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "prepare", lambda recipe, **_: object())
    prepared, chains = {}, ["facets.private={dim: 3, same: clip, augment: [gain]}"]
    for settings, same in (([], True), (chains, False)):
        first, second = (
            module._prepared(
                load_recipe("debug", settings=[*settings, f"seed={seed}"]), prepared, "cpu", None
            )
            for seed in range(2)
        )
        assert (first is second) == same


def test_an_unknown_paper_gets_a_suggestion(tmp_path):
    with pytest.raises(RecipeError, match=r"no paper 'marll'; did you mean 'marl'\?"):
        reproduce("marll", tmp_path / "out", watcher=Watcher())
    assert not (tmp_path / "out").exists()


def test_cells_that_name_the_same_run_share_it(small, tmp_path, monkeypatch):
    shared = [
        Cell("Table 1", "one", "debug", run="same"),
        Cell("Table 2", "two", "debug", run="same", columns=("shared → timbre",)),
    ]
    study = replace(PAPERS["marl"](None), cells=lambda seeds: shared)
    monkeypatch.setitem(PAPERS, "marl", lambda data: study)
    reproduce("marl", tmp_path, quick=True)
    assert [path.name for path in (tmp_path / "cells").glob("same*")] == ["same-0"]
    records = json.loads((tmp_path / "tables.json").read_text())
    second = [record for record in records if record["row"] == "two"]
    assert [record["column"] for record in second] == ["shared → timbre"]
    assert second[0]["value"] in [r["value"] for r in records if r["row"] == "one"]


def test_cells_run_at_once_give_what_they_give_one_by_one(done, small, tmp_path, monkeypatch):
    alone = json.loads((done[0] / "tables.json").read_text())
    study = replace(PAPERS["marl"](None), cells=lambda seeds: cells(1)[1:])
    monkeypatch.setitem(PAPERS, "marl", lambda data: study)
    reproduce("marl", tmp_path, quick=True, jobs=2)
    records = json.loads((tmp_path / "tables.json").read_text())
    assert records == [record for record in alone if record["row"] != "ours"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_cell_that_fails_is_told_after_the_others_have_run(small, tmp_path, monkeypatch, jobs):
    some = [
        Cell("T", "broken", "debug", ("training.learning_rate=1e30",)),
        Cell("T", "whole", "debug"),
    ]
    study = replace(PAPERS["marl"](None), cells=lambda seeds: some)
    monkeypatch.setitem(PAPERS, "marl", lambda data: study)
    with pytest.raises(RecipeError, match="no longer finite"):
        reproduce("marl", tmp_path, quick=True, jobs=jobs)
    assert (tmp_path / "cells" / "whole-t-0" / "report.html").exists()


def test_a_cell_that_another_process_is_at_comes_last(small, tmp_path, monkeypatch):
    some = [Cell("T", name, "debug") for name in ("busy", "free")]
    study = replace(PAPERS["marl"](None), cells=lambda seeds: some)
    monkeypatch.setitem(PAPERS, "marl", lambda data: study)
    (tmp_path / "locks").mkdir()
    other = FileLock(tmp_path / "locks" / "busy-t-0").acquire()
    real, order = module.train, []

    def train(recipe, folder, **options):
        order.append(folder.name)
        if folder.name == "free-t-0":
            other.lock.release()  # the other process is killed: its cell is ours
        return real(recipe, folder, **options)

    monkeypatch.setattr(module, "train", train)
    reproduce("marl", tmp_path, quick=True)
    assert order == ["free-t-0", "busy-t-0"]


def test_torchrun_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RecipeError, match="use jobs"):
        reproduce("marl", tmp_path)
