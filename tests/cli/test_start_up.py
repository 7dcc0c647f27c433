"""Which libraries each verb imports: none that it has no use for."""

import json
import os
import shlex
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import soundfile

import tiny_training
from disentone.audit import audit
from disentone.embeddings import model_id
from disentone.factors import Factor
from disentone.recipes import dump_recipe, load_recipe
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

RUN_EACH = """
import contextlib, io, json, sys
from disentone.cli import main
commands, results = json.load(sys.stdin), []
for sys.argv[1:] in commands:
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code
    results.append([code, printed.getvalue(), sorted(sys.modules)])
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A model and its recipe, an index, a sound, clips, foreign embeddings and two audits."""
    folder = tmp_path_factory.mktemp("home")
    model = tiny_training.problem()[0]
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
    (folder / "model" / "config.yaml").write_text(dump_recipe(load_recipe("debug")))
    for name in ("tone", *range(24)):
        soundfile.write(folder / f"{name}.wav", 0.5 * np.sin(np.arange(16000) / 9), 16000)
    clips = [f"{n}.wav,{'ab'[n % 2]},{n % 4}" for n in range(24)]
    (folder / "clips.csv").write_text("\n".join(["path,instrument,pitch", *clips]))
    named = [f"{n}.wav,{'ab'[n % 2]},{n % 4}" for n in range(20)]
    (folder / "labels.csv").write_text("\n".join(["name,instrument,pitch", *named]))
    np.save(folder / "codes.npy", vectors)
    np.savez(folder / "named.npz", embeddings=vectors, ids=names)
    triplets = ["anchor,positive,negative,dimension", "0.wav,1.wav,2.wav,instrument"]
    (folder / "triplets.csv").write_text("\n".join(triplets))
    card = audit(
        vectors,
        facets=model.facets,
        factors={"instrument": Factor.categorical("instrument", list("ab" * 10))},
        split=np.repeat(["train", "test"], 10),
        measures=("none",),
        seeds=1,
        permutations=1,
    )
    for name in ("one", "two"):
        card.save(folder / name / "audit.json")
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
    *printed, modules = done.stderr.splitlines()
    return done.returncode, done.stdout + "\n".join(printed), HEAVY & set(json.loads(modules))


ALLOWED = {
    "--help": set(),
    "train --help": set(),
    "recipes": set(),
    "info model": set(),
    "compare one two": set(),
    "compare one two -o compared": set(),
    "inspect clips.csv": {"soundfile"},
    "triplets named.npz --triplets triplets.csv": ARROW | {"soundfile"},
    "audit codes.npy labels.csv --seeds 1 --measures none": ARROW | {"soundfile", "scipy", "torch"},
    "embed model tone.wav -o tone.parquet": ARROW | {"soundfile", "torch"},
    "index model tone.wav -o tone.index": STORE | {"soundfile", "torch"},
    "search index 3.wav": STORE | {"soundfile"},
    "search index tone.wav": STORE | {"soundfile", "torch"},
}


@pytest.mark.parametrize("words", ALLOWED)
def test_a_verb_imports_what_it_needs(home, words):
    code, printed, found = heavy(home, *words.split())
    assert code == 0, printed
    assert found <= ALLOWED[words]


