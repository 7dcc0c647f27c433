"""ESC-50 and ESC-10: short environmental sounds in five folds."""

from __future__ import annotations

import re
from pathlib import Path

from disentone.datasets.config import CollectionConfig
from disentone.datasets.folder import find_audio
from disentone.datasets.loaders import collect_known, read_columns, require, split_by_fold
from disentone.datasets.tables import Collection
from disentone.factors import FactorKind

__all__ = ["load_esc10", "load_esc50"]

_KINDS: dict[str, FactorKind] = {"category": "categorical", "fold": "categorical"}
_FOLDS = "folds 1 to 3 are train, 4 is valid, 5 is test"
_OLD_NAME = re.compile(r"(?:.*/)?\d{3} - ([^/]+)/(\d)-([^-/]+)-[^/]+")


def load_esc50(folder: Path, config: CollectionConfig) -> Collection:
    """Load ESC-50: 2,000 environmental sounds of 5 s, 50 categories.

    The folder is a copy of https://github.com/karolpiczak/ESC-50, with ``meta/esc50.csv`` and
    ``audio/``. Factors: category (50), fold (5). Recording: the Freesound clip that a sound was
    cut from. Split: the official use is cross-validation over the five folds, which share no
    recording; by default folds 1 to 3 are train, 4 is valid and 5 is test. Licence: CC BY-NC 3.0.

    Raises
    ------
    DataError
        If the folder is not laid out like this, or has no usable audio.

    References
    ----------
    K. J. Piczak, ESC: Dataset for Environmental Sound Classification, ACM Multimedia, 2015.
    """
    return _from_table(folder, config, "ESC-50")


def load_esc10(folder: Path, config: CollectionConfig) -> Collection:
    """Load ESC-10: 400 environmental sounds, 10 categories.

    The folder is either a copy of ESC-50 (see :func:`load_esc50`), of which the rows marked
    ``esc10`` are used, or of the older https://github.com/karoldvl/ESC-10, with folders such as
    ``001 - Dog bark`` and files such as ``1-30226-A.ogg`` (fold, source, take). The two name
    some categories differently (``dog``, ``dog_bark``). Factors, recording and split as for
    ESC-50. Licence: CC BY 3.0; the authors of the sounds are named in the dataset.

    Raises
    ------
    DataError
        If the folder is not laid out like this, or has no usable audio.

    References
    ----------
    K. J. Piczak, ESC: Dataset for Environmental Sound Classification, ACM Multimedia, 2015.
    """
    if (folder / "meta" / "esc50.csv").is_file():
        return _from_table(folder, config, "ESC-10")
    files = find_audio(folder)[0] if folder.is_dir() else []
    found = {file: match.groups() for file in files if (match := _OLD_NAME.fullmatch(file))}
    layout = "meta/esc50.csv and audio/, or folders such as '001 - Dog bark' with 1-30226-A.ogg"
    require(found, folder, "ESC-10", layout)
    columns = {
        "category": [name.lower().replace(" ", "_") for name, _, _ in found.values()],
        "fold": [fold for _, fold, _ in found.values()],
        "source_id": [source for _, _, source in found.values()],
    }
    return _collect(folder, list(found), columns, config, "ESC-10")


def _from_table(folder: Path, config: CollectionConfig, dataset: str) -> Collection:
    table = folder / "meta" / "esc50.csv"
    require(table.is_file(), folder, dataset, "meta/esc50.csv and audio/")
    read = read_columns(table, ("filename", "fold", "category", "esc10", "src_file"))
    chosen = [dataset == "ESC-50" or text.strip().lower() == "true" for text in read["esc10"]]
    names = {"category": "category", "fold": "fold", "source_id": "src_file"}
    columns = {
        name: [value for value, ok in zip(read[column], chosen) if ok]
        for name, column in names.items()
    }
    paths = [f"audio/{name}" for name, ok in zip(read["filename"], chosen) if ok]
    return _collect(folder, paths, columns, config, dataset)


def _collect(
    folder: Path,
    paths: list[str],
    columns: dict[str, list[str]],
    config: CollectionConfig,
    dataset: str,
) -> Collection:
    columns["split"] = split_by_fold(columns["fold"], valid="4", test="5")
    return collect_known(folder, paths, columns, _KINDS, config, dataset=dataset, folds=_FOLDS)
