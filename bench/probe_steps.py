"""How many steps small probes take, and at which rate: chosen on validation clips alone.

Embeddings of trained runs, and the mean features beside them, are audited once for every setting of
a grid, by probes that learn on training clips and are scored on validation clips; of a run whose
audit is within its test split, within its validation split. Probes see 700 clips at most: of more
than 1,000 they would stop early. The rule: of all settings whose mean accuracy is within 0.002 of
the best, the one of fewest steps, both views counted. `--open` scores test clips, by the settings
given and by nothing else: choose first, then open them once.

    python bench/probe_steps.py runs/facets runs/demo
    python bench/probe_steps.py runs/facets runs/demo --open 100,200,0.03 50,100,0.03
"""

import argparse
from dataclasses import replace
from itertools import product
from pathlib import Path
from unittest.mock import patch

import numpy as np

from disentone.audit import audit
from disentone.audit.fitting import PRIOR_RATE
from disentone.audit.probes import CHOOSING, STEPS
from disentone.datasets.stratification import split_within
from disentone.embeddings.model import load
from disentone.recipes import load_recipe
from disentone.runs.batches import of_rows
from disentone.runs.preparation import prepare

GRID = list(product((50, 100, 200), (100, 200, 400, 800), (0.01, 0.03)))
NOW = CHOOSING, STEPS, PRIOR_RATE
CLIPS = 700  # to learn from
CLOSE = 0.002  # of accuracy


def question(run, part):
    """Inputs of a run's audit, scored on one part of its data: "valid" or "test"."""
    recipe, model = load_recipe(run / "config.yaml"), load(run)
    data, config = prepare(recipe), recipe.audit
    table, rows = data.table, np.arange(len(data.table))
    if config.within:
        rows = table.where(part)
        table = split_within(
            table, part, by=config.stratify, share=config.test_share, seed=recipe.data.seed
        )
    elif part == "valid":  # an audit scores what is called test, and looks at nothing else
        names = {"train": "train", "valid": "test", "test": "valid"}
        table = replace(table, split=[names[one] for one in table.split])
    factors = config.factors or table.factors
    return {
        "embedding": of_rows(model.embed_features, data.features, rows),
        "facets": model.facets,
        "factors": {name: table.factors[name] for name in factors},
        "split": table.split,
        "classes": config.classes,
        "groups": table.recordings,
        "baselines": {
            "mean features": of_rows(lambda x: np.float32(x).mean(axis=1), data.features, rows)
        },
    }


def accuracy(asked, setting, seeds):
    """Mean score of all facets, baselines and factors of a run."""
    choosing, steps, rate = setting
    with (
        patch("disentone.audit.probes.CHOOSING", choosing),
        patch("disentone.audit.probes.STEPS", steps),
        patch("disentone.audit.fitting.PRIOR_RATE", rate),
    ):
        card = audit(
            **asked, measures=["none"], permutations=1, seeds=seeds, train_limit=CLIPS, jobs=1
        )
    return np.mean([value for row in card.table("probe").values() for value in row.values()])


def cost(setting):
    """Steps of a probe: two views are tried and one is fitted again."""
    return 2 * setting[0] + setting[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--open", nargs="+", help="settings to score on test: CHOOSING,STEPS,RATE")
    words = parser.parse_args()
    grid = GRID
    if words.open:
        three = [one.split(",") for one in words.open]
        grid = [(int(choosing), int(steps), float(rate)) for choosing, steps, rate in three]
    asked = [question(run, "test" if words.open else "valid") for run in words.runs]
    print("choosing steps rate cost", *(run.name for run in words.runs), "mean", flush=True)
    means = {}
    for setting in grid:
        each = [accuracy(one, setting, words.seeds) for one in asked]
        means[setting] = np.mean(each)
        numbers = " ".join(f"{value:.4f}" for value in [*each, means[setting]])
        print(*setting, cost(setting), numbers, flush=True)
    if not words.open:
        close = [one for one in grid if means[one] >= max(means.values()) - CLOSE]
        chosen = min(close, key=lambda one: (cost(one), -means[one]))
        print(f"chosen: {chosen}; at present: {NOW}")


if __name__ == "__main__":
    main()
