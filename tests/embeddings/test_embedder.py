"""One way from sound to embedding: whoever embeds a clip, it is the same vector."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from near_embeddings import RATE, WINDOW, close

import tiny_training
from disentone.clips import ClipTable
from disentone.datasets.file_sounds import FileSounds
from disentone.embeddings import read_embeddings
from disentone.embeddings.collection import embed_collection
from disentone.embeddings.indexing import index_collection
from disentone.embeddings.model import load
from disentone.embeddings.querying import embed_query
from disentone.embeddings.systems import Songs, system_of_run
from disentone.embeddings.watcher import Watcher
from disentone.errors import SilenceError
from disentone.frontends.logmel import LogMel
from disentone.runs.preparation import window_features

SIZE = round(WINDOW * RATE)
ODD = {  # in windows: how long, and which are silent
    "whole": (1, ()),
    "short": (0.4, ()),
    "just_over": (1.49, ()),
    "half_more": (1.5, ()),
    "gap": (4, (1, 2)),
    "late": (3.7, (0, 1)),
    "early": (3.2, (1, 2)),
    "long": (40.3, (0, 7, 39)),
}


@pytest.fixture
def odd(rng):
    """Clips of odd lengths with silence in odd places."""
    for name, (length, silent) in ODD.items():
        wave = (0.3 * rng.standard_normal(round(length * SIZE))).astype(np.float32)
        for window in silent:
            wave[window * SIZE : (window + 1) * SIZE] = 0
        soundfile.write(f"{name}.wav", wave, RATE, subtype="FLOAT")
    return [f"{name}.wav" for name in ODD]


def naive(model, path):
    """The policy in words: mean over windows with sound, the last if half of it is there."""
    wave = soundfile.read(path, dtype="float32")[0]
    rows = []
    for start in range(0, len(wave), SIZE):
        window = wave[start : start + SIZE]
        if start and 2 * len(window) < SIZE:
            continue
        if np.ptp(window) > 0:
            padded = np.zeros((1, SIZE), np.float32)
            padded[0, : len(window)] = window
            rows.append(model.embed(padded, sample_rate=RATE).values[0])
    return np.mean(rows, axis=0)


def test_everybody_embeds_odd_clips_alike(model, odd):
    loaded = load(model)
    expected = np.stack([naive(loaded, path) for path in odd])
    assert np.ptp(expected, axis=0).min() > 1e-3, "clips differ"
    close(loaded.embed(odd).values, expected)
    stored = read_embeddings(embed_collection(model, odd, "o.parquet"))
    assert stored.columns["path"].tolist() == odd
    close(stored.values, expected)
    index = index_collection(model, odd, "odd.index")
    for path, row in zip(odd, expected):
        close(embed_query(loaded, path), row)
        length = np.concatenate(
            [row[part] / np.linalg.norm(row[part]) for part in parts_of(loaded)]
        )
        close(index.vectors([path])[0], length)


def parts_of(model):
    return [model.facets.slice(name) for name in model.facets.names]


def test_a_run_hears_and_audits_the_same_windows(model, odd, tmp_path):
    loaded = load(model)
    expected = np.stack([naive(loaded, path) for path in odd])
    files = FileSounds(np.array(odd, object), np.zeros(len(odd)), np.full(len(odd), np.nan))
    table = ClipTable(odd, {}, ["train"] * len(odd), files)
    for _ in range(2):  # the second time from the store
        data = window_features(
            table, LogMel(tiny_training.FRONTEND), cache=tmp_path / "s", watcher=Watcher(), stage=""
        )
        assert data.windows.count.tolist() == [1, 1, 1, 2, 2, 2, 1, 37]
        close(data.of_clips(loaded.embed_features, np.arange(len(odd))), expected)
    assert data.begin[data.windows.first].tolist() == pytest.approx(
        [0, 0, 0, 0, 0, 2 * WINDOW, 0, WINDOW]
    )
    songs = Songs(table, np.arange(len(odd)))
    system = system_of_run(model, songs)
    assert list(system.ids) == odd
    close(system.values, expected)


def test_silence_is_refused_by_all_in_the_same_sentence(model, noise):
    noise("rest.wav", 2.3 * WINDOW, silent=[(0, 2 * WINDOW)])  # sound in what is left out alone
    noise("none.wav", 2 * WINDOW, silent=[(0, 2 * WINDOW)])
    loaded = load(model)
    for path in ("rest.wav", "none.wav"):
        message = f"'{path}' is silent: it stays within -90 dBFS of a constant."
        with pytest.raises(SilenceError) as by_model:
            loaded.embed(path)
        assert str(by_model.value) == message
        with pytest.raises(Exception, match="is silent: it stays") as by_query:
            embed_query(loaded, path)
        assert str(by_query.value) == message
    noise("good.wav")
    embed_collection(model, ["rest.wav", "none.wav", "good.wav"], "o.parquet")
    listed = Path("o-skipped.csv").read_text()
    assert "'rest.wav' is silent: it stays within" in listed
    assert "'none.wav' is silent: it stays within" in listed
    with pytest.raises(SilenceError, match="'waveform 1' is silent: it stays within"):
        loaded.embed(np.stack([np.arange(9.0), np.zeros(9)]), sample_rate=RATE)
