"""FSDD, the Free Spoken Digit Dataset: digits spoken in English."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from disentone.datasets.config import CollectionConfig
from disentone.datasets.folder import find_audio
from disentone.datasets.loaders import collect_known, require
from disentone.datasets.tables import Collection
from disentone.factors import FactorKind

__all__ = ["load_fsdd"]

_KINDS: dict[str, FactorKind] = {"digit": "categorical", "speaker": "categorical"}
_NAME = re.compile(r"(\d)_(.+)_(\d+)")
_TESTED = 5  # takes 0 to 4 of every digit and speaker are the official test split


def load_fsdd(folder: Path, config: CollectionConfig) -> Collection:
    """Load FSDD, or any folder of files that are named like it: ``{digit}_{speaker}_{index}.wav``.

    The folder is a copy of https://github.com/Jakobovski/free-spoken-digit-dataset, or the folder
    ``recordings/`` of it. Factors: digit (10), speaker (6 in version 1.0.10). Split: the official
    one, where index 0 to 4 is test; a tenth of the rest becomes valid. It shares speakers: for
    new speakers in the test, split by ``speaker``. Licence: CC BY-SA 4.0.

    Raises
    ------
    DataError
        If no file in the folder is named like this.

    References
    ----------
    Z. Jackson, C. Souza, J. Flaks, Y. Pan, H. Nicolas, A. Thite, Jakobovski/free-spoken-digit-
    dataset: v1.0.8, Zenodo, 2018.
    """
    inside = folder / "recordings" if (folder / "recordings").is_dir() else folder
    files = find_audio(inside)[0] if inside.is_dir() else []
    stems = ((file, _NAME.fullmatch(PurePosixPath(file).stem)) for file in files)
    found = {file: match.groups() for file, match in stems if match}
    require(found, folder, "FSDD", "recordings/ with files such as 7_jackson_32.wav")
    columns = {
        "digit": [digit for digit, _, _ in found.values()],
        "speaker": [speaker for _, speaker, _ in found.values()],
        "split": ["test" if int(i) < _TESTED else "train" for _, _, i in found.values()],
    }
    return collect_known(inside, list(found), columns, _KINDS, config, dataset="FSDD")
