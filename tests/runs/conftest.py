"""A folder to run in, and tones beside it."""

import pytest
from quick_runs import write_tones


@pytest.fixture(autouse=True)
def _here(tmp_path_factory, monkeypatch):
    """Features of files are kept below the working folder."""
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))


@pytest.fixture
def tones(tmp_path):
    """A table of 40 tones: two timbres at 20 frequencies."""
    folder = tmp_path / "tones"
    folder.mkdir()
    write_tones(folder)
    return folder
