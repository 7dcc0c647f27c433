import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from disentone.audit import fit_probe
from disentone.audit.probes import Question, fit_probes, together
from disentone.errors import DataError


def classes_of(probe, embedding):
    return probe.classes[probe.probabilities(embedding).argmax(axis=1)]


def accuracy(embedding, labels, *, train, seed=0):
    probe = fit_probe(embedding=embedding[:train], labels=labels[:train], seed=seed)
    return (classes_of(probe, embedding[train:]) == labels[train:]).mean()


def test_separable_classes_are_told():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 800)
    embedding = 8 * np.eye(4)[labels] + rng.normal(size=(800, 4))
    assert accuracy(embedding, labels, train=600) > 0.99


def test_xor_is_told():
    rng = np.random.default_rng(1)
    embedding = rng.uniform(-1, 1, size=(2000, 2))
    labels = (embedding[:, 0] * embedding[:, 1] > 0).astype(int)
    assert accuracy(embedding, labels, train=1500) > 0.95


def test_a_curve_is_read_to_the_last_class():
    rng = np.random.default_rng(2)
    position = rng.random(3000)
    turns = np.array([1, 1, 2, 2, 3, 3, 4, 4])
    embedding = np.cos(np.pi * turns * position[:, None] + np.tile([0, np.pi / 2], 4))
    assert accuracy(embedding, (position * 21).astype(int), train=2500) > 0.95


def test_a_leak_in_a_direction_of_little_variance_is_found():
    rng = np.random.default_rng(3)
    labels, other = rng.integers(0, 2, 3000), rng.integers(0, 4, 3000)
    rotation = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    hidden = 0.01 * (2 * labels - 1 + 0.2 * rng.normal(size=3000))
    embedding = np.c_[3 * np.eye(4)[other], hidden, rng.normal(size=(3000, 3))] @ rotation
    assert accuracy(embedding.astype(np.float32), labels, train=2500) > 0.98


def test_a_few_directions_in_many_dimensions_are_found():
    rng = np.random.default_rng(4)
    position = rng.random(1400)
    curve = np.cos(np.pi * np.array([1, 1.5, 2, 2.5]) * position[:, None])
    embedding = curve @ rng.normal(size=(4, 256)) + 0.05 * rng.normal(size=(1400, 256))
    assert accuracy(embedding, (position * 8).astype(int), train=1000) > 0.9


def test_noise_is_at_chance():
    rng = np.random.default_rng(5)
    embedding, labels = rng.normal(size=(3000, 8)), rng.integers(0, 4, 3000)
    deviation = np.sqrt(0.25 * 0.75 / 2000)
    assert abs(accuracy(embedding, labels, train=1000) - 0.25) < 4 * deviation


def test_scale_offset_and_order_of_dimensions_do_not_matter():
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 3, 900)
    embedding = np.c_[labels + 0.3 * rng.normal(size=900), rng.normal(size=(900, 3))]
    moved = (embedding * [1e-6, 1e6, 1, 10] + [0, 5e6, -3, 1])[:, [3, 0, 2, 1]]
    assert accuracy(moved, labels, train=600) == pytest.approx(
        accuracy(embedding, labels, train=600), abs=0.03
    )


