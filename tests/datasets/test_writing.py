import numpy as np
import pytest
import soundfile

from disentone.clips import ClipTable
from disentone.datasets.config import CollectionConfig
from disentone.datasets.opening import open_collection
from disentone.datasets.patches import Patches, patches
from disentone.datasets.syntone import SynTone, syntone
from disentone.datasets.writing import write_clips
from disentone.errors import ArtifactError, DataError


def test_a_folder_of_written_clips_is_a_collection_of_the_same_clips(tmp_path):
    table = patches(Patches(clips=120, seconds=0.5, sample_rate=16000)).take(np.arange(40))
    assert write_clips(table, tmp_path / "made", sample_rate=16000).name == "clips.csv"
    found = open_collection(CollectionConfig(path=str(tmp_path / "made"))).table
    assert found.ids.tolist() == [f"{name}.wav" for name in table.ids]
    assert found.split.tolist() == table.split.tolist()
    assert set(found.factors) >= {"pitch", "space", "f0", "attack", "level"}
    for name, factor in found.factors.items():
        assert factor.labels() == table.factor(name).labels(), name
    for index in range(5):
        wave = table.sounds.read(index, 16000)
        np.testing.assert_allclose(found.sounds.read(index, 16000), wave, atol=2**-15)


def test_tones_are_written_at_another_rate(tmp_path):
    table = syntone(SynTone(frequencies=2)).take(np.arange(2))
    write_clips(table, tmp_path, sample_rate=22050)
    assert soundfile.info(tmp_path / f"{table.ids[1]}.wav").samplerate == 22050


def test_files_are_not_written_again(tmp_path):
    table = syntone(SynTone(frequencies=2)).take(np.arange(1))
    files = ClipTable(np.array(["kitchen/whisk.wav"]), {}, table.split, table.sounds)
    with pytest.raises(DataError, match=r"'kitchen/whisk.wav' is a file already"):
        write_clips(files, tmp_path / "new", sample_rate=16000)
    assert not (tmp_path / "new").exists()


def test_a_file_in_place_of_the_folder_is_an_error_in_words(tmp_path):
    (tmp_path / "taken").write_text("x")
    table = syntone(SynTone(frequencies=2)).take(np.arange(1))
    with pytest.raises(ArtifactError, match="cannot be made"):
        write_clips(table, tmp_path / "taken", sample_rate=16000)
