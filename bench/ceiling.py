"""What perfect facets would score on a table of triplets: 0 apart where clips agree, 1 where not.

A facet that encodes its relation exactly is as good as a facet gets, yet with all facets active it
can be wrong: a positive agrees with its anchor in one dimension, and a negative may agree by chance
in two others. Ties count as half.

    python bench/ceiling.py ../shared/data/music
"""

import argparse
from pathlib import Path

import numpy as np

from disentone.agreement.pairs import BoundRelation
from disentone.datasets.opening import open_collection
from disentone.datasets.triplets import read_triplets
from disentone.recipes import load_recipe


def distances(folder):
    """Of anchors to positives and to negatives in each facet, (triplets, facets), and triplets."""
    recipe = load_recipe("csn-music", data=folder, settings=["data.segment=null"])
    table = open_collection(recipe.data).table
    triplets = read_triplets(folder / "triplets.csv")
    tests = {name: BoundRelation(one, table) for name, one in recipe.relations().items()}
    anchor, *others = triplets.places(table.ids.tolist()).T
    near, far = (
        np.stack([~one.agree(anchor, other) for one in tests.values()], axis=1) for other in others
    )
    return list(tests), near.astype(float), far.astype(float), triplets


def score(near, far):
    return float(np.mean((near < far) + 0.5 * (near == far)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with clips.csv and triplets.csv")
    parser.add_argument("--draws", type=int, default=20000, help="weights that are tried")
    options = parser.parse_args()
    facets, near, far, triplets = distances(options.folder)
    print(f"{len(triplets)} triplets")
    print(f"all facets, of equal weight   {score(near.sum(1), far.sum(1)):.3f}")
    weights = np.random.default_rng(0).dirichlet(np.full(len(facets), 0.5), options.draws)
    best = max(weights, key=lambda w: score(near @ w, far @ w))
    shown = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(facets, best))
    print(f"the best of {options.draws} weights     {score(near @ best, far @ best):.3f} ({shown})")
    own = [
        score(near[triplets.holds(name), column], far[triplets.holds(name), column])
        for column, name in enumerate(facets)
    ]
    for name, value in zip(facets, own):
        print(f"{name:12s} alone on its own   {value:.3f}")
    print(f"their mean                    {np.mean(own):.3f}")


if __name__ == "__main__":
    main()
