"""A script: all of disentone, and its small pipeline, on a system without what only POSIX has.

    python tests/without_posix.py FOLDER

Windows has none of these modules and functions. Without fcntl, filelock locks by the existence of a
file. To read or write text without an encoding is an error.
"""

import multiprocessing.util  # noqa: F401  # the standard library's own choice is made at import
import os
import subprocess  # noqa: F401
import sys
import warnings
from pathlib import Path

MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "readline")
FUNCTIONS = ("sysconf", "fork", "getuid", "geteuid", "sched_getaffinity", "statvfs", "getloadavg")


def hide() -> None:
    """Hide what only POSIX has from all that is imported from now on."""
    sys.modules.update(dict.fromkeys(MODULES))  # None: to import it is an ImportError
    for name in FUNCTIONS:
        delattr(os, name)
    warnings.filterwarnings("error", "'encoding' argument", EncodingWarning, r"disentone(\.|$)")


def import_all() -> int:
    """Import every module, and say how many there are."""
    import importlib
    import pkgutil

    import disentone

    found = [m.name for m in pkgutil.walk_packages(disentone.__path__, "disentone.")]
    found = [name for name in found if not name.endswith(".__main__")]  # these run a command
    for name in found:
        importlib.import_module(name)
    return len(found)


def pipeline(folder: Path) -> None:
    """Train, embed, index and search."""
    from disentone import audio
    from disentone.datasets.syntone import SynTone, syntone
    from disentone.embeddings.collection import embed_collection
    from disentone.embeddings.embedder import EmbedOptions
    from disentone.embeddings.indexing import index_collection
    from disentone.recipes import load_recipe
    from disentone.runs.training import train

    quick = ["training.epochs=1", "audit.seeds=1"]
    train(load_recipe("debug", settings=quick), folder / "run")
    tones = syntone(SynTone(frequencies=2, seconds=0.25))
    sounds = folder / "töne"
    sounds.mkdir()
    for number, wave in enumerate(tones.sounds.read_many(range(len(tones)), 16_000)):
        audio.write(sounds / f"{number}.wav", wave, 16_000)
    made = embed_collection(
        folder / "run", [sounds], folder / "e.npy", EmbedOptions(cache=folder / "cache")
    )
    assert not made.with_name("e.npy.partial").exists()
    index = index_collection(
        folder / "run", [sounds], folder / "my.index", EmbedOptions(cache=folder / "cache")
    )
    found = index.query(like=["0.wav"]).rank({"shared": 1}, k=3)
    print(*(hit.id for hit in found))


if __name__ == "__main__":
    hide()
    print(import_all())
    pipeline(Path(sys.argv[1]))
