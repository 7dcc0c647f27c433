"""Takes: what is known of excerpts of recordings, and what they sound like."""

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError

from disentone.datasets.opening import open_data
from disentone.datasets.patches import Patches
from disentone.errors import DataError, RecipeError
from disentone.recipes import load_recipe

RATE = 22050
SET = {"path": "notes", "takes": 40, "timbre": "instrument", "pitch": "pitch"}


def tone(hertz, seconds):
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten notes of two instruments, of which two are valid and one is test."""
    root = tmp_path_factory.mktemp("sets")
    (root / "notes").mkdir()
    lines = ["path,instrument,pitch,split,source_id"]
    for number in range(10):
        name = f"{number}.wav"
        seconds = 0.5 if number == 0 else 3.0
        soundfile.write(root / "notes" / name, tone(220 * 2 ** (number / 12), seconds), RATE)
        split = {8: "valid", 9: "valid", 7: "test"}.get(number, "train")
        lines.append(f"{name},{'horn' if number % 2 else 'harp'},{57 + number},{split},s{number}")
    (root / "notes" / "clips.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def table(folder):
    return open_data(Patches(clips=120, recordings=[SET], path=str(folder))).table


def values(table, name):
    factor = table.factor(name)
    codes = factor.values.astype(int)
    return np.array([factor.classes[code] if code >= 0 else "" for code in codes])


def test_patches_are_as_they_were(table):
    alone = open_data(Patches(clips=120)).table
    assert list(table.ids[:120]) == list(alone.ids)
    for name in ("timbre", "space"):
        assert list(values(table, name)[:120]) == list(values(alone, name))
    np.testing.assert_array_equal(table.factor("f0").values[:120], alone.factor("f0").values)
    np.testing.assert_array_equal(table.sounds.read(5, RATE), alone.sounds.read(5, RATE))


def test_there_are_as_many_takes_as_asked_for_and_none_of_test_clips(table):
    assert len(table) == 120 + 40 * 4
    split = table.split[120:]
    assert {name: int((split == name).sum()) for name in set(split)} == {"train": 144, "valid": 16}
    pitches = set(values(table, "pitch")[120:])
    assert pitches == {f"note {57.0 + n}" for n in range(10) if n != 7}


def test_an_excerpt_is_in_four_spaces_and_shares_all_but_these(table):
    takes, spaces = values(table, "envelope")[120:], values(table, "space")[120:]
    for take in set(takes):
        rows = np.flatnonzero(takes == take)
        assert len(rows) == 4
        assert len(set(spaces[rows])) == 4
        for name in ("timbre", "pitch"):
            assert len(set(values(table, name)[120:][rows])) == 1


def test_a_space_is_that_of_four_takes_of_one_split(table):
    spaces, takes = values(table, "space")[120:], values(table, "envelope")[120:]
    for space in set(spaces):
        rows = np.flatnonzero(spaces == space)
        assert len(rows) == 4
        assert len(set(takes[rows])) == 4
        assert len(set(table.split[120:][rows])) == 1


def test_classes_are_the_factors_own(table):
    timbres = set(values(table, "timbre")[120:])
    assert timbres == {"notes harp", "notes horn"}
    for name in ("f0", "attack", "level"):
        assert np.isnan(table.factor(name).values[120:]).all()


def test_what_is_not_known_is_unknown(folder):
    plain = {"path": "notes", "takes": 20}
    table = open_data(Patches(clips=120, recordings=[plain], path=str(folder))).table
    assert not table.factor("pitch").known[120:].any()
    assert len(set(values(table, "timbre")[120:])) == 9  # recordings that are no test clips


def test_a_take_has_the_pitch_of_its_recording(table):
    checked = 0
    for row in range(120, len(table), 9):
        wave = table.sounds.read(row, RATE)
        power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
        peak = float(np.argmax(power)) * RATE / len(wave)
        midi = float(values(table, "pitch")[row].removeprefix("note "))
        expected = 440 * 2 ** ((midi - 69) / 12)
        checked += abs(12 * np.log2(peak / expected)) < 0.5
    assert checked == len(range(120, len(table), 9))


def test_a_short_recording_ends_in_nothing(table):
    rows = np.flatnonzero(values(table, "pitch") == "note 57.0")
    wave = table.sounds.read(int(rows[0]), RATE)
    assert len(wave) == 2 * RATE
    assert (wave[RATE // 2 :] == 0).all()
    assert np.abs(wave[: RATE // 2]).max() > 0


def test_spaces_and_levels_differ_and_the_same_is_read_again(table):
    rows = np.flatnonzero(values(table, "envelope") == values(table, "envelope")[140])
    waves = [table.sounds.read(int(row), RATE) for row in rows]
    assert len({float(np.abs(wave).max()) for wave in waves}) == 4
    np.testing.assert_array_equal(waves[0], table.sounds.read(int(rows[0]), RATE))
    part = table.take(rows[2:])
    np.testing.assert_array_equal(part.sounds.read(0, RATE), waves[2])
    assert len({table.sounds.key(int(row)) for row in range(len(table))}) == len(table)


def test_an_excerpt_of_almost_nothing_is_the_loudest_instead(tmp_path):
    wave = np.zeros(20 * RATE)
    wave[15 * RATE : 16 * RATE] = tone(330, 1.0)
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", wave, RATE)
    lines = "path,split\na.wav,train\nb.wav,valid\n"
    (tmp_path / "clips.csv").write_text(lines, encoding="utf-8")
    some = {"path": ".", "takes": 20}
    table = open_data(Patches(clips=120, recordings=[some], path=str(tmp_path))).table
    for row in range(120, len(table), 11):
        found = np.abs(np.fft.rfft(table.sounds.read(row, RATE)))[500:800]
        assert 500 + int(found.argmax()) == 660  # 330 Hz in 2 s


def test_a_set_without_train_clips_or_with_another_factor_is_refused(tmp_path, folder):
    soundfile.write(tmp_path / "a.wav", tone(330, 1.0), RATE)
    (tmp_path / "clips.csv").write_text("path,split\na.wav,test\n", encoding="utf-8")
    some = {"path": ".", "takes": 20}
    with pytest.raises(DataError, match="no train clip"):
        open_data(Patches(clips=120, recordings=[some], path=str(tmp_path)))
    wrong = {**SET, "timbre": "instrumnt"}
    with pytest.raises(DataError, match="did you mean 'instrument'"):
        open_data(Patches(clips=120, recordings=[wrong], path=str(folder)))


def test_recordings_need_a_place():
    with pytest.raises(DataError, match="--data FOLDER"):
        open_data(Patches(clips=120, recordings=[SET]))
    with pytest.raises(ValidationError):
        Patches(clips=120, recordings=[{"path": "x", "takes": 0}])


def test_data_is_the_place_of_a_recipes_recordings(folder, tmp_path):
    text = "name: both\nfacets: {timbre: {dim: 4, same: timbre}}\ndata:\n  kind: patches\n"
    file = tmp_path / "both.yaml"
    file.write_text(text + "  recordings: [{path: notes}]\n", encoding="utf-8")
    assert load_recipe(file, data=folder).data.path == str(folder)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match="makes its own data"):
        load_recipe(file, data=folder)
