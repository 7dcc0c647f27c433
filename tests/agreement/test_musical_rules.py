import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from disentone.agreement.rules import KEYS, key_codes, normalise_key, same_key, same_tempo
from disentone.errors import DataError

TEMPI = st.floats(20, 400)


def naive_same_tempo(first, second, within=5.0):
    slow, fast = sorted((first, second))
    return any(abs(slow * 2**k - fast) <= within for k in range(20))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (120, 120, True),
        (120, 125, True),
        (120, 125.1, False),
        (60, 120, True),
        (60, 125, True),
        (60, 126, False),
        (62.5, 120, True),
        (63, 120, False),
        (40, 320, True),
        (90, 135, False),
        (105.6, 110.6, True),
        (math.nan, 120, False),
        (0, 3, False),
    ],
)
def test_tempi_are_near_or_octaves_apart(first, second, same):
    for one, other in ((first, second), (second, first)):
        assert bool(same_tempo(np.array([one]), np.array([other]))[0]) is same
        assert bool(same_tempo(torch.tensor([float(one)]), torch.tensor([float(other)]))) is same


@given(st.lists(TEMPI, min_size=1, max_size=6), st.floats(0, 20))
def test_tempi_of_a_matrix_are_those_of_a_loop(tempi, within):
    values = np.array(tempi)
    agree = same_tempo(values[:, None], values[None], within=within)
    wide = [[naive_same_tempo(a, b, within + 1e-3) for b in tempi] for a in tempi]
    strict = [[naive_same_tempo(a, b, within) for b in tempi] for a in tempi]
    assert (agree >= np.array(strict)).all()
    assert (agree <= np.array(wide)).all()
    assert (agree == agree.T).all()


@given(TEMPI, TEMPI, st.integers(-2, 2))
def test_an_octave_of_both_tempi_changes_nothing_but_the_tolerance(first, second, octave):
    times = 2.0**octave
    both = same_tempo(np.array(first * times), np.array(second * times), within=5 * times)
    assert bool(both) == bool(same_tempo(np.array(first), np.array(second)))


@pytest.mark.parametrize(
    ("names", "key"),
    [
        (
            ["C", "C major", "c:maj", "C-Dur", "CM", "Cmaj", "B#", "Do majeur", "8B", "1d"],
            "C major",
        ),
        (["Cm", "c-moll", "c moll", "C:min", "c minor", "DO MINORE", "5A", "10m"], "C minor"),
        (["C# min", "Db:minor", "cis-moll", "C#m", "C♯ Minor", "des-moll", "12A"], "Db minor"),
        (["C sharp minor", "C-sharp minor", "c-sharp-minor", "do dièse mineur"], "Db minor"),
        (["Ces-Dur", "Cb major", "B", "B major", "H-Dur", "H", "si maggiore"], "B major"),
        (["b-moll", "Bbm", "A# minor", "B-flat minor", "sib min", "si bemol menor"], "Bb minor"),
        (["h-moll", "B minor", "Bm", "b:min", "Hm"], "B minor"),
        (["B-Dur", "Bb", "B♭ Major", "b dur", "B flat major", "Si bémol majeur"], "Bb major"),
        (["As-Dur", "Ab", "G# major", "la bemolle maggiore", "Gis dur"], "Ab major"),
        (["es-moll", "Ebm", "D#_minor", "dis-moll"], "Eb minor"),
        (["fis-moll", "Gb:min", "F# minor", "F#min.", "FIS-MOLL"], "F# minor"),
        (["Fes-Dur", "E", "E maj", "mi mayor"], "E major"),
        (["Ebb major", "D", "Re", "ré majeur", "C## major"], "D major"),
        (["", "  ", "N", "X", "none", "unknown"], ""),
    ],
)
def test_spellings_of_a_key(names, key):
    assert {name: normalise_key(name) for name in names} == dict.fromkeys(names, key)


@pytest.mark.parametrize(
    "name",
    [
        "D dorian",
        "J minor",
        "C maj7",
        "13A",
        "0B",
        "major",
        "moll",
        "C minor major",
        "120",
        "ds-moll",
    ],
)
def test_what_is_no_key_is_refused_by_name(name):
    with pytest.raises(DataError, match=f"'{name}' is not a major or minor key"):
        normalise_key(name)


def test_a_small_letter_alone_is_refused_as_it_may_be_either():
    with pytest.raises(
        DataError, match=r"'fis' is neither major nor minor.*'fis major' or 'fis minor'"
    ):
        normalise_key("fis")


@pytest.mark.parametrize("key", KEYS)
def test_a_normal_spelling_stays(key):
    assert normalise_key(key) == key


def test_the_wheels_have_every_key_once_and_neighbours_a_fifth_apart():
    for sides in ("AB", "md"):
        wheel = [normalise_key(f"{hour}{side}") for side in sides for hour in range(1, 13)]
        assert sorted(wheel) == sorted(KEYS)
        tonics = key_codes(wheel[:12]) // 2
        assert set((np.diff(tonics)) % 12) == {7}
        for minor, major in zip(wheel[:12], wheel[12:]):
            assert same_key(*key_codes([minor, major]), also="relative")


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_keys_that_count_as_the_same(kind):
    codes = kind(key_codes(["C major", "C minor", "A minor", "G major", ""]))
    same = {
        also: np.argwhere(np.triu(np.asarray(same_key(codes[:, None], codes[None], also=also))))
        for also in ("parallel", "relative", "none")
    }
    itself = [[i, i] for i in range(4)]  # the unknown key is not even itself
    assert same["none"].tolist() == itself
    assert same["parallel"].tolist() == sorted([*itself, [0, 1]])
    assert same["relative"].tolist() == sorted([*itself, [0, 2]])
