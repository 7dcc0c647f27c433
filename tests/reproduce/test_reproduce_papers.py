"""The papers that can be reproduced: their recipes, their data and their tables."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from disentone.errors import DataError, RecipeError
from disentone.reproduce import PAPERS, balance, csn, latent, marl, reproduce
from disentone.runs import reporting as run_report


def studies(tmp_path):
    """Every paper's study, with data that exists."""
    table, names = tmp_path / "clips.csv", ("a.wav", "b.wav", "c.wav")
    rows = [f"{name},folk,60,C major,test\n" for name in names]
    table.write_text("path,genre,tempo,key,split\n" + "".join(rows))
    for name in names:
        soundfile.write(tmp_path / name, np.ones(10), 8000)
    triplet = ",".join([*names, "genre"])
    (tmp_path / "triplets.csv").write_text(f"anchor,positive,negative,dimension\n{triplet}\n")
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
    with pytest.raises(DataError, match="does not exist: give the data"):
        reproduce(paper, tmp_path / "out", data=tmp_path / "nothing")
    assert not (tmp_path / "out").exists()


def test_marl_takes_no_data(tmp_path):
    with pytest.raises(RecipeError, match="give no data"):
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


def report_of_the_first_alone(monkeypatch):
    """Draw the report of one cell, and none of the others: drawing takes most of a tiny run."""
    real, drawn = run_report.report_run, []

    def report_run(out, **inputs):
        if not drawn:
            drawn.append(real(out, **inputs))
            return drawn[0]
        (out / "report.html").touch()
        return out / "report.html"

    monkeypatch.setattr(run_report, "report_run", report_run)


def test_latent_from_audio_to_tables_and_figure(tmp_path, monkeypatch):
    report_of_the_first_alone(monkeypatch)
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


@pytest.mark.parametrize("paper", ["latent", "balance", "csn"])
def test_papers_ask_for_data(paper, tmp_path):
    with pytest.raises(DataError, match=f"'{paper}' is reproduced on your data: give it"):
        reproduce(paper, tmp_path / "out")
    assert not (tmp_path / "out").exists()
