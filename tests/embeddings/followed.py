"""What tests of an index that follows its library look at."""

import os
from pathlib import Path


def names(index):
    return sorted(Path(path).name for path in index.items()["path"].to_pylist())


def all_there(index):
    return all(os.path.isfile(path) for path in index.items()["path"].to_pylist())


def rename(old, new):
    Path(new).parent.mkdir(parents=True, exist_ok=True)
    os.rename(old, new)


def table(text, name="sounds/clips.csv"):
    Path(name).write_text(text)
    return name
