"""Clips that are made, such as tones and patches, as a folder of wav files and their table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from disentone import audio
from disentone.clips import ClipTable
from disentone.errors import ArtifactError, DataError
from disentone.files import write_bytes

__all__ = ["write_clips"]


def write_clips(table: ClipTable, folder: str | Path, *, sample_rate: int) -> Path:
    """Write every clip as ``ID.wav``, and ``clips.csv`` with its split and factors beside them.

    The folder is a collection: ``disentone inspect FOLDER``, ``train``, ``index`` and so on.

    Parameters
    ----------
    table : ClipTable
        Of sounds that are made; :meth:`ClipTable.take` gives some of them.
    folder : path
        Made if there is none. The table comes last, so a folder without one is not whole.
    sample_rate : int
        Hz, of the files; of 16 bits.

    Returns
    -------
    Path
        The table.

    Raises
    ------
    DataError
        If the clips are files already.
    ArtifactError, AudioError
        If the folder cannot be written.
    """
    folder = Path(folder)
    for name in table.ids:
        if Path(name).name != name or "\\" in name:
            raise DataError(f"Clip '{name}' is a file already: only made sounds are written.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(f"'{folder}' cannot be made: {error.strerror}.") from error
    for index, name in enumerate(table.ids):
        audio.write(folder / f"{name}.wav", table.sounds.read(index, sample_rate), sample_rate)
    columns = {
        "path": [f"{name}.wav" for name in table.ids],
        "split": table.split,
        **{name: factor.labels() for name, factor in table.factors.items()},
    }
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(columns)
    rows.writerows(zip(*columns.values(), strict=True))
    write_bytes(folder / "clips.csv", text.getvalue().encode())
    return folder / "clips.csv"
