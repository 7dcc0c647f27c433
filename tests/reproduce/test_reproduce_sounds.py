"""Measuring a model of sounds on tiny sets of the same layout as the real ones."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from disentone.audit import Card
from disentone.clips import ClipTable
from disentone.datasets.file_sounds import FileSounds
from disentone.embeddings.model import Model
from disentone.embeddings.networks import untrained_network
from disentone.embeddings.systems import System
from disentone.embeddings.watcher import Watcher
from disentone.errors import ArtifactError, DataError
from disentone.facets import Facets
from disentone.factors import Factor
from disentone.recipes import load_recipe
from disentone.reproduce import sounds
from disentone.reproduce.sounds.hearing import MODEL, Heard, hear, row_name
from disentone.reproduce.sounds.notes import pitches, ranked, unit_facets

RATE = 16000
FRONTEND = {
    "kind": "logmel", "sample_rate": RATE, "n_fft": 512, "hop": 256, "n_mels": 24, "seconds": 0.5,
}  # fmt: skip
FACETS = [f"{name}:3 same={name}" for name in sounds.FACETS]
SPLITS = ("train", "train", "train", "valid", "test")


def tone(pitch, partials, seconds=0.6):
    time = np.arange(round(RATE * seconds)) / RATE
    base = 440 * 2 ** ((pitch - 69) / 12)
    waves = [np.sin(2 * np.pi * base * k * time) / k for k in range(1, partials + 1)]
    return 0.2 * np.sum(waves, axis=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Sets of a few short clips: two instruments, five takes of four pitches, and noises."""
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for place in ("notes/fluid", "notes/recorded"):
        rows = ["path,instrument,pitch,microphone,split,source_id"]
        for number in range(40):
            take, pitch, name = number % 5, 60 + number // 5 % 4, ("alto_sax", "piano")[number % 2]
            mic = ("condenser", "dynamic")[number // 10 % 2] if name == "alto_sax" else "unknown"
            wave = tone(pitch, 2 if name == "piano" else 9) + 0.001 * rng.normal(size=9600)
            rows.append(f"{number}.wav,{name},{pitch},{mic},{SPLITS[take]},r{number}")
            put(root / place / f"{number}.wav", wave)
        (root / place / "clips.csv").write_text("\n".join(rows) + "\n")
    rows = ["path,category,split,source_id"]
    for number in range(30):
        category = ("rain", "clock", "dog")[number % 3]
        steady = rng.normal(size=9600) * (0.05, 0.02, 0.01)[number % 3]
        wave = steady + (number % 3) * tone(50 + 20 * (number % 3), 3) / 3
        rows.append(f"{number}.wav,{category},{SPLITS[number // 3 % 5]},s{number}")
        put(root / "urban/esc10" / f"{number}.wav", wave)
    (root / "urban/esc10/clips.csv").write_text("\n".join(rows) + "\n")
    return root


def put(file, wave):
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, wave, RATE)


def model_in(folder, facets=FACETS, seed=3):
    """Save a model that was never trained."""
    settings = [f"frontend={json.dumps(FRONTEND)}", f"seed={seed}"]
    settings.append("data={kind: patches, clips: 240, seconds: 0.5, sample_rate: 16000}")
    recipe = load_recipe("debug", settings=settings, facets=facets)
    frontend = recipe.frontend.build()
    width = frontend.features
    network = untrained_network(recipe, frontend)
    Model(network, frontend, torch.zeros(width), torch.ones(width)).save(folder)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return model_in(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def few():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sounds, "MANY", 120)
        patch.setattr(sounds, "FEW", 60)
        yield


@pytest.fixture(scope="module")
def done(few, data, run, tmp_path_factory):
    """Everything that is measured on the validation split: folder, records, report, text."""
    out = tmp_path_factory.mktemp("out")
    report, text = sounds.measure_sounds(run, out, data=data, split="valid")
    return out, json.loads((out / "tables.json").read_text()), report, text


