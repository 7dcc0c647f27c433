"""Datasets by name; nothing is downloaded.

Other packages give theirs as entry points of the group ``disentone.datasets``: functions as those
of :data:`DATASETS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from disentone.datasets.adapters import LIBRARIES, load_from_library
from disentone.datasets.config import CollectionConfig
from disentone.datasets.dimsim import load_dimsim, load_dimsim_excerpts
from disentone.datasets.esc import load_esc10, load_esc50
from disentone.datasets.fsdd import load_fsdd
from disentone.datasets.msd import load_msd
from disentone.datasets.nsynth import load_nsynth
from disentone.datasets.sonyc import load_sonyc_v1, load_sonyc_v2
from disentone.datasets.tables import Collection
from disentone.datasets.tinysol import load_tinysol
from disentone.errors import DataError, RecipeError, closest, load_plugin, plugin_names

__all__ = ["DATASETS", "load_dataset"]

DATASETS: Mapping[str, Callable[[Path, CollectionConfig], Collection]] = {
    "dim-sim": load_dimsim,
    "dim-sim-excerpts": load_dimsim_excerpts,
    "esc10": load_esc10,
    "esc50": load_esc50,
    "fsdd": load_fsdd,
    "msd-lastfm": load_msd,
    "nsynth": load_nsynth,
    "sonyc-ust-v1": load_sonyc_v1,
    "sonyc-ust-v2": load_sonyc_v2,
    "tinysol": load_tinysol,
}
"""Loaders of the datasets that have a name here."""

_DEFAULTS = CollectionConfig()


def load_dataset(name: str, folder: str | Path, config: CollectionConfig = _DEFAULTS) -> Collection:
    """Load a named dataset from where it was unpacked.

    Parameters
    ----------
    name : str
        One of ``DATASETS``, whose docstrings give layout, factors, split and licence; or
        ``mirdata:NAME`` or ``soundata:NAME`` for what these libraries load; or a name that another
        package gives.
    folder : path
    config : CollectionConfig
        Its kinds override those of the dataset, and so does a split other than "given".

    Returns
    -------
    Collection

    Raises
    ------
    DataError
        If the name is unknown, or the folder does not have the dataset in it.
    RecipeError
        If the package that gives it cannot be imported, or gives no collection.
    """
    if config.pattern is not None:
        raise DataError(f"Dataset '{name}' needs no pattern: leave one of the two out.")
    folder = Path(folder).expanduser()
    library, _, inner = name.partition(":")
    if library in LIBRARIES and inner:
        return load_from_library(library, inner, folder, config)
    if name in DATASETS:
        return DATASETS[name](folder, config)
    others = plugin_names("datasets")
    if name not in others:
        raise DataError(f"Dataset '{name}' is unknown{closest(name, [*DATASETS, *others])}")
    collection = load_plugin("datasets", name)(folder, config)
    if not isinstance(collection, Collection):
        raise RecipeError(
            f"Entry point '{name}' of disentone.datasets must return a "
            f"disentone.datasets.tables.Collection, not {type(collection).__name__}."
        )
    return collection