CLIPS = "train facets --data clips.csv --facet"
CODES = "audit codes.npy labels.csv"
MISTYPED = {
    "train nothing": "There is no recipe 'nothing'",
    "train nothing.yaml": "There is no recipe file",
    "train facets --data . --facet timbre:eight": "must begin with NAME:SIZE",
    "train facets --data . --facet timbre:8=instrument": "must begin with NAME:SIZE",
    "train facets --data nowhere --facet rest:8": "nowhere",
    "train debug --set training.epoch=2": "unknown key 'training.epoch'",
    "train debug --set objective.0.weigt=2": "unknown key",
    f"{CLIPS} 'timbre:8 same=instrumnt'": "There is no factor 'instrumnt'; did you mean",
    f"{CLIPS} 'timbre:8 same=instrument differ=pich'": "There is no factor 'pich'; did you mean",
    f"{CLIPS} rest:8 --set 'audit.factors=[pich]'": "There is no factor 'pich'; did you mean",
    f"{CLIPS} rest:8 --set 'objective=[{{term: classification, facet: rest, factor: pich}}]'": (
        "There is no factor 'pich'; did you mean"
    ),
    f"{CLIPS} rest:8 --set data.split=pich": "Splits cannot be made by 'pich'; did you mean",
    f"{CODES} --facets timbre=0:2,pitch=2:99": "are 99 dimensions",
    f"{CODES} --facets timbre": "timbre",
    f"{CODES} --factor instrumnt": "There is no column 'instrumnt'; did you mean",
    f"{CODES} --own all=instrumnt": "There is no factor 'instrumnt'; did you mean",
    f"{CODES} --own timbre=instrument": "There is no facet 'timbre'",
    f"{CODES} --measures mgi": "There is no measure 'mgi'; did you mean",
    f"{CODES} --variant papr": "There is no variant 'papr'; did you mean",
    "audit codes.npy nothing.csv": "Table 'nothing.csv' cannot be read",
    "audit nowhere": "There is no model in nowhere",
    "audit model --measures mgi": "There is no measure 'mgi'; did you mean",
    "audit model --data nowhere": "'nowhere' does not exist",
    "audit model --beside nowhere": "There is no model in nowhere",
    "audit model --facets timbre=0:2": "these are for embeddings",
    "compare one": "Give two audits or more",
    "compare one nowhere": "nowhere could not be read",
    "triplets nowhere --triplets triplets.csv": "nowhere",
    "triplets model --triplets nothing.csv": "Table 'nothing.csv' cannot be read",
    "triplets model --triplets triplets.csv": "give the data",
    "triplets model --triplets triplets.csv --data nowhere": "'nowhere' does not exist",
    "reproduce nothing": "There is no paper 'nothing'",
    "reproduce sound": "There is no paper 'sound'; did you mean 'sounds'?",
    "reproduce sounds --model nowhere": "There is no model in nowhere",
    "reproduce sounds --model model": "The model in model has no facet 'pitch'",
    "reproduce sounds --split train": "'train' is no split to measure on",
    "reproduce sounds --jobs 2 --seeds 3": "--seeds, --jobs does not go with the tables of sounds",
    "reproduce marl --split valid": "--split does not go with the tables of marl",
    "reproduce marl --data clips.csv": "give no data",
    "reproduce balance --data nowhere": "'nowhere' does not exist",
    "reproduce csn --data nowhere": "'nowhere' does not exist",
    "reproduce latent --data nowhere": "'nowhere' does not exist",
    "inspect nowhere": "'nowhere' does not exist",
    "inspect clips.csv --derive tempo": "must look like tempo=estimate",
    "info nowhere": "There is no model in nowhere",
    "embed nowhere tone.wav -o out.parquet": "There is no model in nowhere",
    "embed model nothing.wav -o out.parquet": "nothing.wav",
    "embed model tone.wav -o out.xyz": "is no embedding file",
    "embed model tone.wav -o out.parquet --hop 1": "A hop needs a segment",
    "index nowhere tone.wav -o new.index": "There is no model in nowhere",
    "index model nothing.wav -o new.index": "nothing.wav",
    "index model tone.wav -o new.index --hop 1": "A hop needs a segment",
    "search nowhere 3.wav": "There is no index 'nowhere'",
    "serve nowhere": "There is no index 'nowhere'",
}


@pytest.fixture(scope="module")
def refusals(home):
    """Exit code and output of each mistyped command, and the heavy libraries after it.

    All are given in one process, as what one imports would be seen after it.
    """
    before = set(home.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", RUN_EACH],
        input=json.dumps([shlex.split(words) for words in MISTYPED]),
        capture_output=True,
        encoding="utf-8",
        cwd=home,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert set(home.rglob("*")) == before  # nothing is half written
    return dict(zip(MISTYPED, json.loads(done.stdout)))


@pytest.mark.parametrize("words", MISTYPED)
def test_what_is_mistyped_is_refused_before_anything_heavy_is_loaded(refusals, words):
    code, printed, modules = refusals[words]
    assert code == 2, printed
    assert MISTYPED[words] in printed
    assert HEAVY & set(modules) <= ARROW | {"soundfile"}


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
    code, printed, found = heavy(home, "search", "index", *words.split())
    assert code == 2, printed
    assert found <= STORE | {"soundfile"}
