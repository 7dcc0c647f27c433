from itertools import combinations

import librosa
import numpy as np
import pytest
from pydantic import ValidationError

from disentone.agreement import Relation, ViewSampler
from disentone.datasets.patches import Patches, patches
from disentone.datasets.patches.samplers import GROUPS
from disentone.frontends.config import LogMelConfig
from disentone.frontends.feature_store import compute_features
from disentone.frontends.logmel import LogMel

SMALL = Patches(clips=240, seconds=0.5, sample_rate=16000)
TABLE = patches(SMALL)


def of(group, index, table=TABLE):
    """Parameters of a group in one clip."""
    names = GROUPS[group](np.random.default_rng(0), 1, 1.0)
    return {name: table.sounds.patch(index)[name] for name in names}


@pytest.mark.parametrize("config", [SMALL, Patches(clips=405, repeats=5), Patches(clips=2000)])
def test_every_value_is_in_as_many_clips_as_asked_for_and_no_clips_share_two(config):
    table = patches(config)
    codes = table.sounds.codes
    for number, group in enumerate(GROUPS):
        assert (np.bincount(codes[:, number]) == config.repeats).all(), group
    shared = sum(
        np.equal.outer(codes[:, number], codes[:, number]).astype(int) for number in range(4)
    )
    np.fill_diagonal(shared, 0)
    assert shared.max() == 1


def test_no_value_is_in_two_splits():
    for group in GROUPS:
        values = TABLE.factor(group).values
        parts = [set(values[TABLE.where(s)]) - {-1} for s in ("train", "valid", "test")]
        assert not any(one & other for one, other in combinations(parts, 2))
    assert [len(TABLE.where(s)) for s in ("train", "valid", "test")] == [160, 40, 40]
    default = patches(Patches(clips=2000))
    assert [len(default.where(s)) for s in ("train", "valid", "test")] == [1600, 200, 200]


@pytest.mark.parametrize("group", GROUPS)
def test_views_share_the_parameters_of_their_group_and_no_others(group):
    sampler = ViewSampler(TABLE, {"facet": Relation(group)}, leave_out=True)
    rows = sampler.epoch(0)
    assert len(rows) > 150
    for one, other in rows[:40]:
        assert one != other
        for name in GROUPS:
            assert (of(name, one) == of(name, other)) == (name == group)


def test_pitch_is_unknown_where_there_are_no_tones():
    tonal = np.array([TABLE.sounds.patch(index)["tonal"] for index in range(len(TABLE))])
    assert 0.05 < 1 - tonal.mean() < 0.3
    np.testing.assert_array_equal(TABLE.factor("pitch").known, tonal)
    for name in ("f0", "notes", "brightness"):
        np.testing.assert_array_equal(TABLE.factor(name).known, tonal)


def test_factors_are_the_parameters():
    for index in range(0, 240, 7):
        patch = TABLE.sounds.patch(index)
        values = {name: factor.values[index] for name, factor in TABLE.factors.items()}
        assert values["level"] == patch["level"]
        assert values["floor"] == patch["floor"]
        assert values["noise"] == patch["noise"]
        whole = patch["start"] >= 0
        found = 10 ** values["attack"] if whole else np.isnan(values["attack"])
        assert found == pytest.approx(patch["attack"] if whole else True)
        over = patch["start"] + patch["length"]
        whole &= patch["end"] == 0 or over < patch["end"]
        found = 10 ** values["length"] if whole else np.isnan(values["length"])
        assert found == pytest.approx(patch["length"] if whole else True)
        for name in ("rate", "reverberation"):
            found = 0 if np.isnan(values[name]) else 10 ** values[name]
            assert found == pytest.approx(patch[name])
        if patch["tonal"]:
            assert values["f0"] == patch["note"]
            assert values["brightness"] == patch["brightness"]
            assert values["notes"] == 1 + (patch["second"] > 0) + (patch["third"] > 0)


