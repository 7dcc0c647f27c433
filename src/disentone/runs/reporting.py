"""The report of a run: scores, pictures and sounds of its test split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from disentone.audit import Card
from disentone.clips import ClipTable
from disentone.frontends.inversion import griffin_lim, mel_to_linear
from disentone.frontends.latents import Latent
from disentone.frontends.logmel import LogMel
from disentone.recipes import Recipe, dump_recipe
from disentone.report.inputs import MelAxes, ReportInputs, Sound
from disentone.report.page import write_report

if TYPE_CHECKING:
    from disentone.embeddings.model import Model
    from disentone.runs.preparation import Data

__all__ = ["report_run", "resynthesise"]

PAIRS = 4
STEPS = 7


def report_run(
    out: Path, *, recipe: Recipe, model: Model, data: Data, card: Card, brief: bool = False
) -> Path:
    """Write ``report.html`` of a run.

    Parameters
    ----------
    out : Path
        Run folder, with ``metrics.jsonl``.
    recipe : Recipe
    model : Model
    data : Data
        Of the run; its test split is shown.
    card : Card
        Audit of the model.
    brief : bool
        Leave out sounds and spectrograms, which take longer than all the rest.

    Returns
    -------
    Path
        The report.
    """
    rows = data.table.where("test")
    table = data.table.take(rows)
    embedding = data.of_clips(model.embed_features, rows)
    metrics = out / "metrics.jsonl"  # an audit on other data has none
    history = metrics.read_text(encoding="utf-8").splitlines() if metrics.exists() else []
    inputs = ReportInputs(
        title=f"disentone · {recipe.name}",
        facets=model.facets,
        factors=table.factors,
        card=card,
        embedding=embedding,
        own=recipe.owns(),
        config=dump_recipe(recipe),
        history=[json.loads(line) for line in history],
        **({} if brief else _seen_and_heard(table, data, rows, embedding, model, recipe)),
        paper=[
            {"table": "Table 1", "row": facet, "column": factor, "value": value}
            for facet, values in recipe.paper.items()
            for factor, value in values.items()
        ],
        skipped=[(item.path, item.reason) for item in data.skipped],
    )
    return write_report(inputs, out / "report.html")


def _seen_and_heard(
    table: ClipTable,
    data: Data,
    rows: np.ndarray,
    embedding: np.ndarray,
    model: Model,
    recipe: Recipe,
) -> dict[str, Any]:
    """Inputs of a report that show features as pictures and sounds; a note where they cannot.

    Of every clip they show the first window with sound.
    """
    frontend = model.frontend
    if not isinstance(frontend, LogMel):
        latents = isinstance(frontend, Latent)
        what = "latents of a pretrained network" if latents else "several inputs side by side"
        note = f"No sounds or pictures: {what} are neither."
        return {"notes": [note]}
    if model.network.decoder is None:
        return {"notes": ["No sounds or pictures: the model has no decoder."]}
    pairs = _pairs(table, recipe)
    shown = np.unique(pairs)[:6]
    first = data.windows.first[rows]
    given = data.features[first[shown]]
    rebuilt = model.decode(model.codes(given))
    return {
        "reconstructions": (given, rebuilt, [_caption(table, i) for i in shown]),
        "traversals": {} if model.network.framewise else _traversals(model, embedding),
        "mel_axes": _axes(frontend),
        "sounds": [
            _players(
                [_original(table, clip, float(data.begin[first[clip]]), frontend) for clip in pair],
                [_caption(table, clip) for clip in pair],
                data.features[first[pair]],
                model,
                recipe,
                frontend,
            )
            for pair in pairs
        ],
    }


def resynthesise(mel_db: np.ndarray, frontend: LogMel) -> np.ndarray:
    """Turn log-mel spectrograms into sound.

    Parameters
    ----------
    mel_db : ndarray, shape (clips, frames, features)
        Features of the front-end, dB.
    frontend : LogMel

    Returns
    -------
    ndarray of float32, shape (clips, samples)
    """
    config = frontend.config
    power = torch.from_numpy(10 ** (np.asarray(mel_db, dtype=np.float32) / 10))
    power = power * (power > 1.01 * 10 ** (config.floor_db / 10))  # the floor is silence
    magnitude = mel_to_linear(power, frontend.filters.cpu())
    wave = griffin_lim(magnitude, n_fft=config.n_fft, hop=config.hop, length=frontend.samples)
    return wave.numpy()


def _pairs(table: ClipTable, recipe: Recipe) -> np.ndarray:
    """Pairs of test clips that differ in what the first related facet encodes: (pairs, 2)."""
    rng = np.random.default_rng(recipe.seed)
    first = next((relation.sames[0] for relation in recipe.relations().values()), "")
    order = rng.permutation(len(table))
    if first in table.factors and table.factors[first].kind == "categorical":
        codes = table.factors[first].values[order]
        # Take clips from every class in turn, so that each pair crosses two classes.
        turn = np.array([np.sum(codes[:i] == code) for i, code in enumerate(codes[:2000])])
        order = order[: len(turn)][np.lexsort((codes[: len(turn)], turn))]
    chosen = order[: 2 * min(PAIRS, len(order) // 2)]
    return chosen.reshape(-1, 2)


def _players(
    originals: list[np.ndarray],
    captions: list[str],
    features: np.ndarray,
    model: Model,
    recipe: Recipe,
    frontend: LogMel,
) -> tuple[str, list[Sound]]:
    """Players of two clips: originals, reconstructions, and each related facet of the other."""
    related = [name for name, facet in recipe.facets.items() if facet.same]
    facets = related or model.facets.names[:1]
    own = model.codes(features)
    codes = [own]
    for facet in facets:
        part = model.facets.slice(facet)
        swapped = own.copy()
        swapped[..., part] = own[::-1, ..., part]
        codes.append(swapped)
    waves = resynthesise(model.decode(np.concatenate(codes)), frontend)
    waves = waves.reshape(len(codes), 2, -1)  # (own and swapped, A and B, samples)
    rate, sounds = frontend.sample_rate, []
    for clip, (name, other) in enumerate(("AB", "BA")):
        swaps = [f"{name} with the {facet} facet of {other}" for facet in facets]
        parts = [f"{name}, reconstruction", *swaps]
        sounds.append(Sound(f"{name}, original", originals[clip], rate))
        sounds += [Sound(text, wave, rate) for text, wave in zip(parts, waves[:, clip])]
    title = " · ".join(f"{name}: {text}" for name, text in zip("AB", captions))
    return title, sounds


def _original(table: ClipTable, clip: int, begin: float, frontend: LogMel) -> np.ndarray:
    """Waveform of a window of a clip."""
    start = round(begin * frontend.sample_rate)
    wave = table.sounds.read(int(clip), frontend.sample_rate)
    return wave[start : start + frontend.samples]


def _traversals(model: Model, embedding: np.ndarray) -> dict[str, np.ndarray]:
    """Decode one clip while each dimension moves from -3 to 3."""
    centre = embedding[np.argmin(np.square(embedding - embedding.mean(0)).sum(1))]
    films = {}
    for name, size in model.facets.items():
        for i in range(size):
            codes = np.repeat(centre[None], STEPS, axis=0)
            codes[:, model.facets.slice(name).start + i] = np.linspace(-3, 3, STEPS)
            films[f"{name}[{i}]"] = model.decode(codes)
    return films


def _axes(frontend: LogMel) -> MelAxes:
    config = frontend.config
    filters = frontend.filters.cpu().numpy()
    bins = np.arange(filters.shape[1]) * config.sample_rate / config.n_fft
    centres = bins[filters.argmax(axis=1)]
    return MelAxes(frame_seconds=config.hop / config.sample_rate, band_hz=centres, unit="dB")


def _caption(table: ClipTable, index: int) -> str:
    """Name a clip by its factors, at most three of them."""
    parts = []
    for factor in list(table.factors.values())[:3]:
        label = factor.take(np.array([index])).labels()[0]
        parts.append(f"{factor.name} {label} {factor.unit}".strip())
    return ", ".join(parts) or str(table.ids[index])
