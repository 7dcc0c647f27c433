"""A trained model in scikit-learn: checked by its own checks, and in a pipeline."""

import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from near_embeddings import RATE, WINDOW
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from disentone import FacetEmbedder, load
from disentone.errors import ArtifactError, AudioError, DataError

SIZE = round(WINDOW * RATE)
UNMET = {
    "check_estimators_dtypes": "whole numbers of 64 bits have no full scale, so they are no sound",
}
UNMET_BY_A_MODEL = {
    "check_estimators_overwrite_params": "joblib takes a copy of a torch module for another",
}


@pytest.fixture
def notes(rng):
    """Paths of low and of high tones, and which they are."""
    time = np.arange(SIZE) / RATE
    paths, labels = [], []
    for number in range(12):
        label = ("low", "high")[number % 2]
        frequency = {"low": 300, "high": 2000}[label] * (1 + 0.01 * number)
        soundfile.write(f"{number}.wav", 0.5 * np.sin(2 * np.pi * frequency * time), RATE)
        paths.append(f"{number}.wav")
        labels.append(label)
    return np.array(paths), np.array(labels)


def statuses(estimator, unmet):
    done = check_estimator(estimator, expected_failed_checks=unmet, on_skip=None)
    assert len(done) > 40
    return {one["check_name"]: one["status"] for one in done if one["status"] != "passed"}


def test_scikit_learn_checks_it(model):
    left = statuses(FacetEmbedder(model, sample_rate=RATE), UNMET)
    # the last needs SCIPY_ARRAY_API in the environment, which is not ours to set
    assert left == dict.fromkeys(UNMET, "xfail") | {"check_array_api_input": "skipped"}


def test_scikit_learn_checks_it_with_a_model_in_memory(model):
    unmet = UNMET | UNMET_BY_A_MODEL
    left = statuses(FacetEmbedder(load(model), facet="shared", sample_rate=RATE), unmet)
    assert left == dict.fromkeys(unmet, "xfail") | {"check_array_api_input": "skipped"}
    layer = torch.nn.Linear(2, 2)
    assert joblib.hash(layer) != joblib.hash(clone(layer, safe=False)), "not our doing"


def test_it_gives_what_the_model_gives(model, notes):
    paths, _ = notes
    expected = load(model).embed(paths)
    np.testing.assert_array_equal(FacetEmbedder(model).fit_transform(paths), expected.values)
    one = FacetEmbedder(load(model), facet="shared").fit(paths)
    for given in (paths, list(paths), [Path(path) for path in paths], paths[:, None]):
        np.testing.assert_array_equal(one.transform(given), expected["shared"])
    waves = np.stack([soundfile.read(path)[0] for path in paths])
    of_waves = FacetEmbedder(model, facet="shared", sample_rate=RATE)
    np.testing.assert_array_equal(of_waves.fit_transform(waves), expected["shared"])
    np.testing.assert_array_equal(of_waves.transform(waves[:2]), expected["shared"][:2])


def test_it_is_cross_validated_with_what_follows(model, notes):
    paths, labels = notes
    pipeline = make_pipeline(FacetEmbedder(model), LogisticRegression(C=100))
    scores = cross_val_score(pipeline, paths, labels, cv=3)
    values = load(model).embed(paths).values
    np.testing.assert_array_equal(
        scores, cross_val_score(LogisticRegression(C=100), values, labels, cv=3)
    )
    assert scores.mean() > 0.9, "two octaves apart"
    search = GridSearchCV(pipeline, {"facetembedder__facet": ["private", "shared"]}, cv=3)
    assert search.fit(paths, labels).best_params_["facetembedder__facet"] in ("private", "shared")


def test_columns_are_named_and_set_output_keeps_the_names(model, notes):
    paths, _ = notes
    every = ["private_0", "private_1", "private_2", "shared_0", "shared_1"]
    embedder = FacetEmbedder(model).fit(paths)
    assert embedder.get_feature_names_out().tolist() == every
    assert (
        FacetEmbedder(model, facet="shared").fit(paths).get_feature_names_out().tolist()
        == (every[3:])
    )
    table = embedder.set_output(transform="pandas").transform(paths)
    assert isinstance(table, pd.DataFrame)
    assert table.columns.tolist() == every
    frame = pd.DataFrame({"path": paths, "year": range(12)}, index=range(5, 17))
    columns = make_column_transformer((FacetEmbedder(model, facet="shared"), "path"))
    joined = columns.set_output(transform="pandas").fit_transform(frame)
    assert joined.columns.tolist() == ["facetembedder__shared_0", "facetembedder__shared_1"]
    assert joined.index.tolist() == list(range(5, 17))
    np.testing.assert_array_equal(joined.to_numpy(), table[every[3:]].to_numpy())


def test_copies_are_the_same_estimator(model, notes):
    paths, _ = notes
    embedder = FacetEmbedder(load(model), facet="private").fit(paths)
    expected = embedder.transform(paths)
    copied = pickle.loads(pickle.dumps(embedder))  # of our own, in memory
    np.testing.assert_array_equal(copied.transform(paths), expected)
    np.testing.assert_array_equal(clone(embedder).fit(paths).transform(paths), expected)


def test_what_is_wrong_is_said_when_it_is_fitted(model, tmp_path):
    with pytest.raises(ArtifactError, match="There is no model in"):
        FacetEmbedder(tmp_path / "nowhere").fit(["a.wav"])
    with pytest.raises(DataError, match="no facet 'share'; did you mean 'shared'"):
        FacetEmbedder(model, facet="share").fit(["a.wav"])
    with pytest.raises(AudioError, match=r"gone\.wav"):
        FacetEmbedder(model).fit(["gone.wav"]).transform(["gone.wav"])
    with pytest.raises(DataError, match="sample_rate="):
        FacetEmbedder(model).fit_transform(np.ones((3, SIZE)))
    with pytest.raises(DataError, match=r"not an array of shape \(1, 2\)"):
        FacetEmbedder(model).fit_transform(np.array([["a.wav", "b.wav"]]))
