"""The feature store: what is kept, what is computed again, and what survives."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import soundfile
import torch
from pydantic import BaseModel

from disentone.clips import ClipTable
from disentone.datasets.folder import read_folder
from disentone.errors import AudioError, DataError, DisentoneError
from disentone.frontends import feature_store
from disentone.frontends.feature_store import compute_features

RATE = 8000


class Config(BaseModel):
    gain: float = 1.0


class Blocks(torch.nn.Module):
    """A front-end that only folds the waveform, so that every value can be checked."""

    sample_rate, samples, frames, features = RATE, 400, 4, 100

    def __init__(self, gain=1.0):
        super().__init__()
        self.config = Config(gain=gain)
        self.clips = 0

    def forward(self, wave):
        self.clips += len(wave)
        return self.config.gain * wave.reshape(-1, 4, 100)


def noise(path, seed, samples=400):
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = np.random.default_rng(seed).uniform(-0.9, 0.9, samples).astype(np.float32)
    soundfile.write(path, wave, RATE, subtype="FLOAT")
    return wave


@pytest.fixture
def folder(tmp_path):
    """Five clips of noise."""
    for seed in range(5):
        noise(tmp_path / "clips" / f"{seed}.wav", seed)
    return tmp_path / "clips"


def open_clips(folder):
    return read_folder(folder).table


def expected(folder, names):
    waves = [soundfile.read(folder / name, dtype="float32")[0] for name in names]
    return np.stack([np.pad(w[:400], (0, max(0, 400 - len(w)))).reshape(4, 100) for w in waves])


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("samples", [100, 400, 1000])
def test_features_are_those_of_the_cropped_or_padded_wave(tmp_path, cached, samples):
    for seed in range(3):
        noise(tmp_path / "clips" / f"{seed}.wav", seed, samples)
    seen = []
    features = compute_features(
        open_clips(tmp_path / "clips"),
        Blocks(),
        cache=tmp_path / "cache" if cached else None,
        progress=lambda *numbers: seen.append(numbers),
    )
    assert features.array.dtype == np.float32
    assert isinstance(features.array, np.memmap) == cached
    wanted = expected(tmp_path / "clips", ["0.wav", "1.wav", "2.wav"])
    np.testing.assert_allclose(features.array, wanted, atol=1e-6)
    assert features.rows.tolist() == [0, 1, 2]
    assert not features.skipped
    assert seen[-1] == (3, 3)


def test_batches_and_jobs_change_nothing(folder, monkeypatch):
    whole = compute_features(open_clips(folder), Blocks(), jobs=1).array
    monkeypatch.setattr(feature_store, "_BATCH_SAMPLES", 800)
    np.testing.assert_array_equal(
        compute_features(open_clips(folder), Blocks(), jobs=3).array, whole
    )


def test_a_long_file_is_not_decoded_to_its_end(tmp_path, monkeypatch):
    noise(tmp_path / "long.wav", 0, samples=100_000)
    decoded = []
    original = soundfile.SoundFile.read

    def counting(self, *args, **options):
        decoded.append(original(self, *args, **options))
        return decoded[-1]

    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    compute_features(open_clips(tmp_path), Blocks())
    assert sum(map(len, decoded)) == 400


def test_a_second_run_computes_and_decodes_nothing(folder, tmp_path, monkeypatch):
    first = compute_features(open_clips(folder), Blocks(), cache=tmp_path / "cache")

    def forbidden(*_, **__):
        raise AssertionError("a file was read again")

    monkeypatch.setattr("disentone.audio.read", forbidden)
    monkeypatch.setattr("hashlib.file_digest", forbidden)
    frontend, seen = Blocks(), []
    again = compute_features(
        open_clips(folder),
        frontend,
        cache=tmp_path / "cache",
        progress=lambda *numbers: seen.append(numbers),
    )
    assert frontend.clips == 0
    np.testing.assert_array_equal(again.array, first.array)
    assert seen == [(5, 5)]


def test_a_changed_file_is_computed_alone(folder, tmp_path):
    compute_features(open_clips(folder), Blocks(), cache=tmp_path / "cache")
    noise(folder / "2.wav", 77)
    noise(folder / "15.wav", 78)
    frontend = Blocks()
    features = compute_features(open_clips(folder), frontend, cache=tmp_path / "cache")
    assert frontend.clips == 2
    names = ["0.wav", "1.wav", "15.wav", "2.wav", "3.wav", "4.wav"]
    np.testing.assert_array_equal(features.array, expected(folder, names))
    assert isinstance(features.array, np.memmap)  # sorted on disk, not in memory
    files = {file.name for file in next((tmp_path / "cache").iterdir()).iterdir()}
    assert files == {"about.json", "features.f32", "index.jsonl", "lock"}


def test_a_moved_or_copied_file_is_not_computed_again(folder, tmp_path):
    compute_features(open_clips(folder), Blocks(), cache=tmp_path / "cache")
    (folder / "0.wav").rename(folder / "moved.wav")
    (folder / "copy.wav").write_bytes((folder / "1.wav").read_bytes())
    os.utime(folder / "3.wav")
    frontend = Blocks()
    features = compute_features(open_clips(folder), frontend, cache=tmp_path / "cache")
    assert frontend.clips == 0
    names = ["1.wav", "2.wav", "3.wav", "4.wav", "copy.wav", "moved.wav"]
    np.testing.assert_array_equal(features.array, expected(folder, names))


def test_another_setting_or_another_class_has_its_own_store(folder, tmp_path):
    class Other(Blocks):
        pass

    for frontend in (Blocks(), Blocks(gain=2.0), Other()):
        features = compute_features(open_clips(folder), frontend, cache=tmp_path / "cache")
        assert frontend.clips == 5
        assert features.array.max() == pytest.approx(0.9 * frontend.config.gain, rel=0.05)
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_a_subset_is_looked_up_in_its_own_order(folder, tmp_path):
    table = open_clips(folder)
    whole = compute_features(table, Blocks(), cache=tmp_path / "cache").array
    for order in ([1, 2, 3], [4, 0, 2]):
        frontend = Blocks()
        part = compute_features(table.take(order), frontend, cache=tmp_path / "cache")
        assert frontend.clips == 0
        np.testing.assert_array_equal(part.array, whole[order])


@pytest.fixture
def mixed(folder):
    """Add broken clips between the good ones; give the names that are bad, with the reason."""
    (folder / "0-text.wav").write_text("no audio " * 100)
    whole = (folder / "1.wav").read_bytes()
    (folder / "1-cut.wav").write_bytes(whole[: len(whole) // 2])
    soundfile.write(folder / "2-silent.wav", np.zeros(400), RATE)
    soundfile.write(folder / "3-dc.wav", np.full(400, 0.3), RATE)
    soundfile.write(folder / "4-nan.wav", np.full(400, np.nan, np.float32), RATE, subtype="FLOAT")
    soundfile.write(folder / "5-none.wav", np.zeros(0), RATE)
    soundfile.write(folder / "6-one.wav", np.array([0.5]), RATE)
    return {
        "0-text.wav": "not audio",
        "1-cut.wav": "truncated",
        "2-silent.wav": "silent",
        "3-dc.wav": "silent",
        "4-nan.wav": "not finite",
        "5-none.wav": "no samples",
        "6-one.wav": "silent",
    }


@pytest.mark.parametrize("cached", [False, True])
def test_broken_clips_are_named_and_the_rest_goes_on(folder, mixed, tmp_path, cached):
    table = open_clips(folder)
    for _ in range(2):
        frontend = Blocks()
        features = compute_features(table, frontend, cache=tmp_path / "cache" if cached else None)
        reasons = {item.path: item.reason for item in features.skipped}
        assert reasons.keys() == mixed.keys()
        assert all(words in reasons[name] for name, words in mixed.items())
        names = table.ids[features.rows].tolist()
        assert names == ["0.wav", "1.wav", "2.wav", "3.wav", "4.wav"]
        np.testing.assert_array_equal(features.array, expected(folder, names))
    with pytest.raises(AudioError, match=r"0-text\.wav"):
        compute_features(table, Blocks(), on_error="stop")


def test_no_usable_clip_gives_an_empty_array(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(400), RATE)
    for cache in (None, tmp_path / "cache"):
        features = compute_features(open_clips(tmp_path), Blocks(), cache=cache)
        assert features.array.shape == (0, 4, 100)
        assert len(features.skipped) == 1


def test_a_file_that_vanishes_or_changes_is_skipped(folder, tmp_path, monkeypatch):
    table = open_clips(folder)
    compute_features(table, Blocks(), cache=tmp_path / "cache")
    (folder / "3.wav").unlink()
    noise(folder / "1.wav", 99)
    read = feature_store.audio.read

    def touching(path, **options):
        wave = read(path, **options)
        os.utime(path, ns=(5, 5))
        return wave

    monkeypatch.setattr("disentone.audio.read", touching)
    features = compute_features(table, Blocks(), cache=tmp_path / "cache")
    assert [item.path for item in features.skipped] == ["1.wav", "3.wav"]
    assert "changed while it was read" in features.skipped[0].reason
    assert "does not exist" in features.skipped[1].reason
    np.testing.assert_array_equal(features.array, expected(folder, ["0.wav", "2.wav", "4.wav"]))


def test_features_that_are_not_finite_never_arrive(folder, tmp_path):
    class Breaking(Blocks):
        def forward(self, wave):
            features = super().forward(wave)
            features[1] = torch.inf
            return features

    for cache in (None, tmp_path / "cache"):
        features = compute_features(open_clips(folder), Breaking(), cache=cache)
        assert features.rows.tolist() == [0, 2, 3, 4]
        assert np.isfinite(features.array).all()
        assert [item.path for item in features.skipped] == ["1.wav"]


def test_sounds_without_files(tmp_path):
    class Tones:
        """A synthesised collection: the key is its own stamp."""

        def __init__(self, frequencies):
            self.frequencies = frequencies

        def read(self, index, sample_rate):
            time = np.arange(400) / sample_rate
            return np.sin(2 * np.pi * self.frequencies[index] * time).astype(np.float32)

        def take(self, indices):
            return Tones(self.frequencies[indices])

        def key(self, index):
            return f"tone {self.frequencies[index]}"

    sounds = Tones(np.array([100.0, 200.0, 300.0]))
    table = ClipTable(np.array(["a", "b", "c"]), {}, np.array(["train"] * 3), sounds)
    first = compute_features(table, Blocks(), cache=tmp_path)
    frontend = Blocks()
    again = compute_features(table, frontend, cache=tmp_path)
    assert frontend.clips == 0
    np.testing.assert_array_equal(first.array, again.array)


SCRIPT = """
import os, signal, sys
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
import test_feature_store
from disentone.frontends import feature_store
feature_store._BATCH_SAMPLES = 800  # two clips at once

