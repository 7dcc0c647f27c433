import random

import numpy as np
import pytest

from disentone.agreement import Relation, ViewSampler, parse_transform, with_copies
from disentone.clips import ClipTable
from disentone.errors import DataError, RecipeError
from disentone.factors import Factor

pytest.importorskip("audiomentations", reason="the extra 'augment' is not installed")

RATE = 16000
TIME = np.arange(RATE) / RATE


class Tones:
    """Sounds of some frequencies at half of full scale."""

    def __init__(self, frequencies):
        self.frequencies = np.asarray(frequencies)

    def read(self, index, sample_rate):
        return (0.5 * np.sin(2 * np.pi * self.frequencies[index] * TIME)).astype(np.float32)

    def take(self, indices):
        return Tones(self.frequencies[indices])

    def key(self, index):
        return f"tone {self.frequencies[index]}"


@pytest.fixture
def tones():
    names = {"name": Factor.categorical("name", list("abcd"))}
    split = ["train", "train", "valid", "test"]
    return ClipTable(["a", "b", "c", "d"], names, split, Tones([440.0, 1000.0, 2000.0, 500.0]))


def copies_of(table, *transforms, copies=4, seed=0):
    chain = [parse_transform(text) for text in transforms]
    return with_copies(table, {"f": chain}, copies=copies, seed=seed)


def power(wave, low, high):
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    hertz = np.fft.rfftfreq(len(wave), 1 / RATE)
    return spectrum[(hertz >= low) & (hertz < high)].sum()


def peak_hertz(wave):
    return np.fft.rfftfreq(len(wave), 1 / RATE)[np.abs(np.fft.rfft(wave)).argmax()]


def test_copies_follow_the_clips_and_keep_what_is_known(tones):
    more = copies_of(tones, "gain", copies=2)
    assert more.ids[:4].tolist() == tones.ids.tolist()
    assert more.origins.tolist() == ["a", "b", "c", "d", "a", "b", "c", "a", "b", "c"]
    assert more.copy_for.tolist() == [""] * 4 + ["f"] * 6
    assert more.split[4:].tolist() == ["train", "train", "valid"] * 2  # none of a test clip
    assert more.factor("name").labels() == more.origins.tolist()
    for clip in range(4):
        np.testing.assert_array_equal(more.sounds.read(clip, RATE), tones.sounds.read(clip, RATE))


def test_a_copy_is_always_the_same_and_no_two_are_alike(tones):
    more, again = copies_of(tones, "noise(10, 20)"), copies_of(tones, "noise(10, 20)")
    first = more.sounds.read(4, RATE)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    state = random.getstate()
    np.testing.assert_array_equal(again.take([4]).sounds.read(0, RATE), first)
    assert random.getstate() == state, "it drew from the user's random numbers"
    others = [more.sounds.read(i, RATE) for i in range(5, len(more))]
    others.append(copies_of(tones, "noise(10, 20)", seed=1).sounds.read(4, RATE))
    assert all(np.abs(first - other).max() > 1e-3 for other in others)
    keys = {more.sounds.key(i) for i in range(len(more))} | {
        copies_of(tones, "noise").sounds.key(4)
    }
    assert len(keys) == len(more) + 1


def test_pitch_shift_moves_the_pitch_within_its_range(tones):
    more = copies_of(tones, "pitch_shift(-3, 3)", copies=6)
    hertz = [peak_hertz(more.sounds.read(i, RATE)) for i in range(4, len(more), 3)]
    semitones = 12 * np.log2(np.array(hertz) / 440)
    assert np.abs(semitones).max() <= 3.1
    assert np.ptp(semitones) > 1


def test_gain_is_a_factor_within_its_range(tones):
    more = copies_of(tones, "gain(-6, -3)")
    gains = [20 * np.log10(np.abs(more.sounds.read(i, RATE)).max() / 0.5) for i in range(4, 16)]
    assert min(gains) >= -6.01
    assert max(gains) <= -2.99


def test_noise_has_the_ratio_asked_for(tones):
    more = copies_of(tones, "noise(9.9, 10.1)")
    clean = tones.sounds.read(0, RATE)
    noise = more.sounds.read(4, RATE) - clean
    assert 10 * np.log10(np.mean(clean**2) / np.mean(noise**2)) == pytest.approx(10, abs=0.3)


def test_band_pass_and_equaliser_change_the_balance(tones):
    noise = ClipTable(["n"], {}, ["train"], sounds=Noise())
    flat = noise.sounds.read(0, RATE)
    passed = copies_of(noise, "band_pass(900, 1100)").sounds.read(1, RATE)
    before, after = (power(w, 800, 1200) / power(w, 4000, 8000) for w in (flat, passed))
    assert after > 20 * before
    shaped = copies_of(noise, "equaliser(-12, 12)").sounds.read(1, RATE)
    bands = [(100, 300), (1000, 2000), (4000, 7000)]
    change = [10 * np.log10(power(shaped, *b) / power(flat, *b)) for b in bands]
    assert np.ptp(change) > 1


class Noise(Tones):
    def __init__(self):
        super().__init__([0.0])

    def read(self, index, sample_rate):
        return (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)

    def take(self, indices):
        return self


def test_reverb_is_convolution_with_the_response(tones, tone, tmp_path):
    import soundfile

    response = np.zeros(800)
    response[[0, 400]] = 1.0, 0.5
    soundfile.write(tmp_path / "room.wav", response, RATE)
    wet = copies_of(tones, f"reverb({tmp_path / 'room.wav'})").sounds.read(4, RATE)
    expected = np.convolve(tones.sounds.read(0, RATE), response)[:RATE]
    similarity = wet @ expected / np.linalg.norm(wet) / np.linalg.norm(expected)
    assert similarity == pytest.approx(1, abs=1e-3)  # the library also scales it


def test_copies_are_the_views_of_their_clip(tones):
    more = copies_of(tones, "gain")
    train = more.take(more.where("train"))
    drawn = ViewSampler(train, {"f": Relation("clip")}).epoch(0)
    assert sorted(train.ids[drawn[:, 0]]) == ["a", "b"]
    assert (train.origins[drawn[:, 0]] == train.origins[drawn[:, 1]]).all()
    assert (train.copy_for[drawn[:, 1]] == "f").all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pich_shift", "did you mean 'pitch_shift'"),
        ("gain(1)", "must look like gain.LOW, HIGH."),
        ("gain(3, -3)", "must look like gain"),
        ("gain(a, b)", "must look like gain"),
        ("reverb", "must look like reverb.FOLDER."),
        ("background", "must look like background.FOLDER, LOW, HIGH."),
        ("", "There is no transform ''"),
    ],
)
def test_transforms_that_cannot_be_read(text, words):
    with pytest.raises(RecipeError, match=words):
        parse_transform(text)


def test_transforms_that_cannot_be_made(tones):
    with pytest.raises(DataError, match="does not exist"):
        copies_of(tones, "reverb(/gone)").sounds.read(4, RATE)
    with pytest.raises(RecipeError, match="not possible"):
        copies_of(tones, "time_stretch(-2, -1)").sounds.read(4, RATE)
