"""What a run leaves, how it goes on, and how it is audited again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from quick_runs import QUICK, Notes

import disentone
from disentone.audit import Card
from disentone.embeddings.model import load
from disentone.errors import ArtifactError, DataError, RecipeError
from disentone.factors import Factor
from disentone.recipes import dump_recipe, load_recipe
from disentone.runs import auditing, run_folder
from disentone.runs import training as runs
from disentone.runs.precision import resolved
from disentone.runs.preparation import prepare


@pytest.fixture(scope="module")
def recipe():
    return load_recipe("debug", settings=QUICK)


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory):
    """A finished run, for looking only."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    assert runs.train(recipe, folder) == folder / "report.html"
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    """A finished run, to do anything with."""
    return shutil.copytree(finished, tmp_path / "copied")


def as_run(recipe):
    """The recipe with the precision that suits this machine, as a run writes it."""
    return run_folder.with_precision(recipe, resolved("auto", "cpu"))


# --- what a run leaves ------------------------------------------------------------------------


def test_a_run_leaves_what_was_promised_and_nothing_else(finished):
    """No ``skipped.csv``, as nothing was skipped; no temporary file."""
    assert {path.name for path in finished.iterdir()} == {
        "config.yaml", "metrics.jsonl", "model.safetensors", "config.json", "last",
        "audit.json", "audit-outcomes.npz", "report.html", ".lock",
    }  # fmt: skip
    assert {path.name for path in (finished / "last").iterdir()} == {"state.safetensors"}
    assert not list(finished.rglob("*.tmp"))


def test_the_config_is_the_whole_recipe_again(finished, recipe):
    assert load_recipe(finished / "config.yaml") == as_run(recipe)
    assert "weight_decay" in (finished / "config.yaml").read_text(), "defaults are written out"


def test_metrics_have_a_line_for_every_epoch(finished):
    lines = map(json.loads, (finished / "metrics.jsonl").read_text().splitlines())
    assert [line["epoch"] for line in lines] == [0, 1]


def test_the_audit_is_flat_records(finished, recipe):
    card = json.loads((finished / "audit.json").read_text())
    assert (card["schema"], card["run"]) == (2, "finished")
    assert card["facets"] == {"private": 3, "shared": 2}
    assert card["factors"]["timbre"]["kind"] == "categorical"
    assert set(card["factors"]) == {"timbre", "frequency"}
    wanted = {"measure", "facet", "factor", "metric", "value", "low", "high", "chance", "n"}
    assert all(wanted | {"split"} <= set(record) for record in card["records"])
    probed = {(r["facet"], r["factor"]) for r in card["records"] if r["measure"] == "probe"}
    assert probed == {(x, y) for x in ("private", "shared", "all") for y in ("timbre", "frequency")}
    leaks = {(r["facet"], r["factor"]) for r in card["records"] if r["measure"] == "leak"}
    assert leaks == {("private", "timbre"), ("shared", "frequency")}
    assert {r["n"] for r in card["records"] if r["measure"] == "probe"} == {40}, "test clips"


def test_without_a_facet_that_owns_a_factor_nothing_leaks(finished, recipe):
    nobodys = ["facets.private.owns=[]", "facets.shared.same=null", "facets.shared.differ=null"]
    of_nothing = load_recipe("debug", settings=[*QUICK, *nobodys])
    data = prepare(recipe)
    for one, leaks in ((recipe, True), (of_nothing, False)):
        card = auditing.audit_model(load(finished), data, one, run="r")
        assert any(record["measure"] == "leak" for record in card.records) == leaks
        assert ("leak" in card.verdict()) == leaks


def test_what_follows_from_an_owned_factor_is_owned_as_well():
    recipe = load_recipe("debug")
    known = ["timbre", "frequency", "note_name", "take"]
    factors = {name: Factor.categorical(name, ["a", "b"]) for name in known}
    decided = {"frequency": ["note_name", "unseen"], "take": ["timbre"]}
    assert auditing._owns(recipe, factors, decided) == {
        "private": ["frequency", "note_name"],
        "shared": ["timbre"],
    }


def test_features_are_standardised_with_the_training_clips_alone(finished, recipe):
    data, model = prepare(recipe), load(finished)
    training = data.features[data.table.where("train")]
    np.testing.assert_allclose(model.mean, training.mean(), rtol=1e-5)
    np.testing.assert_allclose(model.std, training.std(), rtol=1e-5)
    assert abs(float(model.mean) - data.features.mean()) > 1e-3, "the others are different"
    assert (model.about["recipe"], model.about["train_clips"]) == ("debug", len(training))


