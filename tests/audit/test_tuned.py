import numpy as np
import pytest

from disentone.audit.tuned import STRENGTHS, tuned_probe
from disentone.errors import DataError


def three_classes(seed=0, count=150):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    return np.eye(3)[labels] * 4 + rng.normal(size=(count, 3)), labels, rng.random(count) < 0.7


def test_classes_that_lie_apart_are_predicted():
    embedding, labels, fitted = three_classes()
    found = tuned_probe(embedding=embedding, labels=labels, fitted=fitted)
    assert len(found.predicted) == (~fitted).sum()
    assert (found.predicted == labels[~fitted]).mean() > 0.9
    assert found.strength in STRENGTHS


def test_labels_that_are_not_fitted_change_nothing():
    embedding, labels, fitted = three_classes()
    hidden = np.where(fitted, labels, 0)
    one = tuned_probe(embedding=embedding, labels=labels, fitted=fitted)
    other = tuned_probe(embedding=embedding, labels=hidden, fitted=fitted)
    assert (one.predicted == other.predicted).all()
    assert one.strength == other.strength


def test_much_noise_asks_for_more_regularisation_than_none():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 40)
    signal = labels[:, None] + 0.05 * rng.normal(size=(80, 1))
    noise = rng.normal(size=(80, 200))
    fitted = np.arange(80) % 4 > 0
    clean = tuned_probe(embedding=signal, labels=labels, fitted=fitted)
    noisy = tuned_probe(embedding=np.c_[signal, noise], labels=labels, fitted=fitted)
    assert (clean.predicted == labels[~fitted]).all()
    assert noisy.strength < max(STRENGTHS)


def test_no_two_folds_share_a_recording():
    # Every recording has a mark of its own: only folds that share one would trust it.
    rng = np.random.default_rng(2)
    recording = np.repeat(np.arange(30), 4)
    labels = recording % 2
    embedding = np.c_[np.eye(30)[recording], labels + 0.4 * rng.normal(size=120)]
    fitted = recording < 24
    found = tuned_probe(embedding=embedding, labels=labels, fitted=fitted, groups=recording)
    assert (found.predicted == labels[~fitted]).mean() > 0.8


@pytest.mark.parametrize("labels", [[0] * 10, [0] * 9 + [1]])
def test_too_little_to_choose_by_is_said(labels):
    with pytest.raises(DataError, match="two classes, and two recordings of each"):
        tuned_probe(
            embedding=np.zeros((10, 2)), labels=np.array(labels), fitted=np.ones(10, dtype=bool)
        )
