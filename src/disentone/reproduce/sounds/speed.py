"""How fast a model embeds files, decoding included."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from disentone import audio
from disentone.datasets.file_sounds import FileSounds
from disentone.embeddings.systems import Songs, system_of_model
from disentone.reproduce.sounds.hearing import Heard
from disentone.runs.precision import kind_of

if TYPE_CHECKING:
    from disentone.embeddings.model import Model

__all__ = ["speeds"]

WARM = 4  # files that are embedded before the clock runs


def speeds(model: Model, heard: Heard) -> Iterator[dict[str, Any]]:
    """Yield how many seconds of sound a model embeds in a second, from files to vectors.

    Once by :meth:`~disentone.embeddings.model.Model.embed`, and once as ``disentone embed`` and
    ``disentone index`` do it, which put windows of several files in a batch.
    """
    import torch

    sounds, songs = heard.table.sounds, Songs(heard.table, np.arange(len(heard.table)))
    assert isinstance(sounds, FileSounds)  # collections are made of files
    seconds = sum(audio.info(path).seconds for path in sounds.paths)
    ways = {
        "Model.embed": lambda: model.embed([Path(path) for path in sounds.paths]),
        "disentone embed": lambda: system_of_model(model, songs, name=""),
    }
    model.embed([Path(path) for path in sounds.paths[:WARM]])
    title = (
        f"Speed: {len(sounds)} files, {seconds / 60:.1f} min of sound, on {_processor()} "
        f"({kind_of(model.device)}), torch threads: {torch.get_num_threads()}"
    )
    for row, work in ways.items():
        began = perf_counter()
        work()
        value = seconds / (perf_counter() - began)
        yield {"table": title, "row": row, "column": "times real time", "value": value}


def _processor() -> str:
    """Name of the processor, as far as the system says it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
