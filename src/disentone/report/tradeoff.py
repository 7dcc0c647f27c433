"""Scatter plots of what two measures trade against each other, one panel beside the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Panel", "Point", "pareto", "tradeoff"]

MARKERS = "osD^vP*Xh<>p"
COLUMNS = 3  # of the legend
ACROSS = 2  # panels side by side where there are more than three

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


@dataclass(frozen=True)
class Point:
    """One configuration: its place, its name, and the kind of strategy that colours it."""

    x: float
    y: float
    name: str
    group: str


@dataclass(frozen=True)
class Panel:
    """One scatter plot.

    Parameters
    ----------
    title, across, up : str
        Heading, and what the axes measure.
    points : sequence of Point
    line : float, optional
        Place of a vertical line, such as a baseline's.
    line_label : str
    better : tuple of (int, int), optional
        Along each axis 1 where more is better and -1 where less is; the Pareto front is drawn.
    """

    title: str
    across: str
    up: str
    points: Sequence[Point]
    line: float | None = None
    line_label: str = ""
    better: tuple[int, int] | None = None


def pareto(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Find the points that no other point beats in one measure without losing in the other.

    Parameters
    ----------
    x, y : ndarray, shape (points,)
        Both the larger the better.

    Returns
    -------
    ndarray of int
        Indices of the front, by falling ``x``.
    """
    front, best = [], -np.inf
    for index in np.lexsort((-y, -x)):
        if y[index] > best:
            front.append(int(index))
            best = y[index]
    return np.array(front, dtype=np.int64)


def tradeoff(panels: Sequence[Panel]) -> bytes:
    """Draw panels with one legend, as PNG: side by side up to three, and more in rows of two.

    Every configuration has its own marker and every kind of strategy its own colour.

    Parameters
    ----------
    panels : sequence of Panel

    Returns
    -------
    bytes
    """
    import matplotlib as mpl  # slow to import

    names = list(dict.fromkeys(point.name for panel in panels for point in panel.points))
    groups = list(dict.fromkeys(point.group for panel in panels for point in panel.points))
    entries = -(-(len(names) + len(groups)) // COLUMNS)
    across = len(panels) if len(panels) <= 3 else ACROSS
    down = -(-len(panels) // across)
    with mpl.rc_context(STYLE):
        figure = _new_figure(4.6 * across, 3.8 * down + 0.2 * entries)
        axes = figure.subplots(down, across, squeeze=False).ravel()
        for ax in axes[len(panels) :]:
            ax.remove()
        for ax, panel in zip(axes, panels):
            _draw(ax, panel, names, groups)
        figure.legend(
            handles=_key(names, groups),
            loc="outside lower center",
            ncols=COLUMNS,
            fontsize=8,
            frameon=False,
        )
        return _png(figure)


def _key(names: list[str], groups: list[str]) -> list[Any]:
    """Entries of the legend: a colour for each kind of strategy, a marker for each name."""
    from matplotlib.lines import Line2D

    colours = [
        Line2D([], [], color=CATEGORIES[i % len(CATEGORIES)], lw=5, label=group)
        for i, group in enumerate(groups)
    ]
    marks = [
        Line2D([], [], color="#59616c", marker=MARKERS[i % len(MARKERS)], ls="none", label=name)
        for i, name in enumerate(names)
    ]
    return [*colours, *marks]


def _draw(ax: Any, panel: Panel, names: list[str], groups: list[str]) -> None:
    ax.grid(color="#e3e6ea", lw=0.8)
    ax.set_axisbelow(True)
    if panel.better is None:
        ax.axhline(0, color="#59616c", lw=0.8)
    else:
        x = np.array([point.x for point in panel.points])
        y = np.array([point.y for point in panel.points])
        front = pareto(panel.better[0] * x, panel.better[1] * y)
        ax.plot(x[front], y[front], color="#59616c", lw=1, ls="--")
    if panel.line is not None:
        ax.axvline(panel.line, color="#b3261e", lw=1.2, ls=":")
        ax.text(
            panel.line,
            1.0,
            f" {panel.line_label}",
            transform=ax.get_xaxis_transform(),
            color="#b3261e",
            fontsize=8,
            va="top",
        )
    for point in panel.points:
        ax.plot(
            point.x,
            point.y,
            MARKERS[names.index(point.name) % len(MARKERS)],
            color=CATEGORIES[groups.index(point.group) % len(CATEGORIES)],
            ms=7,
            alpha=0.9,
            ls="none",
        )
    ax.locator_params(nbins=6)  # long numbers touch each other otherwise
    ax.set(title=panel.title, xlabel=panel.across, ylabel=panel.up)


def _new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of a size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: Figure) -> bytes:
    """Give a figure as a PNG file."""
    target = BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()