def test_clips_of_a_pitch_have_its_fundamental():
    """By an independent estimator, in clips with little noise that are steady and of one note."""
    table = patches(Patches(clips=2000))
    tried = 0
    for index in range(len(table)):
        patch = table.sounds.patch(index)
        off = ("second", "glide", "vibrato", "scatter", "inharmonicity", "roughness", "detune")
        if (
            any(patch[name] for name in off)
            or patch["noise"] > 0.1
            or 0 < patch["end"] < 1
            or patch["length"] < 0.5
            or patch["floor"] > -50
            or not 40 < patch["note"] < 95
            or (patch["decay_to"] < 0.3 and patch["fall"] < 0.3)
        ):
            continue
        wave = table.sounds.read(index, 22050)
        loud = int(np.argmax(np.abs(wave)))
        found = librosa.yin(wave[loud:][:8192], fmin=60, fmax=2500, sr=22050, frame_length=4096)
        tried += 1
        # An octave is the estimator's usual mistake where the fundamental is weak.
        off_by = np.median(librosa.hz_to_midi(found)) - patch["note"]
        assert abs(off_by - 12 * np.round(off_by / 12)) < 0.2, table.ids[index]
        if tried == 12:
            break
    assert tried == 12


def test_every_clip_is_finite_and_within_full_scale():
    for index in range(len(TABLE)):
        wave = TABLE.sounds.read(index, 16000)
        assert wave.dtype == np.float32
        assert wave.shape == (8000,)
        assert np.isfinite(wave).all()
        level = 10 ** (TABLE.factor("level").values[index] / 20)
        assert np.abs(wave).max() == pytest.approx(level, rel=1e-5)
        assert level <= 1


def test_seed_decides_everything_and_order_nothing():
    one, other = patches(SMALL), patches(SMALL.model_copy(update={"seed": 1}))
    order = np.random.default_rng(0).permutation(240)[:30]
    part = one.take(order)
    for place in reversed(range(30)):
        np.testing.assert_array_equal(
            part.sounds.read(place, 16000), TABLE.sounds.read(order[place], 16000)
        )
        assert part.sounds.key(place) == TABLE.sounds.key(order[place])
    assert not np.array_equal(other.sounds.read(3, 16000), one.sounds.read(3, 16000))
    assert other.sounds.key(3) != one.sounds.key(3)
    assert len({one.sounds.key(index) for index in range(240)}) == 240


def test_noise_of_clips_that_share_a_timbre_is_not_the_same():
    for one, other in combinations(range(60), 2):
        assert not np.array_equal(TABLE.sounds.read(one, 16000), TABLE.sounds.read(other, 16000))
        if other > 10:
            break


def test_other_rates_are_resampled():
    assert TABLE.sounds.read(0, 22050).shape == (11025,)


def test_features_do_not_depend_on_threads_and_are_not_made_twice(tmp_path, monkeypatch):
    frontend = LogMel(LogMelConfig(sample_rate=16000, seconds=0.5))
    one = compute_features(TABLE, frontend, cache=tmp_path / "one", jobs=1)
    two = compute_features(TABLE, frontend, cache=tmp_path / "two", jobs=3)
    np.testing.assert_array_equal(one.array, two.array)
    assert not one.lost

    def render(*args, **kwargs):
        raise AssertionError("it was made before")

    monkeypatch.setattr("disentone.datasets.patches.rendering.render", render)
    again = compute_features(TABLE, frontend, cache=tmp_path / "one")
    np.testing.assert_array_equal(again.array, one.array)


def test_what_was_made_before_a_kill_is_kept(tmp_path, monkeypatch):
    frontend = LogMel(LogMelConfig(sample_rate=16000, seconds=0.5))
    frontend.batch_samples = 8000 * 40  # blocks of 40 clips
    from disentone.datasets.patches import rendering

    made, real = [], rendering.render

    def render(*args, **kwargs):
        made.append(1)
        if len(made) == 150:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(rendering, "render", render)
    with pytest.raises(KeyboardInterrupt):
        compute_features(TABLE, frontend, cache=tmp_path, jobs=1)
    made.clear()
    found = compute_features(TABLE, frontend, cache=tmp_path, jobs=1)
    assert len(found.rows) == 240
    assert 90 < len(made) < 200
    monkeypatch.setattr(rendering, "render", real)
    np.testing.assert_array_equal(found.array, compute_features(TABLE, frontend).array)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"clips": 1001}, "1001 clips are no multiple of the 4 repeats"),
        ({"clips": 80}, "there must be 120 clips or more"),
        ({"sample_rate": 8000}, "greater than or equal to 16000"),
        ({"seconds": 0.1}, "greater than or equal to 0.5"),
        ({"clip": 400}, "Extra inputs"),
    ],
)
def test_impossible_configurations_are_refused(values, words):
    with pytest.raises(ValidationError, match=words):
        Patches(**values)
