import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from disentone.audit import Card
from disentone.errors import ArtifactError, DataError, RecipeError
from disentone.recipes import load_recipe
from disentone.report.tradeoff import Panel, Point, pareto, tradeoff
from disentone.reproduce import PAPERS, balance, csn, latent, marl, reproduce
from disentone.reproduce import cells as module
from disentone.watcher import Watcher

QUICK = ("training.epochs=1", "audit.seeds=1", "audit.permutations=20", "data.frequencies=50")
SETTINGS = ("audit.classes.frequency=3",)
PUBLISHED = {"shared → timbre": 0.9741}
KEYS = {"table", "row", "column", "value", "low", "high", "paper"}


def cells(seeds):
    """A main table with two rows, and an ablation, as of a real paper but tiny."""
    return [
        module.Cell("Table 1: accuracy", "ours", "debug", SETTINGS, seeds=seeds, paper=PUBLISHED),
        module.Cell("Table 1: accuracy", "wide", "debug", (*SETTINGS, "model.encoder.width=48")),
        module.Cell("Ablation: weights", "gamma 1", "debug", ("objective.1.gamma=1",)),
    ]


@pytest.fixture(scope="module")
def small():
    """Let the paper be reproduced in seconds."""
    with pytest.MonkeyPatch.context() as patch:
        study = replace(marl.study(None), source="A paper & its authors.", cells=cells, quick=QUICK)
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
    told = {c: [card.value("probe", *c, "accuracy") for card in cards] for c in columns}
    (facet, factor), values = next((c, v) for c, v in told.items() if v[0] != v[1])
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
        module.Cell("Table 1", "one", "debug", run="same"),
        module.Cell("Table 2", "two", "debug", run="same", columns=("shared → timbre",)),
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
        module.Cell("T", "broken", "debug", ("training.learning_rate=1e30",)),
        module.Cell("T", "whole", "debug"),
    ]
    study = replace(PAPERS["marl"](None), cells=lambda seeds: some)
    monkeypatch.setitem(PAPERS, "marl", lambda data: study)
    with pytest.raises(RecipeError, match="no longer finite"):
        reproduce("marl", tmp_path, quick=True, jobs=jobs)
    assert (tmp_path / "cells" / "whole-t-0" / "report.html").exists()


def test_a_cell_that_another_process_is_at_comes_last(small, tmp_path, monkeypatch):
    import fcntl

    some = [module.Cell("T", name, "debug") for name in ("busy", "free")]
    study = replace(PAPERS["marl"](None), cells=lambda seeds: some)
    monkeypatch.setitem(PAPERS, "marl", lambda data: study)
    lock = tmp_path / "locks" / "busy-t-0"
    lock.parent.mkdir()
    other = lock.open("a")
    fcntl.flock(other, fcntl.LOCK_EX)
    real, order = module.train, []

    def train(recipe, folder, **options):
        order.append(folder.name)
        if folder.name == "free-t-0":
            other.close()  # the other process is killed: its cell is ours
        return real(recipe, folder, **options)

    monkeypatch.setattr(module, "train", train)
    reproduce("marl", tmp_path, quick=True)
    assert order == ["free-t-0", "busy-t-0"]


def test_torchrun_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RecipeError, match="use --jobs"):
        reproduce("marl", tmp_path)


def studies(tmp_path):
    """Every paper's study, with data that exists."""
    table = tmp_path / "clips.csv"
    table.write_text("path,instrument,pitch\n")
    (tmp_path / "triplets.csv").write_text("anchor,positive,negative,dimension\n")
    return {
        "marl": marl.study(None),
        "latent": latent.study(str(tmp_path)),
        "balance": balance.study(str(table)),
        "csn": csn.study(str(tmp_path)),
    }


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("quick", [False, True])
def test_every_cell_of_a_paper_is_a_recipe_that_exists(paper, quick, tmp_path):
    study = studies(tmp_path)[paper]
    runs = {}
    for cell in study.cells(3):
        recipe = cell.load(1, study.quick if quick else ())
        assert runs.setdefault(cell.folder(1), recipe) == recipe, "one folder, one recipe"
    rows = [(cell.table, cell.row, cell.columns) for cell in study.cells(3)]
    assert len(set(rows)) == len(rows)


def test_sonyc_runs_the_papers_protocol(tmp_path):
    (tmp_path / "annotations.csv").write_text("split,sensor_id\n")
    study = latent.study(str(tmp_path))
    assert "the paper's protocol" in study.source
    recipes = [cell.load(0) for cell in study.cells(1)]
    factors = {term.factor for recipe in recipes for term in recipe.objective
               if term.term == "classification"}  # fmt: skip
    assert factors == {"coarse", "sensor"}, "of SONYC's own table"
    recipe = recipes[0]
    assert (recipe.training.epochs, recipe.training.batch) == (100, 16)
    assert recipe.frontend.kind == "dac"
    assert recipe.data.split == "sensor:39/5/12"


