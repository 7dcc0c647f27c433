"""Inline SVG and images without a plotting library: elements, ticks, palette PNG."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from functools import lru_cache

import numpy as np
from markupsafe import Markup, escape

__all__ = [
    "concise",
    "data_uri",
    "element",
    "heat_png",
    "interval_bar",
    "log_ticks",
    "number",
    "ticks",
]

DASH = "–"
LINE = 120  # width of a bar from 0 to 1


def element(name: str, *children: Markup | str | int, **attributes: object) -> Markup:
    """Write one element; text and attributes are escaped, Markup children are kept.

    Attribute names lose trailing underscores, other underscores become hyphens, attributes that
    are None are left out, and floats keep two decimals.
    """
    text = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name == "img":  # has neither children nor an end
        return Markup(f"<img{text}>")
    inner = Markup("").join(escape(child) for child in children)
    return Markup(f"<{name}{text}>{inner}</{name}>")


def _plain(value: object) -> object:
    if isinstance(value, float | np.floating):
        return f"{float(value):.2f}".rstrip("0").rstrip(".")
    return value


def interval_bar(
    value: float, low: float, high: float, chance: float, paper: float = math.nan
) -> Markup:
    """Draw a number on a line from 0 to 1, with its interval, chance and a published number."""

    def at(number: float) -> float:
        return 4 + min(max(number, 0.0), 1.0) * (LINE - 8)

    parts = [element("path", class_="rail", d=f"M4 7H{LINE - 4}")]
    if not math.isnan(chance):
        parts.append(element("path", class_="chance", d=f"M{at(chance):.1f} 2v10"))
    if not math.isnan(low + high):
        d = f"M{at(low):.1f} 7H{at(high):.1f}"
        parts.append(element("path", class_="interval", d=d))
    if not math.isnan(value):
        parts.append(element("circle", class_="dot", cx=at(value), cy=7, r=3.5))
    if not math.isnan(paper):
        d = f"M{at(paper):.1f} 2.5l4.5 4.5-4.5 4.5-4.5-4.5z"
        parts.append(element("path", class_="paper", d=d))
    return element("svg", *parts, class_="bar", viewBox=f"0 0 {LINE} 14", aria_hidden="true")


def number(value: object, digits: int = 2, *, sign: bool = False) -> str:
    """Write a number for people; an en dash where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return DASH
    plain = float(value)
    if not math.isfinite(plain):
        return DASH
    if plain and not 0.5 * 10**-digits <= abs(plain) < 1e5:
        text = f"{plain:+.1e}" if sign else f"{plain:.1e}"
    else:
        text = f"{plain:+.{digits}f}" if sign else f"{plain:.{digits}f}"
    return text.replace("-", "−")


def concise(value: float) -> str:
    """Write a number with four significant digits; an en dash where there is none."""
    return f"{value:.4g}".replace("-", "−") if math.isfinite(value) else DASH


def ticks(low: float, high: float, *, count: int = 4) -> list[float]:
    """Round values within [low, high], about ``count`` of them, steps of 1, 2 or 5."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * min((1, 2, 5, 10), key=lambda factor: abs(math.log(factor * power / rough)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten within [low, high], with 2 and 5 between where they are few."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = (1,) if len(decades) > 4 else (1, 2, 5) if len(decades) < 4 else (1, 3)
    values = [mark * 10.0**decade for decade in decades for mark in marks]
    return [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]


def data_uri(content: bytes, kind: str) -> str:
    """Embed bytes of a media type, such as ``"image/png"``, in an address."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def heat_png(values: np.ndarray, low: float, high: float) -> bytes:
    """Colour an image (rows, columns), first row on top, from low to high; NaN is grey."""
    scaled = (np.asarray(values, dtype=float) - low) / max(high - low, 1e-12)
    level = np.where(np.isnan(scaled), 255, np.clip(np.nan_to_num(scaled), 0, 1) * 254)
    rows, columns = level.shape
    lines = np.zeros((rows, columns + 1), dtype=np.uint8)  # each line begins with its filter, 0
    lines[:, 1:] = np.rint(level)
    header = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", _palette()),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


@lru_cache(maxsize=1)
def _palette() -> bytes:
    from matplotlib import colormaps  # slow to import, and only this is needed

    colours = np.rint(colormaps["magma"](np.linspace(0, 1, 255))[:, :3] * 255)
    return np.vstack([colours, [[128, 128, 128]]]).astype(np.uint8).tobytes()
