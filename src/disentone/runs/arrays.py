"""Audits of anyone's embeddings: arrays and tables in, a card and its page out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from disentone.audit import Card, audit
from disentone.datasets.labels import Labelled, label_items, read_labels
from disentone.embeddings.opening import WHOLE, OpenedEmbeddings, open_embeddings
from disentone.embeddings.watcher import Watcher
from disentone.errors import DataError, closest
from disentone.facets import Facets
from disentone.factors import Factor, FactorKind

__all__ = ["audit_arrays"]

PROBED = 10_000  # clips that a probe is fitted on at most, by default


def audit_arrays(
    embeddings: str | Path,
    factors: str | Path | None = None,
    *,
    facets: str | None = None,
    owns: Mapping[str, Sequence[str]] | None = None,
    kinds: Mapping[str, FactorKind] | None = None,
    names: Sequence[str] = (),
    split: str = "given",
    group: str | None = None,
    key: str | None = None,
    measures: Sequence[str] = ("default",),
    variants: Sequence[str] = (),
    beside: Sequence[str | Path] = (),
    seeds: int = 3,
    train_limit: int | None = PROBED,
    subsample: int | None = None,
    out: str | Path | None = None,
    jobs: int | None = None,
    seed: int = 0,
    watcher: Watcher | None = None,
) -> Path:
    """Audit embeddings of any model, and leave ``audit.json`` and ``report.html`` in a folder.

    Parameters
    ----------
    embeddings : path
        See :func:`~disentone.embeddings.opening.open_embeddings`.
    factors : path, optional
        Table with a row for each item, in order or with a key; by default what goes with the
        embeddings. See :func:`~disentone.datasets.labels.read_labels`.
    facets : str, optional
        ``"a=0:64,b=64:128"``; by default what the embeddings say, or one facet.
    owns : mapping of str to sequence of str, optional
        Factors that each facet is meant to encode: what else it predicts is a leak.
    kinds : mapping of str to kind, optional
        Of factors; others are guessed, and the guesses noted.
    names : sequence of str
        Factors to audit for; all that can be predicted by default.
    split : str
        See :func:`~disentone.datasets.splits.make_splits`. Where it is made here, what is not
        fitted is measured on all items, as no model was trained by it.
    group : str, optional
        Column of the table whose values splits do not share, such as the recording.
    key : str, optional
        Column that names the items on both sides.
    measures, variants : sequence of str
        See :func:`~disentone.audit.audit`.
    beside : sequence of path
        Embeddings of the same items in the same order by other runs, for UDR.
    seeds : int
        Probes of every facet and factor.
    train_limit : int, optional
        Items that a probe is fitted on at most.
    subsample : int, optional
        Audit so many items, drawn by the seed, the same share of every split: intervals are
        those of so many items, and wider by as much.
    out : path, optional
        Folder; ``audits/NAME`` by default.
    jobs : int, optional
        Threads; as many as torch uses by default.
    seed : int
    watcher : Watcher, optional

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DataError
        If anything cannot be read or does not fit.
    """
    watcher = watcher or Watcher()
    opened = open_embeddings(embeddings, key=key)
    layout = _layout(opened, facets)
    known = _labelled(opened, factors, kinds or {}, names, split, group, key, seed)
    for note in known.notes:
        watcher.note(note)
    rows = _drawn(known, subsample, seed)
    if len(rows) < len(known.rows):
        watcher.note(f"{len(rows)} of {len(known.rows)} items were drawn (seed {seed}).")
    taken = {name: factor.take(rows) for name, factor in known.factors.items()}
    chosen = {name: f for name, f in taken.items() if _can_be_probed(f, known.split[rows])}
    _check_named(names, owns or {}, known.factors, chosen)
    others = {Path(path).stem: open_embeddings(path).values for path in beside}
    for name, values in others.items():
        if len(values) != len(opened.values):
            raise DataError(f"'{name}' has {len(values)} rows for {len(opened.values)} embeddings.")
    taken = known.rows[rows]
    embedding = np.asarray(opened.values[taken], dtype=np.float64)
    card = audit(
        embedding,
        facets=layout,
        factors=chosen,
        split=known.split[rows],
        owns=owns,
        seeds=seeds,
        train_limit=train_limit,
        measures=measures,
        variants=variants,
        groups=known.recordings[rows],
        whole=known.made,
        beside={name: values[taken] for name, values in others.items()},
        ids=known.ids[rows],
        jobs=jobs,
        seed=seed,
        run=Path(embeddings).name,
        stage=watcher.stage,
    )
    for note in card.notes:
        watcher.note(note)
    folder = Path(out) if out is not None else Path("audits") / Path(embeddings).stem
    card.save(folder / "audit.json")
    return _page(folder, card, embedding, chosen, known, rows, owns or {})


def _layout(opened: OpenedEmbeddings, facets: str | None) -> Facets:
    dims = opened.values.shape[1]
    layout = Facets.parse(facets) if facets else opened.facets or Facets({WHOLE: dims})
    if layout.dim != dims:
        raise DataError(
            f"The facets {dict(layout)} are {layout.dim} dimensions, the embeddings have {dims}."
        )
    return layout


def _labelled(
    opened: OpenedEmbeddings,
    factors: str | Path | None,
    kinds: Mapping[str, FactorKind],
    names: Sequence[str],
    split: str,
    group: str | None,
    key: str | None,
    seed: int,
) -> Labelled:
    items, own = len(opened.values), opened.columns
    if factors is None:
        if not own:
            raise DataError("Nothing is known of these embeddings: give a table of factors.")
        columns = {name: list(values) for name, values in own.items()}
        rows, notes = np.arange(items), []
    else:
        columns, rows, notes = read_labels(factors, items=items, own=own, key=key)
    known = label_items(
        columns, rows, kinds=kinds, names=names, split=split, group=group, key=key, seed=seed
    )
    known.notes[:0] = notes
    return known


def _drawn(known: Labelled, subsample: int | None, seed: int) -> np.ndarray:
    """Rows of the items to audit: all, or the same share of every split."""
    count = len(known.rows)
    if subsample is None or subsample >= count:
        return np.arange(count)
    if subsample < 10:
        raise DataError(f"{subsample} items are too few to audit: draw ten or more.")
    rng, kept = np.random.default_rng(seed), []
    for name in ("train", "valid", "test"):
        rows = np.flatnonzero(known.split == name)
        kept.append(rng.choice(rows, round(subsample * len(rows) / count), replace=False))
    return np.sort(np.concatenate(kept))


def _can_be_probed(factor: Factor, split: np.ndarray) -> bool:
    """Whether a factor has two values among training items, and one among those of test."""
    train, test = factor.take(split == "train"), factor.take(split == "test")
    return len(np.unique(train.values[train.known], axis=0)) > 1 and bool(test.known.any())


def _check_named(
    names: Sequence[str],
    owns: Mapping[str, Sequence[str]],
    known: Mapping[str, Factor],
    chosen: Mapping[str, Factor],
) -> None:
    for name in [*names, *(name for owned in owns.values() for name in owned)]:
        if name not in known:
            raise DataError(f"There is no factor '{name}'{closest(name, known)}")
        if name not in chosen:
            raise DataError(
                f"Factor '{name}' cannot be audited: it needs two values among the training items "
                "and one in test; try another split."
            )
    if not chosen:
        raise DataError("No factor has two values among the training items and one in test.")


def _page(
    folder: Path,
    card: Card,
    embedding: np.ndarray,
    factors: Mapping[str, Factor],
    known: Labelled,
    rows: np.ndarray,
    owns: Mapping[str, Sequence[str]],
) -> Path:
    from disentone.report import ReportInputs, write_report
    from disentone.report.page import CARD

    shown = np.flatnonzero(known.split[rows] == "test") if not known.made else np.arange(len(rows))
    inputs = ReportInputs(
        title=f"Audit of {card.run}",
        facets=card.facets,
        factors={name: factor.take(shown) for name, factor in factors.items()},
        card=card,
        embedding=embedding[shown],
        own=owns,
        counted="items" if known.made else "test items",
        remarks=known.notes,
    )
    return write_report(inputs, folder / "report.html", sections=CARD)
