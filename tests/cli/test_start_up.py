"""Which libraries each verb imports: none that it has no use for."""

import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import soundfile

import small
from disentone.embeddings import model_id
from disentone.search import Index

HEAVY = {
    "torch", "lancedb", "faiss", "sklearn", "scipy", "matplotlib", "pandas", "transformers",
    "librosa", "pyarrow", "fastapi", "soundfile", "av", "audiomentations",
}  # fmt: skip
ARROW = {"pyarrow", "pandas"}  # pyarrow itself imports pandas, where there is one
STORE = ARROW | {"lancedb"}

RUN = """
import atexit, json, sys
from disentone.cli import main
atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))
main()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A model, an index of its embeddings, and a sound."""
    folder = tmp_path_factory.mktemp("home")
    model = small.problem()[0]
    model.save(folder / "model")
    names = [f"{n}.wav" for n in range(20)]
    vectors = np.random.default_rng(0).standard_normal((20, model.facets.dim)).astype("float32")
    Index.build(
        folder / "index",
        vectors=vectors,
        facets=model.facets,
        items=pa.table({"id": names, "path": names}),
        model=model_id(folder / "model"),
        about={"model_folder": str(folder / "model")},
    )
    soundfile.write(folder / "tone.wav", 0.5 * np.sin(np.arange(16000) / 9), 16000)
    return folder


def heavy(home, *words):
    """Exit code, output, and the heavy libraries that a command imported."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words],
        capture_output=True,
        encoding="utf-8",
        cwd=home,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    *said, modules = done.stderr.splitlines()
    return done.returncode, done.stdout + "\n".join(said), HEAVY & set(json.loads(modules))


ALLOWED = {
    "--help": set(),
    "train --help": set(),
    "recipes": set(),
    "info model": set(),
    "search index 3.wav": STORE | {"soundfile"},
    "search index tone.wav": STORE | {"soundfile", "torch"},
}


@pytest.mark.parametrize("words", ALLOWED)
def test_a_verb_imports_what_it_needs(home, words):
    code, said, found = heavy(home, *words.split())
    assert code == 0, said
    assert found <= ALLOWED[words]


MISTYPED = {
    "train nothing": "There is no recipe 'nothing'",
    "train nothing.yaml": "There is no recipe file",
    "train facets --data . --facet timbre:eight": "must begin with NAME:SIZE",
    "train facets --data . --facet timbre:8=instrument": "must begin with NAME:SIZE",
    "train facets --data nowhere --facet rest:8": "nowhere",
    "train debug --set training.epoch=2": "unknown key 'training.epoch'",
    "train debug --set objective.0.weigt=2": "unknown key",
    "info nowhere": "There is no model in nowhere",
    "embed nowhere tone.wav -o out.parquet": "There is no model in nowhere",
    "embed model nothing.wav -o out.parquet": "nothing.wav",
    "index nowhere tone.wav -o new.index": "There is no model in nowhere",
    "index model nothing.wav -o new.index": "nothing.wav",
    "search nowhere 3.wav": "There is no index 'nowhere'",
    "serve nowhere": "There is no index 'nowhere'",
}


@pytest.mark.parametrize("words", MISTYPED)
def test_what_is_mistyped_is_refused_before_anything_heavy_is_loaded(home, words):
    code, said, found = heavy(home, *words.split())
    assert code == 2
    assert MISTYPED[words] in said
    assert found <= ARROW | {"soundfile"}


@pytest.mark.parametrize(
    "words",
    [
        "3.wav --weights timbr=1",
        "3.wav --mix timbr=tone.wav",
        "3.wv",
        "tone.wav 3.wv",
        "tone.wav --where colour=1",
    ],
)
def test_a_search_is_refused_before_a_model_is_loaded(home, words):
    code, said, found = heavy(home, "search", "index", *words.split())
    assert code == 2, said
    assert found <= STORE | {"soundfile"}