def test_another_network_is_not_called_the_papers(tmp_path):
    assert "not SONYC-UST" in latent.study(str(tmp_path)).source


@pytest.mark.parametrize("paper", ["latent", "balance"])
def test_data_that_is_not_there_is_asked_for(paper, tmp_path):
    with pytest.raises(DataError, match="does not exist: give --data"):
        reproduce(paper, tmp_path / "out", data=tmp_path / "nothing")
    assert not (tmp_path / "out").exists()


def test_marl_takes_no_data(tmp_path):
    with pytest.raises(RecipeError, match="leave --data out"):
        marl.study(str(tmp_path))


def test_balance_is_the_whole_grid(tmp_path):
    cells = studies(tmp_path)["balance"].cells(1)
    assert len(cells) == 2 * 2 * (1 + 2 * 3 * 3)
    for cell in cells:
        terms = {term.term for term in cell.load(0).objective}
        assert ("reconstruction" in terms) == (cell.group == balance.WITH)
        assert bool(terms - {"reconstruction", "kl"}) == (not cell.row.startswith("none"))


def street(folder: Path) -> None:
    """A tiny network: 7 sensors that hum, each at its own pitch, under clicks or not."""
    import soundfile

    rng = np.random.default_rng(0)
    lines = ["path,sensor,baby_cry,chainsaw,split"]
    for sensor in range(7):
        for clip in range(12):
            time = np.arange(11025) / 22050
            wave = 0.1 * np.sin(2 * np.pi * (300 + 200 * sensor) * time)
            events = rng.integers(0, 2, 2)
            wave += events[0] * 0.3 * rng.normal(size=len(time)) * (time < 0.05)
            wave += events[1] * 0.2 * np.sin(2 * np.pi * 5000 * time) * (time > 0.4)
            soundfile.write(folder / f"{sensor}-{clip}.wav", wave, 22050)
            split = "train" if sensor < 3 else "valid" if sensor < 5 else "test"
            lines.append(f"{sensor}-{clip}.wav,{sensor},{events[0]},{events[1]},{split}")
    (folder / "clips.csv").write_text("\n".join(lines) + "\n")


def test_latent_from_audio_to_tables_and_figure(tmp_path, monkeypatch):
    street(tmp_path)
    monkeypatch.chdir(tmp_path)
    real = latent.study(str(tmp_path))
    small = (
        *real.quick,
        "data.derive.source=baby_cry + chainsaw",
        "data.lufs=null",
        "frontend.seconds=0.5",
        "frontend.n_mels=16",
        "model.encoder.width=8",
        "model.decoder.width=8",
        "facets.private.dim=4",
        "facets.shared.dim=4",
    )
    monkeypatch.setitem(PAPERS, "latent", lambda data: replace(real, quick=small))
    report, text = reproduce("latent", tmp_path / "out", quick=True)
    records = json.loads((tmp_path / "out" / "tables.json").read_text())
    table = {(r["row"], r["column"]): r for r in records if r["table"] == latent.TABLE_1}
    assert table["supervised on the training sensors", "source"]["paper"] == 0.699
    rows = {row for row, _ in table}
    assert {"single-view autoencoder", "contrastive, one space", latent.POOLED} <= rows
    for row in rows - {"supervised on the training sensors"}:
        source, sensor, average = (table[row, c]["value"] for c in latent.OVERALL)
        assert average == pytest.approx((source + sensor) / 2)
    second = {r["column"] for r in records if r["table"] == latent.TABLE_2}
    assert second == {*latent.OVERALL, "DSC source", "DSC sensor"}
    assert (tmp_path / "out" / "figures" / "fig._2.png").read_bytes().startswith(b"\x89PNG")
    assert "rec + mask, r = 0.8" in text
    assert "data:image/png" in report.read_text()


def test_the_pareto_front_is_what_nothing_beats():
    x = np.array([0.9, 0.5, 0.7, 0.9, 0.2])
    y = np.array([0.1, 0.8, 0.5, 0.3, 0.7])
    assert list(pareto(x, y)) == [3, 2, 1]
    for i in range(5):
        beaten = any(
            (x[j] >= x[i]) & (y[j] >= y[i]) & ((x[j], y[j]) != (x[i], y[i])) for j in range(5)
        )
        assert (i in pareto(x, y)) == (not beaten)


def test_a_trade_off_is_a_picture_with_a_panel_each():
    from matplotlib import image

    points = [Point(0.2 * i, 0.1 * i, f"p{i}", "ab"[i % 2]) for i in range(4)]
    panels = [
        Panel("left", "x", "y", points, line=0.3, line_label="base"),
        Panel("right", "x", "y", points, better=(1, -1)),
    ]
    picture = image.imread(io.BytesIO(tradeoff(panels)))
    assert picture.shape[1] > 1.5 * picture.shape[0]
    assert picture[..., :3].std() > 0.01
