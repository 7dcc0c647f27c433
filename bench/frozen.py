"""Facets on the frozen network of a model, beside linear probes on it, on validation clips.

    python bench/frozen.py sounds --shared ../shared/data

prints, for the categories of esc10 and the instruments of notes/fluid: the accuracy on the valid
split of a linear probe, learnt on the train split, of the new facet (16 numbers), of the model's
embedding and of all that the facet is learnt from; and the CPU seconds of learning the facet,
features apart, and of the probe on the embedding. The epoch is chosen on the valid split.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import disentone
from disentone.embeddings.model import Model
from disentone.runs.preparation import Data, prepare

SETS = (("urban/esc10", "category"), ("notes/fluid", "instrument"))


def probed(values: np.ndarray, data: Data, factor: str) -> tuple[float, float]:
    """Accuracy on the valid split of a probe learnt on the train split, and CPU seconds."""
    labels = data.table.factor(factor).values
    train, valid = data.table.where("train"), data.table.where("valid")
    began = time.process_time()
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    probe.fit(values[train], labels[train])
    return float((probe.predict(values[valid]) == labels[valid]).mean()), (
        time.process_time() - began
    )


def measure(base: str, folder: Path, factor: str, seed: int) -> None:
    """Learn a facet of one factor, and print a row."""
    recipe = disentone.load_recipe(
        "facets",
        data=folder,
        base=base,
        facets=[f"mine:16 same={factor}"],
        settings=[f"seed={seed}"],
    )
    data = prepare(recipe)
    with tempfile.TemporaryDirectory() as out:
        began = time.process_time()
        disentone.train(recipe, out, data=data, audited=False)
        seconds = time.process_time() - began
        model: Model = disentone.load(out)
    every = np.arange(len(data.table))
    seen = data.of_clips(lambda part: part[:, 0], every)
    size = sum(disentone.load(base).facets.values())
    facet, _ = probed(data.of_clips(model.embed_features, every), data, factor)
    embedding, probe_seconds = probed(seen[:, -size:], data, factor)  # it comes last
    whole, _ = probed(seen, data, factor)
    clips = len(data.table.where("train")), len(data.table.where("valid"))
    print(
        f"| {folder.name}, {factor} | {clips[0]}, {clips[1]} | {facet:.3f} | {embedding:.3f} | "
        f"{whole:.3f} | {seconds:.1f} s | {probe_seconds:.1f} s |",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print("| data, factor | train, valid | new facet | embedding | all seen | facet | probe |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for where, what in SETS:
        measure(asked.model, asked.shared / where, what, asked.seed)
