"""Kinds of factors, guessed and given."""

import numpy as np
import pytest

from disentone.datasets.columns import derived_factor, factor_from_column
from disentone.errors import DataError
from disentone.factors import Factor


def kind_of(name, values, **options):
    factor, _ = factor_from_column(name, values, **options)
    return None if factor is None else factor.kind


TWENTY = range(20)


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("instrument", ["piano", "cello"] * 10, "categorical"),
        ("key", ["C major", "Db minor"] * 10, "categorical"),
        ("pitch", [str(48 + i % 10) for i in TWENTY], "ordinal"),
        ("midi_pitch", [str(48 + i) for i in TWENTY], "ordinal"),
        ("Pitch", [48, 49, 60, 61] * 5, "ordinal"),
        ("events", ["1", "2", "3", "2"] * 5, "ordinal"),
        ("tempo", [str(60 + 7 * i) for i in TWENTY], "continuous"),
        ("bpm", ["120", "90", "100", "60"] * 5, "continuous"),
        ("brightness", [f"{0.37 * i:.2f}" for i in TWENTY], "continuous"),
        ("scientific", [f"{i}e-3" for i in TWENTY], "continuous"),
        ("width", [str(13 * i) for i in TWENTY], "continuous"),
        ("rain", ["0", "1"] * 10, "categorical"),
        ("is_wet", [True, False] * 10, "categorical"),
        ("sensor", [str(i % 5) for i in TWENTY], "categorical"),
        ("sensorId", [i % 5 for i in TWENTY], "categorical"),
        ("fold", ["1", "2", "3", "4"] * 5, "categorical"),
        ("code", ["007", "008", "010", "011"] * 5, "categorical"),
        ("tags", ["rain;dog", "dog", "rain", "dog;rain"] * 5, "multilabel"),
        ("tags", [["rain", "dog"], ["dog"], [], ["rain"]] * 5, "multilabel"),
        ("title", [f"take {i}" for i in TWENTY], None),
        ("title", [f"song {i}; part {i}" for i in TWENTY], None),
        ("id", [str(1000 + 17 * i) for i in TWENTY], None),
        ("row", list(TWENTY), None),
        ("nothing", ["", None, "NA"] * 5, None),
        ("versions", ["1_0", "1_1", "2_0"] * 5, "categorical"),
        ("limits", ["1", "2", "inf", "3"] * 5, "categorical"),
        ("one", ["piano"] * 20, "categorical"),
    ],
)
def test_guessed_kinds(name, values, kind):
    assert kind_of(name, values) == kind


def test_keys_of_music_have_one_spelling_and_others_keep_theirs():
    spelled = ["C# min", "Db:minor", "cis-moll", "C major", "N", None]
    factor, _ = factor_from_column("key", spelled)
    assert factor.labels() == ["Db minor"] * 3 + ["C major", "", ""]
    modes = ["D dorian", "C# min", "D dorian", "C# min"]
    assert factor_from_column("key", modes)[0].labels() == modes
    assert factor_from_column("grade", ["A", "B", "A", "B"])[0].labels() == ["A", "B", "A", "B"]