# --- going on -----------------------------------------------------------------------------------


def snapshot(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_resuming_a_finished_run_does_nothing(copied, recipe):
    before, watcher = snapshot(copied), Notes()
    assert runs.train(recipe, copied, resume=True, watcher=watcher) == copied / "report.html"
    assert snapshot(copied) == before
    assert watcher.stages == []


def test_a_run_stopped_before_its_audit_is_only_audited(copied, finished, recipe):
    for name in ("report.html", "audit.json"):
        (copied / name).unlink()
    trained = snapshot(copied / "last")
    runs.train(recipe, copied, resume=True)
    assert snapshot(copied / "last") == trained
    assert (copied / "report.html").is_file()
    for name in ("metrics.jsonl", "model.safetensors"):
        assert (copied / name).read_bytes() == (finished / name).read_bytes()
    cards = [json.loads((run / "audit.json").read_text()) for run in (copied, finished)]
    assert cards[0]["records"] == cards[1]["records"]


def test_a_run_is_not_run_over(copied, recipe):
    before = snapshot(copied)
    with pytest.raises(ArtifactError, match="holds a finished run: add --resume"):
        runs.train(recipe, copied)
    (copied / "report.html").unlink()
    with pytest.raises(ArtifactError, match="holds an unfinished run: add --resume"):
        runs.train(recipe, copied)
    other = load_recipe("debug", settings=[*QUICK, "seed=1"])
    with pytest.raises(ArtifactError, match="started with other settings"):
        runs.train(other, copied, resume=True)
    del before[copied / "report.html"]
    assert snapshot(copied) == before


def test_a_folder_that_is_no_run_is_left_alone(tmp_path, recipe):
    (tmp_path / "taxes").mkdir()
    (tmp_path / "taxes" / "2024.txt").write_text("42")
    for place in (tmp_path / "taxes", tmp_path / "taxes" / "2024.txt"):
        with pytest.raises(ArtifactError, match="exists and is not a run"):
            runs.train(recipe, place)
    assert [path.name for path in (tmp_path / "taxes").iterdir()] == ["2024.txt"]


def test_a_config_that_is_not_ours_is_left_alone(tmp_path, recipe):
    (tmp_path / "other").mkdir()
    file = tmp_path / "other" / "config.yaml"
    file.write_text("colour: blue\n")
    for resume in (False, True):
        with pytest.raises(RecipeError, match=r"config\.yaml"):
            runs.train(recipe, tmp_path / "other", resume=resume)
    assert file.read_text() == "colour: blue\n"


def test_an_empty_folder_is_free(tmp_path, recipe):
    run_folder.claim(tmp_path / "here", recipe, resume=False)
    assert load_recipe(tmp_path / "here" / "config.yaml") == as_run(recipe)


def test_a_run_that_failed_before_training_leaves_its_folder_free(tmp_path, recipe):
    mistaken = load_recipe("debug", settings=[*QUICK, "facets.shared.same=timber"])
    with pytest.raises(DataError, match="no factor 'timber'; did you mean 'timbre'"):
        runs.train(mistaken, tmp_path / "run")
    run_folder.claim(tmp_path / "run", recipe, resume=False)
    assert load_recipe(tmp_path / "run" / "config.yaml") == as_run(recipe)


def test_a_state_of_another_model_is_refused(copied, recipe, tmp_path):
    (copied / "report.html").unlink()
    other = load_recipe("debug", settings=[*QUICK, "facets.shared.dim=3"])
    (copied / "config.yaml").write_text(dump_recipe(other))
    with pytest.raises(ArtifactError, match=r"state\.safetensors .*belongs to another model"):
        runs.train(other, copied, resume=True)


def test_free_folders_are_numbered(tmp_path):
    wanted = tmp_path / "demo"
    assert run_folder.free_folder(wanted) == wanted
    wanted.mkdir()
    assert run_folder.free_folder(wanted) == tmp_path / "demo-2"
    (tmp_path / "demo-2").mkdir()
    assert run_folder.free_folder(wanted) == tmp_path / "demo-3"


def test_a_device_that_is_not_there_is_one_sentence(tmp_path, recipe):
    with pytest.raises(RecipeError, match="no device 'abacus'"):
        runs.train(recipe, tmp_path / "run", device="abacus")
    assert not (tmp_path / "run").exists()


# --- auditing again -------------------------------------------------------------------------------


def test_auditing_again_gives_the_same_numbers_elsewhere(finished, tmp_path):
    before = snapshot(finished)
    report = auditing.audit_run(finished, out=tmp_path / "again")
    assert report == tmp_path / "again" / "report.html"
    assert (tmp_path / "again" / "audit.json").read_text() == (finished / "audit.json").read_text()
    assert snapshot(finished) == before


def test_measures_are_named_and_other_runs_agree_with_this_one(finished, tmp_path):
    with pytest.raises(RecipeError, match="no measure 'migg'; did you mean 'mig'"):
        auditing.audit_run(finished, measures=["migg"])
    out = tmp_path / "again"
    asked = {"measures": ["udr", "mig"], "variants": ["syntone"], "seeds": 1}
    auditing.audit_run(finished, out=out, beside=[finished], **asked)
    card = Card.load(out / "audit.json")
    udr = card.record("udr", "all", "all")
    assert udr["value"] > udr["chance"], "a run finds its own dimensions again"
    assert {"syntone", None} == {r.get("variant") for r in card.records if r["measure"] == "mig"}
    assert card.outcomes is not None


def test_audit_on_new_audio(copied, tones):
    before = snapshot(copied)
    report = auditing.audit_run(copied, data=tones)
    assert report == copied / "audit-tones" / "report.html"
    assert "debug on tones" in report.read_text()
    card = Card.load(copied / "audit-tones" / "audit.json")
    assert set(card.factors) == {"timbre", "frequency"}
    assert card.record("probe", "shared", "timbre")["n"] == 4, "the tenth that is its test split"
    assert {path: before[path] for path in before} == {
        path: time for path, time in snapshot(copied).items() if path in before
    }, "the run itself stays"


def test_audit_on_audio_without_the_factors_says_so(copied, tones):
    (tones / "clips.csv").unlink()
    with pytest.raises(DataError, match="no factor to audit"):
        auditing.audit_run(copied, data=tones)


def test_audit_on_audio_with_other_factors_leaves_the_missing_one_out(copied, tones):
    (tones / "clips.csv").write_text((tones / "clips.csv").read_text().replace("quency", "q", 1))
    auditing.audit_run(copied, data=tones)
    card = Card.load(copied / "audit-tones" / "audit.json")
    assert set(card.factors) == {"timbre", "freq"}


def test_auditing_needs_a_model_and_its_recipe(copied, tmp_path):
    with pytest.raises(ArtifactError, match="no model"):
        auditing.audit_run(tmp_path)
    (copied / "config.yaml").unlink()
    with pytest.raises(RecipeError, match=r"config\.yaml"):
        auditing.audit_run(copied)


# --- an audit that is left for later -----------------------------------------------------------


def test_an_audit_that_is_left_is_made_later(finished, recipe, tmp_path):
    out, watcher = tmp_path / "finished", Notes()
    assert runs.train(recipe, out, audited=False, watcher=watcher) == out
    assert f"disentone audit {out}" in watcher.notes[-1]
    assert not any("Auditing" in name for name in watcher.stages)
    assert not (out / "audit.json").exists()
    assert not run_folder.is_finished(out)
    assert auditing.audit_run(out, jobs=1) == out / "report.html"
    assert run_folder.is_finished(out)
    assert Card.load(out / "audit.json") == Card.load(finished / "audit.json")


def test_resuming_a_run_without_an_audit_audits_it(recipe, tmp_path):
    out = tmp_path / "run"
    runs.train(recipe, out, audited=False)
    history = (out / "metrics.jsonl").read_text(encoding="utf-8")
    assert runs.train(recipe, out, resume=True, audited=False) == out
    assert runs.train(recipe, out, resume=True, brief=True) == out / "report.html"
    assert (out / "metrics.jsonl").read_text(encoding="utf-8") == history  # not trained again
    assert run_folder.is_finished(out)
    assert "<audio" not in (out / "report.html").read_text(encoding="utf-8")  # it was to be brief


def test_a_recipe_may_be_given_by_name():
    folder = disentone.train("debug", audited=False)
    assert folder == Path("runs/debug")
    assert disentone.load(folder).about["recipe"] == "debug"
    with pytest.raises(RecipeError, match="debu"):
        disentone.train("debu")
    assert [path.name for path in Path("runs").iterdir()] == ["debug"]
