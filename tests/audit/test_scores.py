import numpy as np
import pytest
from scipy.stats import ttest_1samp
from sklearn.metrics import accuracy_score, average_precision_score, jaccard_score, log_loss

from disentone.audit import (
    Scores,
    class_scores,
    entropy,
    label_scores,
    mean_average_precision,
    within_scores,
)
from disentone.audit.scores import weighted_average_precision


def simplex(rng, *shape):
    return rng.dirichlet(np.ones(shape[-1]), shape[:-1])


def test_accuracy_and_nats_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    labels, train = rng.integers(0, 3, 200), rng.choice(3, 300, p=[0.2, 0.5, 0.3])
    probabilities = [simplex(rng, 200, 3), simplex(rng, 200, 3)]
    accuracy, nats = class_scores(
        probabilities=probabilities, classes=[np.arange(3)] * 2, labels=labels, train=train
    )
    expected = np.mean([accuracy_score(labels, p.argmax(axis=1)) for p in probabilities])
    assert accuracy.estimate().value == pytest.approx(expected)
    assert accuracy.estimate().chance == pytest.approx((labels == 1).mean())
    assert accuracy.leak().value == pytest.approx(expected - (labels == 1).mean())
    bound = entropy(labels) - np.mean([log_loss(labels, p) for p in probabilities])
    assert nats.estimate().value == pytest.approx(bound)
    assert (nats.estimate().chance, nats.estimate().n) == (0, 200)


def test_a_class_that_training_did_not_have_is_wrong_and_leaves_the_information_alone():
    probabilities = [np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])]
    accuracy, nats = class_scores(
        probabilities=probabilities,
        classes=[np.array([0, 2])],
        labels=np.array([0, 2, 1]),
        train=np.array([0, 0, 2]),
    )
    np.testing.assert_array_equal(accuracy.clips, [[1, 1, 0]])
    assert nats.estimate().n == 2
    assert nats.estimate().value == pytest.approx(np.log(2) + np.log([0.9, 0.8]).mean())


def test_no_clip_of_a_known_class_gives_no_information():
    nats = class_scores(
        probabilities=[np.array([[0.5, 0.5]])],
        classes=[np.array([0, 1])],
        labels=np.array([7]),
        train=np.array([0, 1]),
    )[1]
    assert np.isnan(nats.estimate().value)
    assert nats.estimate().n == 0


def test_within_counts_what_is_at_most_the_tolerance_away():
    centres = np.array([60.0, 62, 64, 70])
    probabilities = [np.eye(4)[[0, 1, 2, 3]], np.eye(4)[[0, 0, 0, 0]]]
    scores = within_scores(
        probabilities=probabilities,
        classes=[np.arange(4)] * 2,
        centres=centres,
        values=np.array([61.0, 63.1, 64, 60]),
        train=np.array([61.0, 61, 70, 70, 70, 63]),  # 62 is within one of three, so is 70
        tolerance=1.0,
    )
    np.testing.assert_array_equal(scores.clips, [[1, 0, 1, 0], [1, 0, 0, 1]])
    np.testing.assert_array_equal(scores.baseline, [1, 0, 0, 0])  # the first best: 62


def test_jaccard_agrees_with_scikit_learn_and_two_empty_sets_agree():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (100, 4))
    labels[0] = 0
    probabilities = rng.random((100, 4))
    probabilities[0] = 0.1
    jaccard = label_scores(probabilities=[probabilities], labels=labels, train=labels)[0]
    expected = jaccard_score(labels, probabilities >= 0.5, average="samples", zero_division=1.0)
    assert jaccard.estimate().value == pytest.approx(expected)


def test_the_baseline_of_labels_is_the_best_constant_answer():
    train = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 1, 0]])
    test = np.array([[1, 0, 0], [1, 1, 0]])
    jaccard, nats = label_scores(probabilities=[test * 1.0], labels=test, train=train)
    np.testing.assert_allclose(jaccard.baseline, [0.5, 1])  # {first, second}
    assert jaccard.estimate().value == 1
    assert nats.estimate().value == pytest.approx(entropy(test), abs=1e-9)


def test_mean_average_precision_of_known_rankings():
    labels = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]])
    right = np.array([[0.9, 0.9, 0.1], [0.1, 0.8, 0.1], [0.2, 0.1, 0.1], [0.8, 0.7, 0.1]])
    found = mean_average_precision(probabilities=[right, right], labels=labels)
    assert (found.value, found.low, found.high) == (1, 1, 1)
    assert found.chance == pytest.approx((0.5 + 0.75) / 2)  # the third label never occurs
    none = mean_average_precision(probabilities=[right], labels=labels * 0)
    assert np.isnan(none.value)


@pytest.mark.parametrize("decimals", [1, 12])  # with and without ties
def test_mean_average_precision_agrees_with_scikit_learn(decimals):
    rng = np.random.default_rng(3)
    labels = (rng.random((150, 5)) < [0.02, 0.2, 0.5, 0.9, 0]).astype(int)
    given = [np.round(rng.random((150, 5)) + 0.3 * labels, decimals) for _ in range(2)]
    found = mean_average_precision(probabilities=given, labels=labels)
    expected = [average_precision_score(labels[:, :4], p[:, :4], average="macro") for p in given]
    assert found.value == pytest.approx(np.mean(expected))
    assert found.chance == pytest.approx(labels[:, :4].mean())
    assert found.low < found.value < found.high


def test_weighted_average_precision_agrees_with_scikit_learn():
    rng = np.random.default_rng(4)
    label, probabilities = rng.integers(0, 2, 60), np.round(rng.random(60), 1)
    weights = rng.multinomial(60, np.full(60, 1 / 60), 20)
    expected = [average_precision_score(label, probabilities, sample_weight=row) for row in weights]
    np.testing.assert_allclose(weighted_average_precision(probabilities, label, weights), expected)


def test_the_interval_of_mean_average_precision_covers_the_truth():
    """Truth from a test set of 200,000 clips; intervals from sets of 200."""
    rng = np.random.default_rng(5)

    def draw(count):
        labels = (rng.random((count, 3)) < [0.1, 0.3, 0.6]).astype(int)
        return labels, labels + rng.normal(size=(count, 3))

    labels, probabilities = draw(200_000)
    truth = average_precision_score(labels, probabilities, average="macro")
    hits = 0
    for _ in range(100):
        labels, probabilities = draw(200)
        found = mean_average_precision(probabilities=[probabilities], labels=labels)
        hits += found.low <= truth <= found.high
    assert 88 <= hits <= 100


def test_seed_part_of_the_interval_is_students():
    seeds = np.array([0.5, 0.6, 0.65])
    many = Scores("accuracy", np.tile(seeds[:, None], (1, 10**6)), np.zeros(10**6))
    low, high = ttest_1samp(seeds, 0).confidence_interval(0.95)
    found = many.estimate()
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-3)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_the_interval_covers_the_truth(share):
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(400):
        right = (rng.random((1, 150)) < share) * 1.0
        found = Scores("accuracy", right, np.zeros(150)).estimate()
        hits += found.low <= share <= found.high
    assert 0.92 <= hits / 400 <= 0.99


def test_twenty_right_answers_are_not_certainty():
    found = Scores("accuracy", np.ones((1, 20)), np.zeros(20)).estimate()
    assert (found.value, found.high) == (1, 1)
    assert 0.8 < found.low < 0.95