def test_same_seed_same_probe_and_another_seed_another():
    rng = np.random.default_rng(7)
    embedding, labels = rng.normal(size=(300, 3)), rng.integers(0, 3, 300)
    first, again, other = (
        fit_probe(embedding=embedding, labels=labels, seed=s).probabilities(embedding)
        for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_constant_dimensions_are_harmless():
    rng = np.random.default_rng(8)
    labels = rng.integers(0, 2, 300)
    live = 4 * labels + rng.normal(size=300)
    embedding = np.c_[np.full(300, 0.1), live, np.full(300, -7e5)].astype(np.float32)
    probe = fit_probe(embedding=embedding[:200], labels=labels[:200])
    moved = embedding[200:] + np.float32([100, 0, 100])  # what was dead in training stays unread
    np.testing.assert_array_equal(classes_of(probe, moved), classes_of(probe, embedding[200:]))
    assert (classes_of(probe, moved) == labels[200:]).mean() > 0.9


def test_nothing_but_constants_tells_the_majority():
    labels = np.repeat([0, 1], [20, 60])
    probe = fit_probe(embedding=np.ones((80, 3)), labels=labels)
    assert (classes_of(probe, np.zeros((5, 3))) == 1).all()


@pytest.mark.parametrize("count", [2, 3, 7])
def test_tiny_sets_are_fitted(count):
    labels = np.arange(count) % 2
    probabilities = fit_probe(
        embedding=np.arange(3.0 * count).reshape(count, 3), labels=labels
    ).probabilities(np.zeros((4, 3)))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_codes_with_gaps_and_a_class_of_one_clip():
    rng = np.random.default_rng(9)
    labels = np.r_[np.tile([2, 5], 100), 9]
    embedding = labels[:, None] + 0.1 * rng.normal(size=(201, 2))
    probe = fit_probe(embedding=embedding, labels=labels)
    np.testing.assert_array_equal(probe.classes, [2, 5, 9])
    np.testing.assert_array_equal(classes_of(probe, np.array([[2.0, 2.0], [5.0, 5.0]])), [2, 5])


def test_several_labels_at_once():
    rng = np.random.default_rng(10)
    labels = rng.integers(0, 2, (1200, 3))
    labels[:, 2] = 1  # a label that training always has
    embedding = 3.0 * labels + rng.normal(size=(1200, 3))
    probe = fit_probe(embedding=embedding[:1000], labels=labels[:1000])
    right = (probe.probabilities(embedding[1000:]) > 0.5) == labels[1000:]
    assert right.mean(axis=0) == pytest.approx([0.933, 0.933, 1.0], abs=0.05)  # Phi(1.5) = 0.933


@pytest.mark.parametrize(
    "labels", [np.zeros(10, int), np.array([], int), np.array([3]), np.ones((10, 2), int)]
)
def test_one_class_is_refused(labels):
    with pytest.raises(DataError, match="two classes"):
        fit_probe(embedding=np.random.default_rng(0).normal(size=(len(labels), 2)), labels=labels)


def turning(count, *, dims=6, classes=5, noise=0.3, seed=11):
    """A position on a curve in several dimensions, as classes."""
    rng = np.random.default_rng(seed)
    position = rng.random(count)
    curve = np.cos(np.pi * np.arange(1, dims + 1) * position[:, None])
    return curve + noise * rng.normal(size=curve.shape), (position * classes).astype(int)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("train", [600, 2500])
def test_as_accurate_as_scikit_learn_on_the_better_view(train):
    embedding, labels = turning(train + 2000)
    scored = (embedding - embedding[:train].mean(axis=0)) / embedding[:train].std(axis=0)
    few = {"alpha": 2.0, "batch_size": train, "max_iter": 300, "n_iter_no_change": 300}
    many = {"early_stopping": True, "n_iter_no_change": 15}
    options = few if train < 1000 else many
    theirs = MLPClassifier((128,), learning_rate_init=0.005, random_state=0, **options)
    expected = theirs.fit(scored[:train], labels[:train]).score(scored[train:], labels[train:])
    assert 0.6 < expected < 0.95
    found = np.mean([accuracy(embedding, labels, train=train, seed=seed) for seed in range(3)])
    assert found == pytest.approx(expected, abs=0.03)  # 2,000 clips: a deviation of 0.01


@pytest.mark.parametrize("count", [300, 1000])
def test_a_probe_is_the_same_alone_and_in_a_stack(count):
    embedding, labels = turning(count)
    wide = np.c_[embedding, np.random.default_rng(12).normal(size=(count, 20))]
    rows = np.arange(count)
    questions = [
        Question(block, rows, some, seed)
        for block in (wide, embedding)
        for some in (labels, np.c_[labels % 2, labels > 2])
        for seed in (0, 1)
    ]
    stacks = together(questions)
    assert sorted(place for stack in stacks for place in stack) == list(range(len(questions)))
    assert min(map(len, stacks)) == 2
    for stack in stacks:
        for place, probe in zip(stack, fit_probes([questions[i] for i in stack])):
            one = questions[place]
            alone = fit_probe(embedding=one.embedding, labels=one.labels, seed=one.seed)
            np.testing.assert_array_equal(alone.rotation, probe.rotation)
            np.testing.assert_allclose(
                probe.probabilities(one.embedding), alone.probabilities(one.embedding), atol=1e-4
            )


def test_stacks_are_no_larger_than_said():
    block, rows = np.zeros((3000, 400)), np.arange(3000)
    questions = [Question(block, rows, rows % 2, seed) for seed in range(40)]
    numbers = [2 * len(stack) * 3000 * 400 for stack in together(questions)]
    assert max(numbers) <= 2**24 < 2 * 40 * 3000 * 400


def test_clips_that_were_not_asked_about_are_not_read():
    embedding, labels = turning(500)
    rows = np.arange(0, 500, 2)
    spoilt = np.where(np.arange(500)[:, None] % 2, np.nan, embedding)
    found = fit_probes([Question(spoilt, rows, labels[rows], 0)])[0]
    expected = fit_probe(embedding=embedding[rows], labels=labels[rows])
    np.testing.assert_array_equal(found.probabilities(embedding), expected.probabilities(embedding))