def of(records, table, column=None):
    found = [r for r in records if r["table"] == table and column in (None, r["column"])]
    assert found, f"{table} is among {list(dict.fromkeys(r['table'] for r in records))}"
    return {record["row"]: record for record in found}


def test_every_figure_stands_beside_the_untrained_network_and_log_mel_statistics(done):
    _, records, _, _ = done
    rows = {f"{name} facet" for name in sounds.FACETS} | {"all facets", "untrained network"}
    rows |= {f"untrained network, {name}" for name in sounds.FACETS} | {"log-mel statistics"}
    tables = dict.fromkeys(record["table"] for record in records)
    assert len([name for name in tables if name.startswith("notes/fluid")]) == 2
    for table in tables:
        if "leak" not in table and not table.startswith("Speed"):
            assert rows <= set(of(records, table)), table


def test_leaks_are_of_facets_into_what_is_not_theirs(done):
    _, records, _, _ = done
    table = "notes/recorded, instrument and pitch, leak: accuracy of that probe above chance"
    assert set(of(records, table, "pitch")) == {"timbre facet"}
    assert set(of(records, table, "instrument")) == {"pitch facet"}
    table = "Held-out patches, leak: accuracy in 20 classes above chance"
    assert set(of(records, table, "attack")) == {"pitch facet", "timbre facet", "space facet"}
    assert set(of(records, table, "level")) == {"pitch facet", "timbre facet", "envelope facet"}


def test_the_card_of_the_patches_is_one_of_the_usual_kind(done):
    out, records, _, text = done
    card = Card.load(out / "audit.json")
    column = of(records, "Held-out patches, R2 by ridge regression or on random cosines", "attack")
    assert column["envelope facet"]["value"] == card.value("probe", "envelope", "attack", "r2")
    assert card.verdict() in text


def test_tables_text_and_page_show_the_same_numbers(done):
    _, records, report, text = done
    html = report.read_text(encoding="utf-8")
    some = of(records, "urban/esc10, category", "category, by a tuned linear probe")
    for row in ("all facets", "log-mel statistics", "chance"):
        assert row in text
        assert row in html
        assert f"{some[row]['value']:.3f}" in text
    speed = [record for record in records if record["column"] == "times real time"]
    assert [record["row"] for record in speed] == ["Model.embed", "disentone embed"]
    assert all(record["value"] > 0 for record in speed)
    assert "torch threads: " in speed[0]["table"]


def test_of_the_validation_split_no_test_clip_is_read(done, data, run):
    _, records, _, _ = done
    near = of(records, "notes/fluid, nearest neighbour, each clip among all others")
    assert near["pitch facet"]["n"] == 32
    heard = hear_fluid(data, run, "valid")
    assert set(heard.table.split) == {"train", "valid"}
    assert heard.asked.sum() == 8
    heard = hear_fluid(data, run, "test")
    assert (len(heard.table), heard.asked.sum()) == (40, 8)
    assert heard.table.split[~heard.asked].tolist().count("valid") == 8


def hear_fluid(data, run, split):
    from disentone.embeddings.model import load

    models = {MODEL: load(run)}
    return hear(data / "notes/fluid", models, split=split, plain=False, watcher=Watcher())


def test_the_nearest_clip_is_by_cosine_in_every_facet_and_all_weigh_the_same():
    rng = np.random.default_rng(1)
    facets = Facets({"pitch": 3, "timbre": 5})
    values = rng.normal(size=(30, 8)) * rng.uniform(0.1, 9, (30, 1))
    values[:, 3:] *= 0.001
    parts = [part / np.linalg.norm(part, axis=1)[:, None] for part in facets.split(values).values()]
    cosine = {"pitch": parts[0] @ parts[0].T, "timbre": parts[1] @ parts[1].T}
    cosine["all"] = cosine["pitch"] + cosine["timbre"]
    units = unit_facets(values, facets)
    table, factor = known(rng)
    heard = Heard(table, {MODEL: System("", facets, tuple(table.ids), values)}, "test")
    found = of(list(ranked("near", heard, {"instrument": factor})), "near", "same instrument")
    for name, cosines in cosine.items():
        np.fill_diagonal(cosines, -np.inf)
        same = factor.values[cosines.argmax(axis=1)] == factor.values
        assert found[row_name(MODEL, name)]["value"] == pytest.approx(same.mean())
    np.testing.assert_allclose(units @ units.T + np.eye(30), cosine_with_self(parts), atol=1e-6)


