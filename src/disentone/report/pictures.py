"""Pictures of a run as PNG files, for pages that cannot hold the report."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from disentone.files import write_bytes
from disentone.report.card import WHOLE, Held, information, scores
from disentone.report.inputs import ReportInputs
from disentone.report.maps import Flat, choose, colouring, flatten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CATEGORIES", "STYLE", "new_figure", "png", "write_figures"]

STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 160,
    "savefig.facecolor": "white",
}
CATEGORIES = (
    *("#0072b2", "#d55e00", "#00875f", "#aa4499", "#8a6d00", "#3fa0d8"),
    *("#882255", "#2f8f82", "#332288", "#7f7f1f", "#cc6677", "#661100"),
)
MARKERS = "os^D"


def write_figures(inputs: ReportInputs, folder: str | Path) -> list[Path]:
    """Write ``scores.png``, ``information.png`` and ``maps.png``, those that have content.

    Parameters
    ----------
    inputs : ReportInputs
        As for the report.
    folder : str or Path
        Made if need be.

    Returns
    -------
    list of Path
        The files written.
    """
    import matplotlib as mpl  # slow to import

    written = []
    with mpl.rc_context(STYLE):
        for name, draw in (("scores", _scores), ("information", _information), ("maps", _maps)):
            figure = draw(inputs)
            if figure is not None:
                path = Path(folder) / f"{name}.png"
                write_bytes(path, png(figure))
                written.append(path)
    return written


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of a size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def png(figure: Figure) -> bytes:
    """Give a figure as a PNG file."""
    from io import BytesIO

    target = BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()


def _scores(inputs: ReportInputs) -> Figure | None:
    found = scores(inputs.card, own=inputs.own, paper=inputs.paper)
    if not found:
        return None
    factors = list(dict.fromkeys(score.factor for score in found))
    facets = list(dict.fromkeys(score.facet for score in found))
    figure = new_figure(0.6 + 3.1 * len(factors), 0.9 + 0.42 * len(facets))
    axes = figure.subplots(1, len(factors), sharey=True, squeeze=False)[0]
    for ax, factor in zip(axes, factors):
        for score in (s for s in found if s.factor == factor):
            y = facets.index(score.facet)
            hollow = "white" if score.role == "leak" else "#0b5cad"
            ax.plot([score.low, score.high], [y, y], color="#0b5cad", lw=3, clip_on=False)
            ax.plot(score.value, y, "o", color="#0b5cad", mfc=hollow, ms=7, clip_on=False)
            ax.plot(score.paper, y, "D", color="#b84a00", mfc="none", ms=6, clip_on=False)
            ax.text(1.04, y, f"{score.value:.3f}", va="center")
        chance = [s.chance for s in found if s.factor == factor and not math.isnan(s.chance)]
        if chance:
            ax.axvline(chance[0], color="#59616c", lw=1, ls=":")
        ax.set(
            xlim=(0, 1),
            ylim=(len(facets) - 0.5, -0.5),
            xlabel=f"{factor}: {_metric(found, factor)}",
        )
        ax.grid(axis="x", color="#e3e6ea", lw=0.8)
        ax.set_axisbelow(True)
        ax.spines["left"].set_visible(False)
        ax.tick_params(length=0)
        ax.set_yticks(range(len(facets)), ["all facets" if f in WHOLE else f for f in facets])
    figure.suptitle("disc: ours (hollow: a leak)   diamond: paper   dotted: chance", fontsize=8)
    return figure


def _metric(found: list[Any], factor: str) -> str:
    return next(score.metric for score in found if score.factor == factor)


def _information(inputs: ReportInputs) -> Figure | None:
    found = information(inputs.card, inputs.facets)
    if not found:
        return None
    columns = [(f"{facet}[{d}]", d) for facet, size in inputs.facets.items() for d in range(size)]
    factors = list(dict.fromkeys(factor for _, factor in found))
    matrix = np.array([[_net(found.get((name, f))) for name, _ in columns] for f in factors])
    numbers = len(columns) <= 32
    figure = new_figure(1.6 + min(0.46 * len(columns), 12), 0.9 + 0.5 * len(factors))
    ax = figure.subplots()
    image = ax.imshow(matrix, cmap="Blues", vmin=0, aspect="auto")
    top = np.nanmax(matrix) if np.isfinite(matrix).any() else 1.0
    for (row, column), value in np.ndenumerate(matrix) if numbers else ():
        ink = "white" if value > 0.55 * top else "#1b1e23"
        text = "–" if math.isnan(value) else "·" if value < 0.005 else f"{value:.2f}"
        ax.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
    start = 0
    for facet, size in inputs.facets.items():
        ax.text(start + (size - 1) / 2, -0.62, facet, ha="center", va="bottom")
        if start:
            ax.axvline(start - 0.5, color="white", lw=5)
        start += size
    ax.set_yticks(range(len(factors)), factors)
    ax.set_xticks(
        range(len(columns)) if numbers else [], [str(d) for _, d in columns] if numbers else []
    )
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=ax, label="nats above chance", pad=0.01, aspect=12)
    bar.outline.set_visible(False)
    return figure


def _net(held: Held | None) -> float:
    if held is None or math.isnan(held.value):
        return math.nan
    return held.net if held.told else 0.0


def _maps(inputs: ReportInputs) -> Figure | None:
    chosen = choose(inputs)
    if len(chosen) < 2 or not inputs.factors:
        return None
    parts = inputs.facets.split(np.asarray(inputs.embedding, dtype=float))
    flats = {f: flatten(part[chosen], projection=inputs.projection) for f, part in parts.items()}
    rows, columns = len(inputs.factors), len(flats)
    figure = new_figure(2.6 * columns + 1.4, 2.6 * rows)
    widths = [1.0] * columns + [0.45]
    axes = figure.subplots(rows, columns + 1, squeeze=False, width_ratios=widths)
    for row, factor in zip(axes, inputs.factors.values()):
        colours = colouring(factor.take(chosen))
        for ax, (facet, flat) in zip(row, flats.items()):
            _scatter(ax, flat, colours.groups, numbers=colours.ends is not None)
            ax.set_title(f"{facet}, by {factor.name}")
        row[-1].set_axis_off()
        if colours.ends:
            _scale(figure, row[-1], colours.ends)
        else:
            handles = row[0].get_legend_handles_labels()
            row[-1].legend(*handles, loc="center left", frameon=False, fontsize=8, markerscale=2)
    return figure


def _scatter(ax: Any, flat: Flat, groups: list, *, numbers: bool) -> None:
    from matplotlib import colormaps

    for label, style, mark, clips in groups:
        index = int(style[1:]) if style[1:].isdigit() else -1
        colour = "#c4c9d0" if index < 0 else CATEGORIES[index]
        if numbers and index >= 0:
            colour = colormaps["viridis"](index / 12)
        x, y = flat.points[clips].T
        ax.scatter(x, y, s=7, color=colour, marker=MARKERS[mark], label=label, lw=0, alpha=0.8)
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.set_adjustable("datalim")
    ax.spines[:].set_visible(False)
    ax.set_facecolor("#f5f6f8")


def _scale(figure: Figure, ax: Any, ends: tuple[str, str]) -> None:
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(ScalarMappable(cmap="viridis"), cax=ax.inset_axes((0, 0.1, 0.12, 0.8)))
    bar.set_ticks([0, 1], labels=list(ends))
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)
