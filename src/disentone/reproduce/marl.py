"""MARL: Table 1 and the ablation of the decomposed KL, on SynTone."""

from __future__ import annotations

from disentone.audit import Card
from disentone.errors import RecipeError
from disentone.recipes import load_recipe
from disentone.reproduce.cells import Cell, Score, Study

__all__ = ["study"]


def study(data: str | None) -> Study:
    """Give the study; SynTone is made, so it takes no data."""
    if data is not None:
        raise RecipeError("MARL's tones are synthesised: give no data.")
    return Study(
        source="Wilkins, Ding, Fuentes and Bello, “Self-Supervised Multi-View Learning for "
        "Disentangled Music Audio Representations” (2024), on SynTone.",
        cells=cells,
        scores=lambda folder, facet: accuracies(Card.load(folder / "audit.json")),
        quick=(
            "data.frequencies=400",
            "training.epochs=4",
            "audit.seeds=1",
            "audit.permutations=20",
        ),
    )


def cells(seeds: int) -> list[Cell]:
    """Table 1, our best recipe beside it, and the ablation (Section 4), 20 epochs a row."""
    first = "Table 1: accuracy on the test split"
    second = "Ablation: weights of the decomposed KL"
    published = {
        f"{facet} → {factor}": value
        for facet, values in load_recipe("marl-syntone").paper.items()
        for factor, value in values.items()
    }
    weights = [(0, 0, 0.1), (0, 0, 0), (0, 0, 1), (1, 0, 0.1), (0, 1, 0.1), (1, 1, 1)]
    ablation = [
        Cell(
            second,
            f"alpha {alpha:g}, beta {beta:g}, gamma {gamma:g}",
            "marl-syntone",
            (
                f"objective.1.alpha={alpha}",
                f"objective.1.beta={beta}",
                f"objective.1.gamma={gamma}",
                "training.epochs=20",
            ),
        )
        for alpha, beta, gamma in weights
    ]
    return [
        Cell(first, "marl-syntone", "marl-syntone", seeds=seeds, paper=published),
        Cell(first, "marl-syntone-best", "marl-syntone-best", seeds=seeds),
        *ablation,
    ]


def accuracies(card: Card) -> dict[str, Score]:
    """Accuracy of every factor predicted from every facet."""
    found = {}
    for facet, factors in card.table("probe", "accuracy").items():
        for factor in factors:
            record = card.record("probe", facet, factor, "accuracy")
            found[f"{facet} → {factor}"] = Score(record["value"], record["low"], record["high"])
    return found
