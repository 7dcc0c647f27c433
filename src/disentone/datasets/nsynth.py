"""NSynth: single notes of about a thousand instruments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from disentone.datasets.config import CollectionConfig
from disentone.datasets.loaders import collect_known, require
from disentone.datasets.tables import Collection
from disentone.errors import DataError
from disentone.factors import FactorKind

__all__ = ["load_nsynth"]

_SPLITS = ("train", "valid", "test")
_NAMES = {
    "instrument": "instrument_str",
    "family": "instrument_family_str",
    "source": "instrument_source_str",
    "pitch": "pitch",
    "velocity": "velocity",
    "qualities": "qualities_str",
}
_KINDS: dict[str, FactorKind] = {
    "instrument": "categorical",
    "family": "categorical",
    "source": "categorical",
    "pitch": "ordinal",
    "velocity": "ordinal",
    "qualities": "multilabel",
}


def load_nsynth(folder: Path, config: CollectionConfig) -> Collection:
    """Load NSynth: 305,979 notes of 4 s at 16 kHz, 1,006 instruments.

    The folder has ``nsynth-train/``, ``nsynth-valid/`` and ``nsynth-test/`` (the JSON/WAV
    archives of https://magenta.tensorflow.org/datasets/nsynth), each with ``examples.json`` and
    ``audio/``; or it is one of the three. Factors: instrument (1,006), family (11), source
    (acoustic, electronic, synthetic), pitch (MIDI number), velocity, qualities (10, multi-label).
    Split: the official one, in which train shares no instrument with valid and test; with one
    folder alone splits are made as the configuration says, at random by default.
    Licence: CC BY 4.0, Google Inc.

    Raises
    ------
    DataError
        If the folder is not laid out like this, or a JSON file is damaged.

    References
    ----------
    J. Engel, C. Resnick, A. Roberts, S. Dieleman, D. Eck, K. Simonyan, M. Norouzi, Neural Audio
    Synthesis of Musical Notes with WaveNet Autoencoders, ICML, 2017.
    """
    parts = {f"nsynth-{split}": split for split in _SPLITS}
    parts = {name: split for name, split in parts.items() if _examples(folder / name).is_file()}
    alone = _examples(folder).is_file()
    layout = "nsynth-train/, nsynth-valid/ and nsynth-test/, or examples.json and audio/"
    require(parts or alone, folder, "NSynth", layout)
    paths, columns = [], {name: [] for name in (*_NAMES, "split")}
    for name, split in (parts or {".": ""}).items():
        notes = _read(_examples(folder / name))
        paths += [(Path(name) / "audio" / f"{note}.wav").as_posix() for note in notes]
        for factor, key in _NAMES.items():
            columns[factor] += [note.get(key) for note in notes.values()]
        columns["split"] += [split] * len(notes)
    if len(parts) < 2:  # one official split is no split
        columns.pop("split")
    return collect_known(folder, paths, columns, _KINDS, config, dataset="NSynth")


def _examples(folder: Path) -> Path:
    return folder / "examples.json"


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """Notes by name."""
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read: {error}.") from error
    if not isinstance(notes, dict) or not all(isinstance(n, dict) for n in notes.values()):
        raise DataError(f"'{path}' is not a JSON object with one object a note.")
    return notes