def test_text_that_differs_in_nearly_every_recording_is_no_factor():
    works = [f"work {i // 3}" for i in range(60)]
    assert kind_of("work", works) == "categorical"
    factor, why = factor_from_column("work", works, recordings=20)
    assert factor is None
    assert why == "it differs in nearly every recording"
    assert kind_of("work", works, recordings=20, kind="categorical") == "categorical"
    titles = [f"song {i // 3}; part {i // 3}" for i in range(60)]
    assert kind_of("title", titles, recordings=20) is None, "segments make no labels recur"
    tags = [["rain;dog", "dog", "rain", "dog;rain"][i // 3 % 4] for i in range(60)]
    assert kind_of("tags", tags, recordings=20) == "multilabel"


def test_unknown_values_are_no_class():
    factor, remark = factor_from_column("mic", ["near", "", None, "Unknown", "n/a", "far"] * 3)
    assert factor is not None
    assert factor.classes == ("far", "near")
    assert factor.values[:6].tolist() == [1, -1, -1, -1, -1, 0]
    assert remark == "mic categorical (2, unknown for 12)"


def test_unknown_numbers_stay_numbers():
    factor, _ = factor_from_column("pitch", [60.0, np.nan, 62.0, 60.0] * 5)
    assert factor is not None
    assert factor.kind == "ordinal"
    np.testing.assert_array_equal(factor.values[:4], [60, np.nan, 62, 60])
    sensors, _ = factor_from_column("sensor", [3.0, np.nan, 10.0, 3.0] * 5)
    assert sensors is not None
    assert sensors.classes == ("3", "10")


def test_labels_become_columns():
    factor, _ = factor_from_column("tags", ["rain; dog", "dog", "", "?;dog", "rain"] * 2)
    assert factor is not None
    assert factor.classes == ("dog", "rain")
    np.testing.assert_array_equal(
        factor.values[:5], [[1, 1], [1, 0], [np.nan, np.nan], [1, 0], [0, 1]]
    )
    assert factor.labels()[0] == "dog;rain"


def test_tolerances():
    def tolerance(*args, **options):
        factor, _ = factor_from_column(*args, **options)
        return factor and factor.tolerance

    assert tolerance("pitch", [1, 2, 3] * 5) == 0
    assert tolerance("gain", list(range(101))) == pytest.approx(8)  # a tenth of 10..90
    assert tolerance("gain", [5.0] * 99 + [105.0]) == pytest.approx(10)  # a tenth of it all
    assert tolerance("gain", [1.5, 2.5, 9.5], tolerance=0.3) == 0.3


def test_a_kind_may_be_given():
    assert kind_of("take", ["1", "2"] * 5, kind="continuous") == "continuous"
    assert kind_of("title", [f"t{i}" for i in TWENTY], kind="categorical") == "categorical"
    assert factor_from_column("take", ["1", "2"], kind="ordinal")[1] == ""
    with pytest.raises(DataError, match="did you mean 'ordinal'"):
        factor_from_column("take", ["1"], kind="ordinl")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="'take' is not all numbers"):
        factor_from_column("take", ["one", "two"], kind="ordinal")


def test_derived_factors():
    pitch = Factor.continuous("pitch", [48, 61, None, 71.5], kind="ordinal")
    found = derived_factor("pitch class", "pitch % 12", {"pitch": pitch})
    assert found.kind == "categorical"
    assert found.labels() == ["0", "1", "", "11"]


def test_columns_of_0_and_1_become_labels():
    factors = {
        "dog": factor_from_column("dog", ["0", "1", "", "1"])[0],
        "rain": factor_from_column("rain", [1, 1, 0, 0], kind="ordinal")[0],
        "rock": factor_from_column("rock", ["0"] * 4)[0],
    }
    found = derived_factor("source", "dog + rain+rock", factors)
    assert (found.name, found.kind, found.classes) == ("source", "multilabel", (*factors,))
    np.testing.assert_array_equal(found.values, [[0, 1, 0], [1, 1, 0], [np.nan, 0, 0], [1, 0, 0]])


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("pitch + name", "'pitch' has '2' beside 0 and 1"),
        ("nam + pitch", "did you mean 'name'"),
        ("pitch", "write FACTOR % NUMBER"),
        ("pitch % 0", "write FACTOR % NUMBER"),
        ("pich % 12", "did you mean 'pitch'"),
        ("name % 2", "'name' is categorical and has no numbers"),
    ],
)
def test_rules_that_derive_nothing(rule, words):
    factors = {
        "pitch": Factor.continuous("pitch", [1, 2]),
        "name": Factor.categorical("name", ["a", "b"]),
    }
    with pytest.raises(DataError, match=words):
        derived_factor("new", rule, factors)
