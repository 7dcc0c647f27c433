"""Packing a run as a model that comes with disentone."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml

import disentone
import tiny_training
from disentone.audit import Card
from disentone.embeddings.model_files import NETWORK
from disentone.errors import ArtifactError, DataError
from disentone.recipes import dump_recipe, load_recipe
from disentone.runs.packing import pack

RATE = 16000
PATCHES = ["name=tiny", "about=Trained for a test.", "data={kind: patches, clips: 240}"]
PROBE = {
    "measure": "probe", "facet": "shared", "factor": "f0", "metric": "accuracy", "value": 0.8125,
    "low": 0.75, "high": 0.875, "chance": 0.25, "n": 10, "split": "test",
}  # fmt: skip


def audited(**more):
    return Card(tiny_training.FACETS, {"f0": {"kind": "continuous"}}, (PROBE | more,))


@pytest.fixture
def run(tmp_path):
    """A run folder, as far as packing looks at it."""
    folder = tmp_path / "runs" / "tiny"
    model = tiny_training.problem()[0]
    model.about |= {"recipe": "tiny", "train_clips": 192}
    model.save(folder)
    recipe = load_recipe("debug", settings=PATCHES, facets=["shared:2 same=pitch", "private:3"])
    (folder / "config.yaml").write_text(dump_recipe(recipe))
    audited().save(folder / "audit.json")
    return folder


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def waves(rng, clips=6):
    return (0.3 * rng.standard_normal((clips, RATE // 5))).astype(np.float32)


def test_a_packed_model_is_the_run_with_parameters_rounded_to_float16(run, home, rng):
    packed = disentone.load(pack(run, home=home))
    wave, whole = waves(rng), disentone.load(run)
    np.testing.assert_allclose(
        packed.embed(wave, sample_rate=RATE).values,
        whole.embed(wave, sample_rate=RATE).values,
        atol=2e-3,  # of values about 1, after layers of numbers with 11 bits
    )
    with torch.no_grad():
        for parameter in whole.network.parameters():  # the long way round
            parameter.copy_(torch.from_numpy(parameter.numpy().astype(np.float16)))
    np.testing.assert_array_equal(
        packed.embed(wave, sample_rate=RATE).values, whole.embed(wave, sample_rate=RATE).values
    )
    assert {p.dtype for p in packed.network.parameters()} == {torch.float32}
    half, full = ((f / "model.safetensors").stat().st_size for f in (home / "tiny", run))
    assert half < 0.6 * full


def test_the_card_is_made_of_the_runs_files(run, home):
    folder = pack(run, home=home)
    assert folder == home / "tiny"
    assert {file.name for file in folder.iterdir()} == {
        "MODEL_CARD.md", "audit.json", "config.json", "config.yaml", "model.safetensors",
    }  # fmt: skip
    text = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---\n")[1])
    assert (front["license"], front["datasets"]) == ("mit", ["patches"])
    for said in ("Trained for a test.", "192 clips", "0.812 (0.750 to 0.875), chance 0.250",
                 "nothing above 8 kHz", "no recording in training"):  # fmt: skip
        assert said in text
    assert Card.load(folder / "audit.json") == audited()
    assert (folder / "config.yaml").read_text() == (run / "config.yaml").read_text()


def test_a_factor_that_is_predicted_as_a_number_is_on_the_card_by_that(run, home):
    number = PROBE | {"metric": "r2", "value": 0.9, "low": 0.85, "high": 0.95, "chance": 0.0}
    lost = number | {"facet": "private", "value": None}
    records = (PROBE, number, PROBE | {"facet": "private"}, lost)
    card = Card(tiny_training.FACETS, {"f0": {"kind": "continuous"}}, records)
    card.save(run / "audit.json")
    text = (pack(run, home=home) / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| shared | R2 0.900 (0.850 to 0.950) |" in text
    assert "| private | 0.812 (0.750 to 0.875), chance 0.250 |" in text


def test_what_judged_it_goes_with_it(run, home):
    judged = run / "judged"
    audited(value=0.5, low=None, high=None).save(judged / "audit.json")
    records = [
        {"table": "Notes", "row": "timbre", "column": "same", "value": 0.94, "low": 0.9, "high": 1},
        {"table": "Notes", "row": "chance", "column": "same", "value": 0.04},
        {"table": "Notes", "row": "timbre", "column": "other", "value": None},
    ]
    (judged / "tables.json").write_text(json.dumps(records))
    folder = pack(run, home=home)
    text = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "0.500 (? to ?), chance 0.250" in text
    table = text.partition("## Notes\n\n")[2].splitlines()[:4]
    assert table == [
        "|  | same | other |",
        "| --- | --- | --- |",
        "| timbre | 0.940 (0.900 to 1.000) | ? |",
        "| chance | 0.040 |  |",
    ]
    assert json.loads((folder / "tables.json").read_text()) == records
    (judged / "tables.json").unlink()
    (judged / "audit.json").unlink()
    (run / "audit.json").unlink()
    pack(run, home=home)
    assert not (folder / "tables.json").exists()
    assert not (folder / "audit.json").exists()
    assert "It was not audited" in (folder / "MODEL_CARD.md").read_text(encoding="utf-8")


def with_collection(run, path):
    place = {"kind": "collection", "path": str(path)}
    recipe = load_recipe("debug", settings=["name=tiny", f"data={json.dumps(place)}"],
                         facets=["shared:2 same=instrument", "private:3"])  # fmt: skip
    (run / "config.yaml").write_text(dump_recipe(recipe))


def write_notes(tone, folder, split):
    for name in ("a", "b"):
        tone(f"{folder}/{name}.wav")
    return [[f"{folder}/{name}.wav", name, split] for name in ("a", "b")]


def test_recordings_are_known_by_their_folder(run, home, tone, table):
    rows = write_notes(tone, "data/urban/esc10", "train") + write_notes(tone, "elsewhere", "test")
    with_collection(run, table([["path", "instrument", "split"], *rows]))
    text = (pack(run, home=home) / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| urban/esc10 | environmental sounds" in text
    assert "CC BY 3.0 and CC0" in text
    stored = yaml.safe_load((home / "tiny" / "config.yaml").read_text())
    assert stored["data"]["path"] is None  # of this machine
    assert "elsewhere" not in text  # it was tested on these, not trained
    assert "no recording" not in text


def test_recordings_beside_patches_are_listed_with_them(run, home, tone, table, tmp_path):
    folder = tmp_path / "data" / "notes" / "fluid"
    write_notes(tone, "data/notes/fluid", "train")
    (folder / "clips.csv").write_text("path,instrument,split\na.wav,a,train\nb.wav,b,train\n")
    place = {"kind": "patches", "clips": 240, "path": str(tmp_path / "data"),
             "recordings": [{"path": "notes/fluid", "takes": 20}]}  # fmt: skip
    recipe = load_recipe("debug", settings=["name=tiny", f"data={json.dumps(place)}"],
                         facets=["shared:2 same=pitch", "private:3"])  # fmt: skip
    (run / "config.yaml").write_text(dump_recipe(recipe))
    text = (pack(run, home=home) / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert yaml.safe_load(text.split("---\n")[1])["datasets"] == ["patches", "notes/fluid"]
    assert str(tmp_path) not in (home / "tiny" / "config.yaml").read_text()


def test_data_of_an_unknown_licence_is_refused_and_nothing_is_written(run, home, tone, table):
    rows = write_notes(tone, "data/notes/fluid", "train") + write_notes(tone, "mine", "valid")
    with_collection(run, table([["path", "instrument", "split"], *rows]))
    with pytest.raises(DataError, match=r"Nothing is known of the licence of .*mine.*sources.yaml"):
        pack(run, home=home)
    assert not home.exists()
    recipe = load_recipe("debug", settings=["name=tiny"])
    (run / "config.yaml").write_text(dump_recipe(recipe))
    with pytest.raises(DataError, match="licence of 'syntone'"):
        pack(run, home=home)


def test_weights_that_float16_does_not_hold_are_refused(run, home):
    model = disentone.load(run)
    name, parameter = next(iter(model.network.named_parameters()))
    with torch.no_grad():
        parameter.view(-1)[0] = 70_000
    assert name in {n.removeprefix(NETWORK) for n in model.network.state_dict()}
    model.save(run)
    with pytest.raises(ArtifactError, match=rf"'{name}' has a value of 7e\+04.* float32"):
        pack(run, home=home)
    assert not home.exists()


def test_the_command_says_in_one_sentence_what_is_wrong(tmp_path):
    words = [sys.executable, "-m", "disentone.runs.packing", str(tmp_path / "nowhere")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: There is no model in ")
    assert len(done.stderr.splitlines()) == 1
