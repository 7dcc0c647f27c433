"""TinySOL: single notes of fourteen instruments."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from disentone.datasets.config import CollectionConfig
from disentone.datasets.loaders import collect_known, read_columns, require, split_by_fold
from disentone.datasets.tables import Collection
from disentone.factors import FactorKind

__all__ = ["load_tinysol"]

_TABLE = "TinySOL_metadata.csv"
_NAMES = {
    "instrument": "Instrument (in full)",
    "family": "Family",
    "pitch": "Pitch ID",
    "dynamics": "Dynamics",
    "string": "String ID (if applicable)",
    "retuned": "Needed digital retuning",
    "fold": "Fold",
}
_KINDS: dict[str, FactorKind] = {
    name: "ordinal" if name == "pitch" else "categorical" for name in _NAMES
}


def load_tinysol(folder: Path, config: CollectionConfig) -> Collection:
    """Load TinySOL: 2,913 single notes, 14 instruments, ordinary playing, recorded at Ircam.

    The folder has ``TinySOL_metadata.csv`` (or ``annotation/`` with it) and the unpacked
    ``TinySOL.tar.gz`` of https://zenodo.org/records/3685367, beside it or in ``TinySOL/`` or
    ``audio/``. Factors: instrument (14), family (4), pitch (MIDI number), dynamics (pp, mf, ff),
    string (of bowed instruments), retuned (whether the pitch was corrected digitally), fold (5).
    Split: the official use is cross-validation over folds 0 to 4; by default folds 0 to 2 are
    train, 3 is valid and 4 is test. Licence: CC BY 4.0.

    Raises
    ------
    DataError
        If the folder is not laid out like this, or has no usable audio.

    References
    ----------
    C. E. Cella, D. Ghisi, V. Lostanlen, F. Lévy, J. Fineberg, Y. Maresz, OrchideaSOL: A Dataset
    of Extended Instrumental Techniques for Computer-aided Orchestration, ICMC, 2020.
    """
    tables = [folder / _TABLE, folder / "annotation" / _TABLE]
    table = next((table for table in tables if table.is_file()), None)
    require(table, folder, "TinySOL", f"{_TABLE} and folders such as Brass/Bass_Tuba/ordinario/")
    read = read_columns(table or folder, ("Path", *_NAMES.values()))
    columns = {name: read[column] for name, column in _NAMES.items()}
    columns["string"] = [text.removesuffix(".0") for text in columns["string"]]
    columns["split"] = split_by_fold(columns["fold"], valid="3", test="4")
    below = _below(folder, read["Path"])
    paths = [f"{below}/{path}" for path in read["Path"]]
    folds = "folds 0 to 2 are train, 3 is valid, 4 is test"
    return collect_known(folder, paths, columns, _KINDS, config, dataset="TinySOL", folds=folds)


def _below(folder: Path, paths: list[str]) -> str:
    """Where the archive was unpacked: the sub-folder that has the first instrument family."""
    families = [PurePosixPath(path).parts[0] for path in paths[:1]]
    places = (".", "TinySOL", "audio", "audio/TinySOL")
    found = (place for place in places for name in families if (folder / place / name).is_dir())
    return next(found, ".")
