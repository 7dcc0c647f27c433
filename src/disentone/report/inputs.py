"""What a report is made of: plain data, so that it knows neither training nor models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from markupsafe import Markup

from disentone.facets import Facets
from disentone.factors import Factor

if TYPE_CHECKING:
    from disentone.audit import Card

__all__ = ["Figure", "MelAxes", "ReportInputs", "Sound"]


@dataclass(frozen=True)
class Sound:
    """One waveform to listen to.

    Parameters
    ----------
    caption : str
        What it is, such as ``"reconstruction"``.
    wave : ndarray of float32, shape (samples,)
        Any level: the players of one row are scaled together.
    sample_rate : int
        In Hz.
    """

    caption: str
    wave: np.ndarray
    sample_rate: int


@dataclass(frozen=True)
class MelAxes:
    """Units of the spectrograms shown; without them frames and bands are counted.

    Parameters
    ----------
    frame_seconds : float, optional
        Time from frame to frame.
    band_hz : sequence of float, optional
        Centre of every mel band, ascending.
    unit : str
        Of the values, such as ``"dB"``.
    """

    frame_seconds: float | None = None
    band_hz: Sequence[float] | np.ndarray | None = None
    unit: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture for a page: a PNG or SVG file, its bytes, or an ``svg`` element that stands in it.

    Parameters
    ----------
    caption : str
    image : Path, bytes or Markup
    alt : str
        What it shows, for those who do not see it; the caption by default.
    """

    caption: str
    image: Path | bytes | Markup
    alt: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """All that a run's report shows; whatever is empty is left out.

    Parameters
    ----------
    title : str
    facets : Facets
        Partition of the embedding's columns.
    factors : mapping of str to Factor
        What is known about the clips of ``embedding``.
    card : Card
        The audit. Records of the measures ``"probe"``, ``"leak"`` and ``"information"`` are shown.
    embedding : ndarray, shape (clips, dim)
        Of the test split.
    summary : sequence of str
        Verdict in sentences, a paragraph each; the card's own if empty.
    notes : sequence of str
        Further paragraphs, after the verdict.
    counted : str
        What the rows of the embedding are.
    remarks : sequence of str
        What was guessed and decided about the data, one sentence each.
    own : mapping of str to sequence of str
        The factors that each facet is meant to encode: ``{"shared": ["timbre"]}``. Only used
        where the card has no records of the measure ``"leak"``.
    config : str
        YAML text of the run.
    history : sequence of mapping of str to float
        One mapping an epoch: ``{"epoch": 1, "train/total": ..., "valid/total": ...}``.
    reconstructions : (inputs, outputs, captions), optional
        Spectrograms (k, frames, mels) that went in and came out, and k captions.
    traversals : mapping of str to ndarray, optional
        ``"shared[3]"`` to spectrograms (steps, frames, mels) while that dimension moves.
    traversal_range : (float, float)
        Where the dimension starts and ends, in its own unit.
    mel_axes : MelAxes
    sounds : sequence of (str, sequence of Sound)
        Rows of players that belong together.
    paper : sequence of mapping
        Published numbers ``{"table", "row", "column", "value"}``: row a facet, column a factor.
    skipped : sequence of (str, str)
        Files left out, and why.
    projection : {"pca", "tsne"}
        How facets of three or more dimensions are laid flat; t-SNE takes seconds to a minute each.
    """

    title: str
    facets: Facets
    factors: Mapping[str, Factor]
    card: Card
    embedding: np.ndarray
    summary: Sequence[str] = ()
    notes: Sequence[str] = ()
    counted: str = "test clips"
    remarks: Sequence[str] = ()
    own: Mapping[str, Sequence[str]] = field(default_factory=dict)
    config: str = ""
    history: Sequence[Mapping[str, float]] = ()
    reconstructions: tuple[np.ndarray, np.ndarray, Sequence[str]] | None = None
    traversals: Mapping[str, np.ndarray] | None = None
    traversal_range: tuple[float, float] = (-3.0, 3.0)
    mel_axes: MelAxes = field(default_factory=MelAxes)
    sounds: Sequence[tuple[str, Sequence[Sound]]] = ()
    paper: Sequence[Mapping[str, Any]] = ()
    skipped: Sequence[tuple[str, str]] = ()
    projection: Literal["pca", "tsne"] = "pca"
