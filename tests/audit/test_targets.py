import numpy as np
import pytest

from disentone.audit import make_target
from disentone.errors import DataError
from disentone.factors import Factor

EVERY = np.ones(6, dtype=bool)


def test_categorical_codes_are_the_factors_own():
    factor = Factor.categorical("timbre", ["saw", "", "sine", "saw", None, "square"])
    target = make_target(factor, train=EVERY)
    np.testing.assert_array_equal(target.codes, [0, -1, 1, 0, -1, 2])
    np.testing.assert_array_equal(target.known, [1, 0, 1, 1, 0, 1])
    assert target.names == ("saw", "sine", "square")


def test_ordinal_levels_are_classes_and_new_values_join_the_nearest():
    factor = Factor.continuous("pitch", [60, 62, None, 72, 61.2, 90], kind="ordinal")
    train = np.array([True, True, True, True, False, False])
    target = make_target(factor, train=train)
    np.testing.assert_array_equal(target.centres, [60, 62, 72])
    np.testing.assert_array_equal(target.codes, [0, 1, -1, 2, 1, 2])


def test_continuous_classes_are_cut_over_the_training_range():
    factor = Factor.continuous("frequency", [0, 10, 4.9, np.nan, -50, 50], unit="Hz")
    train = np.array([True, True, True, True, False, False])
    target = make_target(factor, train=train, classes=2)
    np.testing.assert_array_equal(target.codes, [0, 1, 0, -1, 0, 1])
    np.testing.assert_array_equal(target.centres, [2.5, 7.5])
    assert target.describe()["classes"] == ["0 to 5", "5 to 10"]
    assert len(make_target(factor, train=train).centres) == 20


def test_one_unknown_label_makes_a_clip_unknown():
    values = np.array([[1, 0], [0, np.nan], [0, 1.0]])
    factor = Factor("tags", "multilabel", values, ("loud", "low"))
    target = make_target(factor, train=np.ones(3, dtype=bool))
    np.testing.assert_array_equal(target.known, [True, False, True])
    np.testing.assert_array_equal(target.codes[target.known], [[1, 0], [0, 1]])


def test_one_label_is_a_factor_of_two_classes():
    factor = Factor("loud", "multilabel", np.array([[1.0], [0], [np.nan]]), ("loud",))
    target = make_target(factor, train=np.ones(3, dtype=bool))
    np.testing.assert_array_equal(target.codes, [1, 0, -1])
    assert target.names == ("no", "loud")


@pytest.mark.parametrize(
    ("factor", "classes", "message"),
    [
        (Factor.categorical("timbre", ["a", "b"]), 3, "cannot be cut"),
        (Factor.continuous("level", [1, 2]), 1, "two or more"),
        (Factor.continuous("level", [None, 2]), None, "No training clip"),
        (Factor.continuous("level", [1, np.inf]), None, "infinite"),
    ],
)
def test_what_cannot_be_a_target_is_refused(factor, classes, message):
    with pytest.raises(DataError, match=message):
        make_target(factor, train=np.array([True, False]), classes=classes)