def test_a_pitch_that_was_never_fitted_is_found_by_regression():
    rng = np.random.default_rng(1)
    facets = Facets({"pitch": 2, "timbre": 2})
    table, _ = known(rng)
    pitch = np.repeat(np.arange(60, 75), 2)
    split = np.where(np.isin(pitch, (63, 64, 70)), "test", "train")
    factors = {"pitch": Factor.continuous("pitch", pitch, kind="ordinal")}
    table = ClipTable(table.ids, factors, split, table.sounds)
    line = pitch[:, None] * [1.0, 0.5]
    values = np.c_[line, rng.normal(size=(30, 2))]
    heard = Heard(table, {MODEL: System("", facets, tuple(table.ids), values)}, "test")
    found = of(list(pitches("notes", heard)), "notes")
    assert found["pitch facet"]["value"] == 1
    assert found["pitch facet"]["n"] == 6
    assert found["timbre facet"]["value"] < 0.7
    assert "chance" not in found, "61, the best constant, is a semitone from none of them"
    heard = replace(heard, table=replace(table, split=np.tile(["train", "test"], 15)))
    found = of(list(pitches("notes", heard)), "notes")
    assert found["chance"]["value"] == pytest.approx(3 / 15)


def cosine_with_self(parts):
    return sum(part @ part.T for part in parts) + np.eye(len(parts[0]))


def known(rng):
    ids = [f"{i}.wav" for i in range(30)]
    factor = Factor.categorical("instrument", list(rng.choice(["a", "b"], 30)))
    nothing = FileSounds(np.array(ids), np.zeros(30), np.full(30, np.nan))
    split = np.full(30, "train")
    return ClipTable(np.array(ids), {"instrument": factor}, split, nothing), factor


def test_sets_that_are_not_there_are_left_out_with_the_reason(few, data, run, tmp_path):
    place = tmp_path / "data" / "notes" / "recorded"
    place.mkdir(parents=True)
    for file in (data / "notes" / "recorded").iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    table = (place / "clips.csv").read_text().replace("alto_sax", "oboe")
    (place / "clips.csv").write_text(table)
    out = tmp_path / "out"
    _, text = sounds.measure_sounds(run, out, data=tmp_path / "data", quick=True)
    assert f"Left out, notes/fluid: {tmp_path / 'data' / 'notes' / 'fluid'} does not exist." in text
    assert "microphones of the saxophone: There is no instrument 'alto_sax'" in text
    records = json.loads((out / "tables.json").read_text())
    assert not [r for r in records if r["table"].startswith(("notes/fluid", "urban"))]
    assert set(of(records, "Held-out patches, R2 by ridge regression or on random cosines")) == {
        *(f"{name} facet" for name in sounds.FACETS), "all facets",
    }  # fmt: skip
    _, text = sounds.measure_sounds(run, out, quick=True)
    assert "Left out, urban/esc10: no folder of data was given." in text


def test_a_model_of_other_facets_is_refused_and_nothing_is_written(tmp_path):
    other = model_in(tmp_path / "run", ["pitch:3 same=pitch", "colour:3 same=timbre"])
    with pytest.raises(DataError, match="no facet 'timbre'"):
        sounds.measure_sounds(other, tmp_path / "out")
    with pytest.raises(ArtifactError, match="There is no model"):
        sounds.measure_sounds(tmp_path / "nothing", tmp_path / "out")
    same = model_in(tmp_path / "same")
    with pytest.raises(DataError, match="'nowhere' does not exist: give the folder with notes/"):
        sounds.measure_sounds(same, tmp_path / "out", data="nowhere")
    assert not (tmp_path / "out").exists()
