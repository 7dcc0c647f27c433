"""Probes within one split: what a model for unseen sensors says of clips of the test sensors."""

import csv

import numpy as np
import pytest
import soundfile
import yaml

from disentone.audit import Card
from disentone.datasets.opening import open_collection
from disentone.datasets.stratification import split_within
from disentone.errors import DataError, RecipeError
from disentone.recipes import dump_recipe, load_recipe
from disentone.runs import training as runs
from disentone.runs.auditing import audit_run

RATE = 8000
SENSORS = {"0": "train", "1": "train", "2": "valid", "3": "valid", "4": "test", "5": "test"}


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Features of files are kept below the working folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def network(tmp_path):
    """Six sensors, in splits of their own; a sensor is a hum, a source is a tone."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "network"
    folder.mkdir()
    time = np.arange(RATE // 4) / RATE
    rows = [["path", "split", "sensor", "dog", "rain"]]
    for sensor, split in SENSORS.items():
        for clip in range(16):
            has = [clip % 2, clip // 2 % 2]
            wave = 0.2 * np.sin(2 * np.pi * (150 + 90 * int(sensor)) * time)
            for on, frequency in zip(has, (1500, 2500)):
                wave += on * 0.2 * np.sin(2 * np.pi * frequency * time + rng.random())
            name = f"{sensor}_{clip:02d}.wav"
            soundfile.write(folder / name, wave + 0.01 * rng.normal(size=len(time)), RATE)
            rows.append([name, split, sensor, *has])
    with (folder / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


@pytest.fixture
def recipe(tmp_path):
    """Give a tiny recipe of the paper's kind: the sensor shared, the source private."""

    def make(path, labels, *settings, **frontend):
        values = yaml.safe_load(dump_recipe(load_recipe("debug")))
        values |= {"name": "small", "data": {"kind": "collection"}}
        values["data"]["derive"] = {"source": " + ".join(labels)}
        values["facets"] = {
            "private": {"dim": 3, "owns": ["source"]},
            "shared": {"dim": 3, "same": "sensor"},
        }
        values["objective"] = []
        values["frontend"] |= {"sample_rate": RATE, "n_mels": 12} | frontend
        values["training"] |= {"epochs": 1}
        values["audit"] = {"factors": ["sensor", "source"], "seeds": 1, "within": "test"}
        values["audit"] |= {"stratify": ["sensor", "source"], "permutations": 20}
        (tmp_path / "small.yaml").write_text(yaml.safe_dump(values))
        return load_recipe(tmp_path / "small.yaml", data=path, settings=settings)

    return make


def test_a_run_is_audited_within_its_test_sensors(network, recipe, tmp_path):
    asked = recipe(network, ["dog", "rain"], "audit.baselines=true")
    report = runs.train(asked, tmp_path / "run")
    card = Card.load(tmp_path / "run" / "audit.json")
    assert card.factors["sensor"]["classes"] == ["4", "5"]
    sensor = card.record("probe", "mean features", "sensor")
    assert (sensor["train"], sensor["n"], sensor["chance"]) == (20, 12, 0.5)
    assert sensor["value"] == 1.0
    assert card.record("probe", "all", "source")["metric"] == "jaccard"
    assert card.value("probe", "all", "source", "map") > 0
    assert card.record("dsc_delta", "private", "source")["other"] == "shared"
    assert card.record("dsc_delta", "shared", "sensor")["other"] == "private"
    assert "DSC Δ" in report.read_text(encoding="utf-8")
    again = audit_run(tmp_path / "run", out=tmp_path / "again")
    assert Card.load(again.parent / "audit.json") == card


def test_without_it_the_sensor_cannot_be_told(network, recipe, tmp_path):
    asked = recipe(network, ["dog", "rain"], "audit.within=null", "audit.stratify=[]")
    runs.train(asked, tmp_path / "run")
    assert Card.load(tmp_path / "run" / "audit.json").value("probe", "all", "sensor") == 0


def test_what_cannot_be_is_said_before_the_training(network, recipe, tmp_path):
    with pytest.raises(RecipeError, match="'stratify' needs 'within' beside it"):
        recipe(network, ["dog", "rain"], "audit.within=null")
    asked = recipe(network, ["dog", "rain"], "audit.stratify=[sensr]")
    with pytest.raises(DataError, match="no factor 'sensr'; did you mean 'sensor'"):
        runs.train(asked, tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


STREETS = ["baby_cry", "chainsaw", "clock_tick", "dog_bark", "fire_crackling", "helicopter",
           "person_sneeze", "rain", "rooster", "sea_waves"]  # fmt: skip


@pytest.mark.data
def test_streets_are_100_clips_to_learn_from_and_60_to_score(shared_data, recipe, tmp_path):
    path = shared_data / "urban" / "streets"
    if not path.is_dir():
        pytest.skip(f"{path.name}/ is not there")
    asked = recipe(path, STREETS, seconds=1.0)
    whole = open_collection(asked.data).table
    part = split_within(whole, "test", by=("sensor", "source"), share=0.375)
    test = part.split == "test"
    assert (len(part), test.sum()) == (160, 60)
    sensor, source = part.factor("sensor"), part.factor("source").values
    assert sensor.classes == ("2", "6", "8", "15")
    np.testing.assert_allclose(np.bincount(sensor.values[test]), 15, atol=1)
    np.testing.assert_allclose(source[test].sum(0), 0.375 * source.sum(0), atol=2)
    runs.train(asked, tmp_path / "run")
    card = Card.load(tmp_path / "run" / "audit.json")
    for name in ("sensor", "source"):
        assert card.record("probe", "all", name)["n"] == 60
        assert card.record("probe", "all", name)["train"] == 100
    assert len(card.factors["source"]["classes"]) == 10
