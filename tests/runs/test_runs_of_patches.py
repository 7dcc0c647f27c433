from quick_runs import Notes

import disentone
from disentone.recipes import load_recipe

SETTINGS = [
    "data={kind: patches, clips: 240, seconds: 0.5, sample_rate: 16000}",
    "frontend={kind: logmel, sample_rate: 16000, n_fft: 512, hop: 256, n_mels: 24, seconds: 0.5}",
    "audit={seeds: 1, permutations: 20, measures: [none]}",
    "training.epochs=2",
]
FACETS = ["pitch:4 same=pitch owns=f0", "space:4 same=space owns=level"]


def test_facets_are_learnt_from_patches_and_audited_by_what_was_drawn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe, notes = load_recipe("debug", settings=SETTINGS, facets=FACETS), Notes()
    assert disentone.train(recipe, "run", watcher=notes).exists()
    assert "Synthesising" in notes.stages
    card = disentone.Card.load("run/audit.json")
    probed = {record["factor"] for record in card.records if record["measure"] == "probe"}
    # Draws of a group are of one split each, so none of those in test can be recognised.
    assert probed == {
        "f0", "notes", "brightness", "noise", "attack", "length", "rate", "reverberation", "floor",
        "level",
    }  # fmt: skip
    leaks = {(r["facet"], r["factor"]) for r in card.records if r["measure"] == "leak"}
    assert ("space", "f0") in leaks
    assert ("pitch", "f0") not in leaks
    stores = list((tmp_path / ".cache" / "disentone").iterdir())
    assert len(stores) == 1, "features are kept, to go on from"