class Blocks(test_feature_store.Blocks):
    def forward(self, wave):
        {before}
        return super().forward(wave)

frontend = Blocks()
table = test_feature_store.open_clips({folder!r})
feature_store.compute_features(table, frontend, cache={cache!r}, jobs=2)
print(frontend.clips)
"""


def start(folder, cache, before="pass"):
    code = textwrap.dedent(SCRIPT).format(
        tests=os.path.dirname(__file__), folder=str(folder), cache=str(cache), before=before
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def named_blocks():
    """A front-end that shares the store of the one in the script."""

    class Blocks_(Blocks):
        pass

    Blocks_.__name__ = "Blocks"
    return Blocks_()


def test_a_killed_run_keeps_what_was_stored(folder, tmp_path):
    process = start(
        folder, tmp_path / "cache", "self.clips >= 4 and os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert process.wait() == -signal.SIGKILL
    (index,) = (tmp_path / "cache").glob("*/index.jsonl")
    with index.open("a") as file:
        file.write('{"key": "half a li')  # as a kill in the middle of a write leaves it
    with (index.parent / "features.f32").open("ab") as file:
        file.write(b"half a row")
    frontend = named_blocks()
    features = compute_features(open_clips(folder), frontend, cache=tmp_path / "cache")
    assert frontend.clips == 1
    names = [f"{clip}.wav" for clip in range(5)]
    np.testing.assert_array_equal(features.array, expected(folder, names))
    again = named_blocks()
    compute_features(open_clips(folder), again, cache=tmp_path / "cache")
    assert again.clips == 0


def test_two_processes_build_one_store(folder, tmp_path):
    for seed in range(5, 40):
        noise(folder / f"{seed}.wav", seed)
    processes = [start(folder, tmp_path / "cache") for _ in range(2)]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    (index,) = (tmp_path / "cache").glob("*/index.jsonl")
    table, frontend = open_clips(folder), named_blocks()
    features = compute_features(table, frontend, cache=tmp_path / "cache")
    assert frontend.clips == 0
    np.testing.assert_array_equal(features.array, expected(folder, table.ids))
    assert (index.parent / "features.f32").stat().st_size == 40 * 1600  # no clip twice


def test_a_full_disk_is_one_clear_error_and_loses_nothing(folder, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    compute_features(open_clips(folder).take([0, 1]), Blocks(), cache=cache)
    write, left = os.write, [1000]

    def limited(handle, content):
        if not left[0]:
            raise OSError(28, "No space left on device")
        amount = min(left[0], len(content))
        left[0] -= amount
        return write(handle, content[:amount])

    for room in (1000, 3 * 1600 + 100):  # full in the features, full in the index
        left[0] = room
        monkeypatch.setattr(os, "write", limited)
        with pytest.raises(DataError, match=r"No space left on device.*what was stored before"):
            compute_features(open_clips(folder), Blocks(), cache=cache)
        monkeypatch.undo()
        frontend = Blocks()
        kept = compute_features(open_clips(folder).take([0, 1]), frontend, cache=cache)
        assert frontend.clips == 0
        np.testing.assert_array_equal(kept.array, expected(folder, ["0.wav", "1.wav"]))
    frontend = Blocks()
    features = compute_features(open_clips(folder), frontend, cache=cache)
    assert frontend.clips == 3
    names = [f"{clip}.wav" for clip in range(5)]
    np.testing.assert_array_equal(features.array, expected(folder, names))


def test_a_limit_on_file_size_is_an_error_not_a_death(folder, tmp_path):
    process = start(
        folder,
        tmp_path / "cache",
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))",
    )
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "disentone.errors.DataError: Features could not be stored" in errors
    (data,) = (tmp_path / "cache").glob("*/features.f32")
    assert data.stat().st_size == 2 * 1600


def test_a_damaged_store_is_refused(folder, tmp_path):
    compute_features(open_clips(folder), Blocks(), cache=tmp_path / "cache")
    (data,) = (tmp_path / "cache").glob("*/features.f32")
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(DataError, match="is damaged: delete the folder"):
        compute_features(open_clips(folder), Blocks(), cache=tmp_path / "cache")
    data.write_bytes(data.read_bytes() + b"0")
    index = data.with_name("index.jsonl")
    index.write_text("nonsense\n" + index.read_text())
    with pytest.raises(DataError, match="is damaged: delete the folder"):
        compute_features(open_clips(folder), Blocks(), cache=tmp_path / "cache")


def test_a_cache_that_cannot_be_made(folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DisentoneError, match="could not be written"):
        compute_features(open_clips(folder), Blocks(), cache=tmp_path / "file" / "cache")


def test_torch_keeps_its_threads(folder):
    before = torch.get_num_threads()
    compute_features(open_clips(folder), Blocks(), jobs=8)
    assert torch.get_num_threads() == before
