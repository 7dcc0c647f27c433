"""Spectrograms: reconstructions and latent traversals."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from disentone.report.inputs import MelAxes, ReportInputs
from disentone.report.svg import data_uri, element, heat_png, number, ticks
from disentone.report.template import Section, render

__all__ = ["colour_bar", "reconstructions", "traversals"]

FRAMES = 400  # columns of an image; longer spectrograms are averaged down
STRIPS = 48  # traversals shown, those with the most effect
HZ_MARKS = (100, 200, 500, 1000, 2000, 4000, 8000, 16000)


def reconstructions(inputs: ReportInputs) -> Section | None:
    """Draw pairs of spectrograms: what went in above what came out."""
    if inputs.reconstructions is None or not len(inputs.reconstructions[0]):
        return None
    given, made, captions = inputs.reconstructions
    low, high = _range(given)
    pairs = []
    for before, after, caption in zip(given, made, captions):
        error = number(np.sqrt(np.mean((np.asarray(before) - np.asarray(after)) ** 2)))
        images = [
            (word, spectrogram(mel, inputs.mel_axes, low, high, f"{word} of {caption}"))
            for word, mel in (("input", before), ("output", after))
        ]
        pairs.append((caption, error, images))
    bar = colour_bar(low, high, inputs.mel_axes.unit)
    body = render("reconstructions.html", pairs=pairs, bar=bar, unit=inputs.mel_axes.unit)
    return Section("reconstructions", "Reconstructions", body)


def traversals(inputs: ReportInputs) -> Section | None:
    """Draw film strips: what the decoder makes while one dimension moves."""
    if not inputs.traversals:
        return None
    strips = {name: np.asarray(frames, dtype=float) for name, frames in inputs.traversals.items()}
    low, high = _range(np.stack([strip[0] for strip in strips.values()]))
    effects = {name: effect(strip) for name, strip in strips.items()}
    most = max(effects.values()) or 1.0
    kept = set(sorted(strips, key=lambda name: -effects[name])[:STRIPS])
    groups: dict[str, list] = {}
    for name, strip in strips.items():
        if name in kept:
            share = effects[name] / most
            entry = (name, effects[name], share, film(strip, name, low, high))
            groups.setdefault(name.partition("[")[0], []).append(entry)
    body = render(
        "traversals.html",
        groups=groups,
        steps=len(next(iter(strips.values()))),
        ends=[number(end, 1) for end in inputs.traversal_range],
        left_out=len(strips) - len(kept),
        unit=inputs.mel_axes.unit,
        bar=colour_bar(low, high, inputs.mel_axes.unit),
    )
    return Section("traversals", "What each dimension does", body)


def effect(strip: np.ndarray) -> float:
    """Mean distance of a traversal's steps from their mean, in the unit of the spectrogram."""
    return float(np.nan_to_num(np.abs(strip - strip.mean(axis=0))).mean())


def spectrogram(mel: np.ndarray, axes: MelAxes, low: float, high: float, label: str) -> Markup:
    """Draw one spectrogram (frames, mels) with its axes."""
    left, top, width, height = 44, 6, 210, 130
    frames, mels = mel.shape
    parts = [_image(mel, left, top, width, height, low, high)]
    seconds = frames * axes.frame_seconds if axes.frame_seconds else None
    for tick in ticks(0, seconds if seconds else frames, count=4):
        x = left + width * tick / (seconds or frames)
        parts.append(element("path", class_="tick", d=f"M{x:.1f} {top + height}v4"))
        anchor = "middle" if x < left + width - 4 else "end"
        parts.append(element("text", f"{tick:g}", x=x, y=top + height + 16, text_anchor=anchor))
    for text, band in _band_marks(axes, mels):
        y = top + height * (1 - (band + 0.5) / mels)
        parts.append(element("path", class_="tick", d=f"M{left - 4} {y:.1f}h4"))
        parts.append(element("text", text, x=left - 7, y=y + 4, text_anchor="end"))
    unit = "s" if seconds else "frame"
    parts.append(element("text", unit, x=left - 7, y=top + height + 16, text_anchor="end"))
    parts.append(_upright("Hz" if axes.band_hz is not None else "band", top + height / 2))
    return element(
        "svg", *parts, class_="plot mel", viewBox="0 0 272 156", role="img", aria_label=label
    )


def film(strip: np.ndarray, name: str, low: float, high: float) -> Markup:
    """Draw the steps of a traversal (steps, frames, mels) side by side."""
    steps = len(strip)
    width, height, gap = 420 / steps, 62, 2
    parts = [
        _image(step, index * width, 0, width - gap, height, low, high)
        for index, step in enumerate(strip)
    ]
    label = f"{steps} spectrograms while {name} moves"
    return element(
        "svg", *parts, class_="plot film", viewBox=f"0 0 420 {height}", role="img", aria_label=label
    )


def colour_bar(low: float, high: float, unit: str) -> Markup:
    """Draw the colour scale of spectrograms with its ends."""
    uri = data_uri(heat_png(np.linspace(0, 1, 128)[None], 0, 1), "image/png")
    image = element("image", href=uri, x=0, y=0, width=160, height=10, preserveAspectRatio="none")
    scale = element("svg", image, viewBox="0 0 160 10", class_="scale", aria_hidden="true")
    ends = [f"{number(end, 1)} {unit}".strip() for end in (low, high)]
    return element("span", ends[0], scale, ends[1], class_="colour-bar")


def _image(
    mel: np.ndarray, x: float, y: float, width: float, height: float, low: float, high: float
) -> Markup:
    mel = np.asarray(mel, dtype=float)
    if len(mel) > FRAMES:
        mel = np.stack([part.mean(0) for part in np.array_split(mel, FRAMES)])
    uri = data_uri(heat_png(mel.T[::-1], low, high), "image/png")
    return element(
        "image", href=uri, x=x, y=y, width=width, height=height, preserveAspectRatio="none"
    )


def _band_marks(axes: MelAxes, mels: int) -> list[tuple[str, float]]:
    if axes.band_hz is None:
        return [(f"{int(tick)}", tick) for tick in ticks(0, mels - 1, count=4)]
    hertz = np.asarray(axes.band_hz, dtype=float)
    inside = [mark for mark in HZ_MARKS if hertz[0] <= mark <= hertz[-1]]
    bands = [float(np.interp(mark, hertz, np.arange(len(hertz)))) for mark in inside]
    kept: list[tuple[str, float]] = []
    for mark, band in reversed(list(zip(inside, bands))):  # from the top, none too near another
        if not kept or kept[-1][1] - band > mels * 0.11:
            kept.append((f"{mark / 1000:g}k" if mark >= 1000 else f"{mark}", band))
    return kept


def _upright(text: str, y: float) -> Markup:
    return element(
        "text", text, transform=f"translate(10 {y:.0f}) rotate(-90)", text_anchor="middle"
    )


def _range(mels: np.ndarray) -> tuple[float, float]:
    values = np.asarray(mels, dtype=float)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, [0.5, 99.8])
    return float(low), float(max(high, low + 1e-6))
