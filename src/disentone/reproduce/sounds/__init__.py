"""What a model of sounds reaches on sets that it was not made for, and on patches of its own kind.

Not a paper's table: one model is measured, and beside it what a sceptic would ask for, its network
untrained and plain log-mel statistics. Choices are made on the validation split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from disentone.embeddings.model_files import describe
from disentone.embeddings.watcher import Watcher
from disentone.errors import DataError, DisentoneError
from disentone.files import write_json
from disentone.reproduce.sounds.hearing import MODEL, Split

if TYPE_CHECKING:
    from disentone.embeddings.model import Model
    from disentone.reproduce.sounds.hearing import Heard

__all__ = ["FACETS", "measure_sounds"]

FACETS = ("pitch", "timbre", "envelope", "space")
SETS = ("notes/fluid", "notes/recorded", "urban/esc10")
SEED = 0  # of the untrained network
MANY, FEW = 3000, 1200  # patches

Record = dict[str, Any]


def measure_sounds(
    model: str | Path,
    out: str | Path,
    *,
    data: str | Path | None = None,
    split: Split = "test",
    quick: bool = False,
    device: str = "cpu",
    watcher: Watcher | None = None,
) -> tuple[Path, str]:
    """Measure a model with the facets pitch, timbre, envelope and space.

    Parameters
    ----------
    model : path
        Run folder.
    out : path
        Folder for ``tables.json``, ``report.html`` and ``audit.json``, the card of the patches.
    data : path, optional
        Folder with the sets ``notes/fluid``, ``notes/recorded`` and ``urban/esc10``, each with its
        ``clips.csv``; those that are not there are left out, and so are all without a folder.
    split : {"valid", "test"}
        The clips that are asked about. Of ``"valid"`` those of the test split are not read.
    quick : bool
        Without the untrained network and log-mel statistics, which are the same for every training
        of a recipe, on fewer patches and with one probe each.
    device : str
    watcher : Watcher, optional

    Returns
    -------
    report : Path
    text : str
        The tables, for a terminal.

    Raises
    ------
    ArtifactError
        If there is no model.
    DataError
        If the model has other facets, or there is no such folder of data.
    """
    missing = [name for name in FACETS if name not in describe(model).facets]
    if missing:
        raise DataError(
            f"The model in {model} has no facet '{missing[0]}': measured are models with the "
            f"facets {', '.join(FACETS)}."
        )
    if data is not None and not Path(data).is_dir():
        raise DataError(f"'{data}' does not exist: give the folder with {', '.join(SETS)} in it.")
    from disentone.embeddings.model import load  # and torch: what is mistyped was refused
    from disentone.embeddings.systems import UNTRAINED, untrained_model
    from disentone.report import tables_text, write_tables_report
    from disentone.reproduce.sounds.drawn import drawn_card, drawn_tables, hear_patches

    watcher, out = watcher or Watcher(), Path(out)
    trained = load(model, device=device)
    models = {MODEL: trained}
    if not quick:
        models[UNTRAINED] = untrained_model(trained, seed=SEED)
    records, notes = [], []
    for name in SETS:
        place = None if data is None else Path(data) / name
        found, why = _of_set(name, place, models, split, quick, watcher)
        records += found
        notes += why
    heard = hear_patches(
        models, clips=FEW if quick else MANY, split=split, plain=not quick, watcher=watcher
    )
    card = drawn_card(heard, probes=1 if quick else 3, watcher=watcher)
    records += drawn_tables("Held-out patches", card)
    card.save(out / "audit.json")
    write_json(out / "tables.json", records)
    lead = [f"{model}, on the {split} split.", *notes, f"Held-out patches: {card.verdict()}"]
    report = out / "report.html"
    write_tables_report("disentone · reproduce sounds", lead, records, [], report)
    return report, "\n\n".join([tables_text(records), *lead])


def _of_set(
    name: str,
    place: Path | None,
    models: Mapping[str, Model],
    split: Split,
    quick: bool,
    watcher: Watcher,
) -> tuple[list[Record], list[str]]:
    """Records of a set, and why something of it is left out."""
    from disentone.reproduce.sounds.hearing import hear

    if place is None or not place.exists():
        where = "no folder of data was given" if place is None else f"{place} does not exist"
        notes = [f"Left out, {name}: {where}."]
        watcher.note(notes[0])
        return [], notes
    watcher.note(f"{name}:")
    heard = hear(place, models, split=split, plain=not quick, watcher=watcher)
    records, notes = [], []
    for what, table in _tables(models[MODEL])[name].items():
        try:
            records += table(f"{name}, {what}", heard)
        except DisentoneError as error:
            notes.append(f"Left out, {name}, {what}: {error}")
            watcher.note(notes[-1])
    return records, notes


def _tables(model: Model) -> dict[str, dict[str, Callable[[str, Heard], Iterator[Record]]]]:
    """Tables of every set, by what they are about."""
    from disentone.reproduce.sounds.city import categories
    from disentone.reproduce.sounds.notes import microphones, nearest, recorded
    from disentone.reproduce.sounds.speed import speeds

    return {
        "notes/fluid": {"nearest neighbour": nearest},
        "notes/recorded": {
            "instrument and pitch": recorded,
            "nearest neighbour": nearest,
            "microphones of the saxophone": microphones,
        },
        "urban/esc10": {
            "category": categories,
            "speed": lambda title, heard: speeds(model, heard),
        },
    }
