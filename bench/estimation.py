"""Tempo and key as estimated from audio, against the labels of a table, and librosa's tempo.

A tempo is right within 4 %, strictly or at any octave (twice, half, four times, a quarter); a key
is right exactly, or if it has the right tonic. AUC is how well the confidence separates right from
wrong estimates: 0.5 is a coin, 1 perfect. Speed is that of clips in memory.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from disentone.agreement.rules import key_codes
from disentone.datasets.config import CollectionConfig
from disentone.datasets.estimators import ESTIMATORS, SAMPLE_RATE, estimate
from disentone.datasets.opening import open_collection
from timing import publish, record, seconds

MUSIC = Path(__file__).resolve().parents[2] / "shared" / "data" / "music"


def tempo_rights(values, table):
    """Right within 4 %, and so at any octave; what is unknown is wrong."""
    ratio = np.array([np.nan if v is None else v for v in values]) / table.factor("tempo").values
    octaves = np.stack([np.abs(ratio * 2.0**k - 1) for k in (0, 1, -1, 2, -2)])
    return {"tempo": octaves[0] <= 0.04, "tempo, any octave": octaves.min(axis=0) <= 0.04}


def key_rights(values, table):
    """The right key, and the right tonic."""
    codes = key_codes(["" if v is None else v for v in values])
    true = key_codes(table.factor("key").labels())
    return {"key": codes == true, "key, or its parallel": (codes >= 0) & (codes // 2 == true // 2)}


def usual(table, what):
    """Share of the most frequent class."""
    return float(np.bincount(table.factor(what).values).max() / len(table))


RIGHTS = {"tempo": tempo_rights, "key": key_rights}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=str(MUSIC), help="with the columns tempo and key")
    parser.add_argument("--split", default="test", help="train, valid, test or all")
    parser.add_argument("--clips", type=int, help="no more than so many")
    options = parser.parse_args()
    torch.set_num_threads(1)
    kinds = {"tempo": "continuous", "key": "categorical"}
    table = open_collection(CollectionConfig(path=options.data, kinds=kinds)).table
    table = table if options.split == "all" else table.take(table.where(options.split))
    table = table.take(range(min(len(table), options.clips or len(table))))
    waves = [table.sounds.read(index, SAMPLE_RATE) for index in range(len(table))]
    audio = sum(map(len, waves)) / SAMPLE_RATE
    print(f"{len(table)} clips of {options.data}, {options.split}")
    lines, peers, speeds = [], {}, {}
    for what, ways in ESTIMATORS.items():
        for by in reversed(ways):  # the peer first

            def estimated(what=what, by=by):
                return [estimate(w, sample_rate=SAMPLE_RATE, what=what, by=by) for w in waves]

            values, confidence = zip(*estimated())
            for name, right in RIGHTS[what](values, table).items():
                auc = roc_auc_score(right, confidence) if 0 < right.mean() < 1 else float("nan")
                value = float(right.mean())
                known = sum(v is not None for v in values)
                print(f"{name:22s} {by:16s} {value:.3f}  known {known}  AUC {auc:.2f}")
                peers[name, by] = value
                if by == next(iter(ways)):  # key has no peer but the largest class
                    peer = ("librosa", peers.get((name, "librosa")))
                    peer = peer if len(ways) > 1 else ("the most frequent", usual(table, what))
                    lines.append(record(name, value, "right", *peer))
            speeds[what, by] = audio / seconds(estimated, repeats=1)
            if by == next(iter(ways)):
                peer = ("librosa", speeds[what, "librosa"]) if len(ways) > 1 else ()
                lines.append(record(f"{what}, {by}", speeds[what, by], "x real time", *peer))
    publish("estimation", lines)


if __name__ == "__main__":
    main()
