import numpy as np
import pytest

from disentone.audit import fit_probe
from disentone.audit.facet_information import facet_information
from disentone.audit.measures import facet_permutation_test


def probed(count=300, informative=True):
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=count)
    facet = rng.normal(size=(count, 2)) + (1.5 * np.eye(3)[labels][:, :2] if informative else 0)
    test = np.arange(count) % 3 == 0
    probe = fit_probe(embedding=facet[~test], labels=labels[~test])
    return facet, labels, test, [(probe.probabilities(facet[test]), probe.classes)]


def measured(outputs, labels, groups=None):
    return facet_information(outputs, labels=labels, groups=groups, permutations=200, seed=0)


@pytest.mark.parametrize("informative", [True, False])
def test_it_is_the_permutation_test_of_the_measures(informative):
    facet, labels, test, outputs = probed(informative=informative)
    expected = facet_permutation_test(facet=facet, factor=labels, test=test, permutations=200)
    found = measured(outputs, labels[test])
    assert found.nats.mean() == pytest.approx(expected.statistic, abs=1e-5)
    assert found.null.mean() == pytest.approx(expected.null_mean, abs=0.05)
    assert found.p == pytest.approx(expected.p, abs=0.1)
    assert (found.p < 0.01) == informative


def test_copies_of_clips_do_not_make_chance_significant():
    _, labels, test, outputs = probed(informative=False)
    labels, (probabilities, classes) = labels[test], outputs[0]
    unit = np.repeat(np.arange(len(labels)), 9)
    once = measured(outputs, labels)
    copied = [(probabilities[unit], classes)]
    grouped = measured(copied, labels[unit], groups=unit)
    assert (once.p, once.null.tolist()) == (grouped.p, pytest.approx(grouped.null.tolist()))


def test_labels_of_several_at_once():
    rng = np.random.default_rng(1)
    labels = rng.integers(2, size=(80, 3))
    sure = np.where(labels == 1, 0.9, 0.1)
    found = measured([(sure, np.arange(3))], labels)
    share = labels.mean(axis=0)
    entropies = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert found.nats.mean() == pytest.approx(entropies.mean() + np.log(0.9))
    assert found.p == pytest.approx(1 / 201)


def test_a_class_that_training_did_not_have_is_left_out():
    outputs = [(np.full((3, 2), 0.5), np.array([0, 1]))]
    found = measured(outputs, np.array([0, 1, 7]))
    assert np.isnan(found.nats).tolist() == [False, False, True]
    assert measured(outputs, np.array([7, 7, 7])).p == 1
