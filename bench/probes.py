"""Probes trained together, beside scikit-learn's networks one after the other.

Five facets of a made-up code, three factors and three seeds: 45 probes, each in two views. The peer
fits as many networks of the same size to the same inputs, for as many epochs as its own early stop
asks for, or as many steps under the same prior where clips are few. Both report their mean
accuracy.

    python bench/probes.py --clips 700 4000
"""

import argparse
import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from disentone.audit.probes import SMALL, Question, fit_probes, one_thread, together
from timing import publish, record

HELD = 2000  # clips to score on
SEEDS = 3
CLASSES = {"family": 7, "instrument": 24, "pitch": 37}


def made_up(clips):
    """Facets that encode factors with noise, one, two or none each."""
    rng = np.random.default_rng(0)
    factors = {name: rng.integers(count, size=clips) for name, count in CLASSES.items()}
    encoded = {n: rng.normal(size=(CLASSES[n], 8))[v] for n, v in factors.items()}
    encoded |= {"two": encoded["family"] + encoded["pitch"], "none": np.zeros((clips, 8))}
    return {n: f + rng.normal(size=f.shape) for n, f in encoded.items()}, factors


def together_at_once(facets, factors, rows, test):
    """CPU-seconds and mean accuracy of ours."""
    questions, true = [], []
    for block in facets.values():
        for codes in factors.values():
            for seed in range(SEEDS):
                questions.append(Question(block, rows, codes[rows], seed))
                true.append(codes[test])
    began, right = time.process_time(), []
    with one_thread():
        for stack in together(questions):
            for place, probe in zip(stack, fit_probes([questions[i] for i in stack])):
                answers = probe.probabilities(questions[place].embedding[test]).argmax(axis=1)
                right.append((probe.classes[answers] == true[place]).mean())
    return time.process_time() - began, np.mean(right)


def one_by_one(facets, factors, rows, test):
    """The same of scikit-learn, on z-scored and on whitened dimensions."""
    few = {"alpha": 2.0, "batch_size": len(rows), "max_iter": 300, "n_iter_no_change": 300}
    many = {"early_stopping": True, "n_iter_no_change": 6, "batch_size": 64}
    options = few if len(rows) < SMALL else many
    began, right = time.process_time(), []
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for block in facets.values():
            for codes in factors.values():
                for seed in range(SEEDS):
                    for view in views(block, rows):
                        net = MLPClassifier(
                            (128,), learning_rate_init=0.005, random_state=seed, **options
                        )
                        net.fit(view[rows], codes[rows])
                        right.append(net.score(view[test], codes[test]))
    return time.process_time() - began, np.mean(right)


def views(block, rows):
    """Z-scored and whitened, float32."""
    scored = (block - block[rows].mean(axis=0)) / block[rows].std(axis=0)
    power, axes = np.linalg.eigh(np.cov(scored[rows].T))
    return scored.astype(np.float32), (scored @ axes / power**0.5).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, nargs="+", default=[700, 4000])
    records = []
    for clips in parser.parse_args().clips:
        facets, factors = made_up(clips + HELD)
        rows, test = np.arange(clips), np.arange(clips, clips + HELD)
        ours, accuracy = together_at_once(facets, factors, rows, test)
        theirs, other = one_by_one(facets, factors, rows, test)
        count = len(facets) * len(factors) * SEEDS
        size = {"size": clips, "size_unit": "clips", "threads": 1}
        rates = (count / ours, "probes/CPU-s", "scikit-learn", count / theirs)
        records += [
            record("probes", *rates, **size),
            record("accuracy of probes", accuracy, "", "scikit-learn", other, **size),
        ]
    publish("probes", records)


if __name__ == "__main__":
    main()
