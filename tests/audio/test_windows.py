"""The window policy, each rule against a loop that says it in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from disentone.audio import Skipped
from disentone.audio.windows import ClipWindows, Usable, cut_wave, window_counts
from disentone.errors import AudioError, SilenceError

SIZE = 8


def sound(length, seed=0):
    return np.random.default_rng(seed).uniform(0.1, 1, length).astype(np.float32)


@given(st.lists(st.integers(0, 60), max_size=20), st.integers(1, 9))
def test_counts(lengths, size):
    expected = []
    for length in lengths:
        whole, rest = divmod(length, size)
        expected.append(max(1, whole + (1 if rest >= size / 2 else 0)))
    assert window_counts(np.array(lengths, dtype=np.int64), size).tolist() == expected


@given(st.lists(st.booleans(), min_size=1, max_size=6), st.integers(0, SIZE - 1))
def test_windows_of_a_wave_are_those_with_sound(loud, rest):
    parts = [sound(SIZE, i) if one else np.zeros(SIZE, np.float32) for i, one in enumerate(loud)]
    wave = np.concatenate([*parts, sound(rest, 99)])
    expected = [part for part, one in zip(parts, loud) if one]
    if rest >= SIZE / 2:
        expected.append(sound(rest, 99))
    if not expected:
        with pytest.raises(SilenceError, match="'a clip' is silent"):
            cut_wave(wave, SIZE, "a clip")
        return
    for one, other in zip(cut_wave(wave, SIZE, "a clip"), expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("wave", [[], [0.1, np.nan, 0.2], [0.1, np.inf]])
def test_what_is_no_sound_is_refused(wave):
    with pytest.raises(AudioError, match="'a clip' has"):
        cut_wave(np.array(wave, np.float32), SIZE, "a clip")


COUNTS = st.lists(st.integers(1, 4), min_size=1, max_size=8)


@given(COUNTS, st.data())
def test_rows_owners_and_means_of_some_clips(counts, data):
    windows = ClipWindows.of_counts(np.array(counts))
    clips = data.draw(st.lists(st.integers(0, len(counts) - 1), min_size=1, max_size=10))
    some = windows.take(np.array(clips))
    rows, owner = [], []
    for place, clip in enumerate(clips):
        first = sum(counts[:clip])
        rows += range(first, first + counts[clip])
        owner += [place] * counts[clip]
    assert (some.rows.tolist(), some.owner.tolist()) == (rows, owner)
    values = np.random.default_rng(0).standard_normal((sum(counts), 3)).astype(np.float32)
    expected = [
        values[np.array(rows)[np.array(owner) == place]].mean(0) for place in range(len(clips))
    ]
    np.testing.assert_allclose(some.means(values[rows]), expected, atol=1e-6)
    assert some.means(values[rows]).dtype == np.float32


def test_the_mean_over_one_window_is_that_window_to_the_bit():
    values = sound(30).reshape(10, 3)
    assert ClipWindows.single(np.arange(10)).means(values) is values


@given(COUNTS, st.integers(0, 5), st.integers(0, 3))
def test_an_epoch_takes_the_next_window_of_its_own_clips_and_any_of_their_partners(
    counts, seed, draws
):
    windows = ClipWindows.of_counts(np.array(counts))
    rows = np.tile(np.arange(len(counts)), 1 + draws)
    clips = np.stack([rows, rows[::-1]], axis=1)
    epochs = np.stack([windows.draw(clips, number, seed) for number in range(100)])
    np.testing.assert_array_equal(windows.draw(clips, 7, seed), epochs[7])
    assert epochs.shape == (100, *clips.shape)
    for clip, count in enumerate(counts):
        all_of_it = set(range(sum(counts[:clip]), sum(counts[: clip + 1])))
        own = epochs[:, clips[:, 0] == clip, 0]
        for place in range(100 - count):
            assert set(own[place : place + count, 0]) == all_of_it, "in turn, epoch after epoch"
        assert (np.sort([len(set(epoch)) for epoch in own]) == min(count, 1 + draws)).all()
        assert set(epochs[:, clips[:, 1] == clip, 1].ravel()) == all_of_it


def test_clips_of_equal_length_begin_at_different_windows():
    windows = ClipWindows.of_counts(np.full(200, 4))
    first = windows.draw(np.arange(200)[:, None], 0, 0) % 4
    assert np.bincount(first.ravel(), minlength=4).min() > 30


def test_a_clip_needs_one_window_with_sound_and_none_that_is_broken():
    owner = np.array([0, 0, 1, 1, 2, 2, 3])
    usable = Usable(4)
    lost = {i: Skipped(f"window {i}", f"why {i}") for i in (1, 2, 3, 5)}
    usable.add(owner, np.array([0, 4, 6]), lost, {1, 2, 3})
    assert usable.sounding.tolist() == [1, 0, 1, 1]
    assert usable.refused() == {1: "why 2", 2: "why 5"}
