"""Values that a recipe leaves to the data: ``auto``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from disentone import audio
from disentone.agreement.relation import RECORDING
from disentone.clips import ClipTable
from disentone.datasets.config import CollectionConfig
from disentone.datasets.file_sounds import FileSounds
from disentone.datasets.opening import DataConfig, open_data
from disentone.errors import AudioError, RecipeError

__all__ = ["fill_automatic"]

AUTO = "auto"
STEPS = 1200  # of training, in which a few hundred clips are learnt without overfitting
EPOCHS = (4, 200)
RATES = (8000, 22050)  # Hz
SECONDS = 1.5  # of a window, about, where the collection is not cut in segments
CHANNELS = (24, 48, 96, 192)  # of the convolutional encoder
LOOKED_AT = 400  # files whose headers are read


def fill_automatic(
    values: Mapping[str, Any],
    *,
    begun: Mapping[str, Any] | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Replace every ``auto`` in a recipe's values by what suits its collection.

    But for ``training.precision``, which depends on the machine that a run starts on.

    Epochs are such that there are some 1200 steps, at least 4 and at most 200; the sample rate is
    the one that most files have, at most 22,050 Hz; a window is as long as the segments, or else
    about 1.5 s, such that the clip of median length is a whole number of windows.

    Parameters
    ----------
    values : mapping
        As in a YAML file.
    begun : mapping, optional
        Complete values of a run that goes on: what was chosen when it began stays.
    note : callable
        Takes what was chosen and why, in one line.

    Raises
    ------
    DataError
        If the collection cannot be opened.
    RecipeError
        If a value is ``auto`` that no rule is for.
    """
    values = {k: dict(v) if isinstance(v, Mapping) else v for k, v in values.items()}
    _choose_encoder(values)
    wanted = [
        (section, key)
        for section, part in values.items()
        if isinstance(part, dict)
        for key, value in part.items()
        if value == AUTO and (section, key) != ("training", "precision")
    ]
    for section, key in wanted:
        values[section][key] = (begun or {}).get(section, {}).get(key, AUTO)
    wanted = [(section, key) for section, key in wanted if values[section][key] == AUTO]
    if not wanted:
        return values
    for section, key in wanted:
        if f"{section}.{key}" not in _RULES:
            raise RecipeError(f"'{section}.{key}' cannot be auto; {', '.join(_RULES)} can.")
    try:
        config: DataConfig = TypeAdapter(DataConfig).validate_python(values["data"])
    except (ValidationError, KeyError):
        return values  # checking the whole recipe will find what is wrong
    table = open_data(config).table
    reasons = []
    for section, key in wanted:
        values[section][key], reason = _RULES[f"{section}.{key}"](table, config, values)
        reasons.append(f"{section}.{key}={values[section][key]} ({reason})")
    note(f"Chosen for these clips: {', '.join(reasons)}.")
    return values


def _choose_encoder(values: dict[str, Any]) -> None:
    """Name the encoder where its kind is auto; what else is given for it stays."""
    model = values.get("model")
    encoder = model.get("encoder") if isinstance(model, Mapping) else None
    if not isinstance(encoder, Mapping) or encoder.get("kind") != AUTO:
        return
    facets = values.get("facets")
    facets = facets.values() if isinstance(facets, Mapping) else ()
    facets = [facet for facet in facets if isinstance(facet, Mapping)]
    sames = [facet["same"] for facet in facets if facet.get("same")]
    of_recordings = sames and all(same in (RECORDING, [RECORDING]) for same in sames)
    kind = {"kind": "patch"} if of_recordings else {"kind": "conv", "channels": list(CHANNELS)}
    values["model"] = {**values["model"], "encoder": {**kind, **encoder, "kind": kind["kind"]}}


def _epochs(table: ClipTable, config: DataConfig, values: Mapping[str, Any]) -> tuple[int, str]:
    batch = int(values["training"].get("batch", 128))
    clips = max(1, len(table.where("train")))
    epochs = int(np.clip(round(STEPS * batch / clips), *EPOCHS))
    return epochs, f"some {max(1, round(clips / batch)) * epochs} steps"


def _sample_rate(
    table: ClipTable, config: DataConfig, values: Mapping[str, Any]
) -> tuple[int, str]:
    if not isinstance(config, CollectionConfig):
        return config.sample_rate, "at which the sounds are made"
    rates = [info.sample_rate for info in _infos(table)]
    if not rates:
        return RATES[1], "no file has another"
    found, counts = np.unique(rates, return_counts=True)
    most = int(found[counts.argmax()])
    rate = int(np.clip(most, *RATES))
    return rate, f"most files have {most} Hz" + (f", {rate} are enough" if rate < most else "")


def _seconds(table: ClipTable, config: DataConfig, values: Mapping[str, Any]) -> tuple[float, str]:
    if not isinstance(config, CollectionConfig):
        return config.seconds, "as long as the sounds that are made"
    if config.segment is not None:
        return config.segment, "as long as the segments"
    seconds = [info.seconds for info in _infos(table)]
    if isinstance(table.sounds, FileSounds):
        parts = table.sounds.seconds[~np.isnan(table.sounds.seconds)]
        seconds = list(parts) or seconds
    median = float(np.median(seconds or [SECONDS]))
    count = max(1, round(median / SECONDS))
    window = max(0.01, np.floor(100 * median / count) / 100)  # so that no window is padded
    return float(window), f"the median clip lasts {median:.3g} s, {_windows(count)}"


def _windows(count: int) -> str:
    return "one window" if count == 1 else f"{count} windows"


def _infos(table: ClipTable) -> list[audio.AudioInfo]:
    """The headers of some files, evenly spaced over the table; broken ones are left out."""
    if not isinstance(table.sounds, FileSounds):
        return []
    paths = list(dict.fromkeys(map(str, table.sounds.paths)))
    paths = paths[:: max(1, len(paths) // LOOKED_AT)]

    def look(path: str) -> audio.AudioInfo | None:
        try:
            return audio.info(path)
        except AudioError:
            return None

    with ThreadPoolExecutor(8) as pool:
        return [info for info in pool.map(look, paths) if info is not None]


_RULES: dict[str, Callable[[ClipTable, DataConfig, Mapping[str, Any]], tuple[float, str]]] = {
    "training.epochs": _epochs,
    "frontend.sample_rate": _sample_rate,
    "frontend.seconds": _seconds,
}
