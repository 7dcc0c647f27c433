"""Maps: each facet laid flat, coloured by each factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from disentone.factors import Factor
from disentone.report.inputs import ReportInputs
from disentone.report.svg import element, number
from disentone.report.template import Section, render

__all__ = ["Colouring", "Flat", "choose", "colouring", "flatten", "section"]

POINTS = 1500  # clips drawn: 100 kB a page, and t-SNE stays bearable
CLASSES = 12  # more classes than this are coloured along a scale
STEPS = 12  # colours of the scale
SIZE = 260

MARKS = (  # path of one mark from its centre: disc, square, triangle, diamond
    "h0",
    "m-2.4-2.4h4.8v4.8h-4.8z",
    "m0-3l2.9 5h-5.8z",
    "m0-3.2l3.2 3.2-3.2 3.2-3.2-3.2z",
)


@dataclass(frozen=True)
class Flat:
    """A facet in two dimensions: points (clips, 2) and how they were computed."""

    points: np.ndarray
    method: str


@dataclass(frozen=True)
class Colouring:
    """Groups of clips that share a colour: their label, CSS class, mark and clips."""

    groups: list[tuple[str, str, int, np.ndarray]]
    ends: tuple[str, str] | None  # of a scale; None where there is a legend
    note: str = ""


def section(inputs: ReportInputs) -> Section | None:
    """Draw one row of maps for each factor, one map for each facet."""
    chosen = choose(inputs)
    if len(chosen) < 2 or not inputs.factors:
        return None
    flats = {
        facet: flatten(part[chosen], projection=inputs.projection)
        for facet, part in inputs.facets.split(np.asarray(inputs.embedding, dtype=float)).items()
    }
    rows = []
    for name, factor in inputs.factors.items():
        colours = colouring(factor.take(chosen))
        maps = [
            (facet, inputs.facets[facet], flat.method, _map(flat, colours, facet, name))
            for facet, flat in flats.items()
        ]
        rows.append((name, factor.unit, colours, maps))
    body = render(
        "maps.html",
        rows=rows,
        swatch=swatch,
        steps=STEPS,
        shown=len(chosen),
        counted=inputs.counted,
    )
    return Section("maps", "Maps of the facets", body)


def choose(inputs: ReportInputs) -> np.ndarray:
    """Choose the clips to draw: those with a finite embedding, at most ``POINTS``."""
    finite = np.flatnonzero(np.isfinite(inputs.embedding).all(axis=1))
    if len(finite) <= POINTS:
        return finite
    return np.sort(np.random.default_rng(0).choice(finite, POINTS, replace=False))


def flatten(part: np.ndarray, *, projection: str = "pca") -> Flat:
    """Lay a facet (clips, size) flat: two dimensions at most as they are, more by projection."""
    clips, size = part.shape
    if size == 1:
        spread = np.random.default_rng(0).uniform(-1, 1, clips) * 0.12 * (np.ptp(part) or 1)
        return Flat(np.column_stack([part[:, 0], spread]), "its one dimension; heights are random")
    if size == 2:
        return Flat(part, "its two dimensions")
    if projection == "tsne" and clips > 10:
        from sklearn.manifold import TSNE  # slow to import

        model = TSNE(init="pca", perplexity=min(30, (clips - 1) / 3), random_state=0)
        return Flat(np.asarray(model.fit_transform(part)), "t-SNE")
    centred = part - part.mean(axis=0)
    left, weights, _ = np.linalg.svd(centred, full_matrices=False)
    share = (weights[:2] ** 2).sum() / max((weights**2).sum(), 1e-12)
    points = left[:, :2] * weights[:2] if len(weights) > 1 else np.zeros((clips, 2))
    return Flat(points, f"PCA, {share:.0%} of its variance")


def colouring(factor: Factor) -> Colouring:
    """Choose how a factor is coloured: classes by legend, numbers and many classes by scale."""
    if factor.kind in ("continuous", "ordinal"):
        return _scale(factor.values.astype(float), factor.known, factor.unit)
    codes, names = _codes(factor)
    if len(names) > CLASSES:
        found = _scale(codes.astype(float), codes >= 0, "")
        return Colouring(found.groups, (names[0], names[-1]), f"{len(names)} classes in order")
    groups = [
        (label, f"k{index}", index % len(MARKS), np.flatnonzero(codes == index))
        for index, label in enumerate(names)
    ]
    return Colouring(_unknown(codes < 0) + groups, None)


def _codes(factor: Factor) -> tuple[np.ndarray, tuple[str, ...]]:
    if factor.kind == "categorical":
        return factor.values, factor.classes
    count = np.nansum(factor.values, axis=1)
    single = np.where(count == 1, np.nan_to_num(factor.values).argmax(axis=1), -1)
    several = len(factor.classes)
    codes = np.where(factor.known & (count > 1), several, single)
    return codes, (*factor.classes, "several")


def _scale(values: np.ndarray, known: np.ndarray, unit: str) -> Colouring:
    if not known.any():
        return Colouring(_unknown(~known), None)
    low, high = float(values[known].min()), float(values[known].max())
    note = ""
    if low > 0 and high / low > 50:
        values, note = np.log(np.where(known, values, 1.0)), "log scale"
    start, end = values[known].min(), values[known].max()
    share = np.where(known, values - start, 0) / max(end - start, 1e-12)
    step = np.clip((share * STEPS).astype(int), 0, STEPS - 1)
    groups = [("", f"v{s}", 0, np.flatnonzero(known & (step == s))) for s in range(STEPS)]
    ends = tuple(
        f"{number(end, 0 if abs(high) >= 100 else 2)} {unit}".strip() for end in (low, high)
    )
    return Colouring(_unknown(~known) + groups, (ends[0], ends[1]), note)


def _unknown(mask: np.ndarray) -> list[tuple[str, str, int, np.ndarray]]:
    return [("unknown", "unknown", 0, np.flatnonzero(mask))] if mask.any() else []


def swatch(style: str, mark: int) -> Markup:
    """Draw one mark for a legend."""
    path = element("path", class_=f"{style} {_mark_class(mark)}", d=f"M7 7{MARKS[mark]}")
    return element("svg", path, class_="swatch", viewBox="0 0 14 14", aria_hidden="true")


def _mark_class(mark: int) -> str:
    return "disc" if mark == 0 else "mark"


def _map(flat: Flat, colours: Colouring, facet: str, factor: str) -> Markup:
    low, high = flat.points.min(axis=0), flat.points.max(axis=0)
    span = float((high - low).max()) or 1.0
    scaled = ((flat.points - (low + high) / 2) / span * (SIZE - 20) + SIZE / 2).round(1)
    parts = [element("rect", class_="ground", width=SIZE, height=SIZE, rx=6)]
    for _, style, mark, clips in colours.groups:
        d = "".join(f"M{x:g} {SIZE - y:g}{MARKS[mark]}" for x, y in scaled[clips])
        if d:
            parts.append(element("path", class_=f"{style} {_mark_class(mark)}", d=d))
    label = f"Map of the facet {facet} ({flat.method}), coloured by {factor}"
    return element(
        "svg", *parts, class_="plot map", viewBox=f"0 0 {SIZE} {SIZE}", role="img", aria_label=label
    )
