"""Make and run the notebook that audits embeddings which disentone did not make.

    pip install nbformat nbclient ipykernel librosa
    python examples/audit_notes.py path/to/data     # the folder with notes/recorded/clips.csv

The notebook lands beside this script, with its outputs.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent

INTRO = """# Audit anyone's embeddings

PCA of log-mel spectrograms, made with librosa and scikit-learn: no disentone model has seen these
notes. How well do its first components predict the instrument, pitch, dynamic and microphone, and
how well are these separated?

The notes are 360 recordings of three instruments (CC0 and public domain): a folder with a table
`clips.csv`, one row a file."""

FEATURES = """from pathlib import Path

import librosa
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

notes = Path("notes/recorded")
clips = pd.read_csv(notes / "clips.csv")


def log_mel(file):
    wave, rate = librosa.load(notes / file, sr=22050)
    mel = librosa.feature.melspectrogram(y=wave, sr=rate, n_mels=64)
    return librosa.power_to_db(mel, ref=1.0, top_db=None).clip(min=-80).mean(axis=1)


mels = np.stack([log_mel(file) for file in clips["path"]])
codes = PCA(16, whiten=True, random_state=0).fit_transform(mels)
mels.shape, codes.shape"""

ABOUT_AUDIT = """The audit reads files, as `disentone audit codes.npz clips.csv --facets ...` does.
The array `path` names the rows, so that they are matched with the table's. The first four
components are one facet, the other twelve a second: an arbitrary cut, as the audit will show.
The split is made here, with no recording in two parts of it."""

AUDIT = """import tempfile

from disentone.audit import Card
from disentone.embeddings.watcher import Watcher
from disentone.runs.arrays import audit_arrays


class Printed(Watcher):
    def note(self, text):
        print(text)


folder = Path(tempfile.mkdtemp())
np.savez(folder / "codes.npz", codes=codes, path=clips["path"].to_numpy(str))
options = {
    "facets": "first=0:4,rest=4:16",
    "names": ["instrument", "pitch", "dynamic", "microphone"],
    "split": "stratified:instrument",
    "measures": ["default", "dci_disentanglement", "dci_completeness", "explicitness"],
    "variants": ["syntone"],
}
labels = notes / "clips.csv"
page = audit_arrays(folder / "codes.npz", labels, out=folder / "pca", watcher=Printed(), **options)
card = Card.load(page.parent / "audit.json")
print()
print(card.verdict())"""

ABOUT_PROBES = """What each facet predicts: accuracy of a two-layer probe on held-out recordings.
Chance is the best constant answer."""

PROBES = """accuracy = pd.DataFrame(card.table("probe")).T
accuracy.loc["chance"] = {r["factor"]: r["chance"] for r in card.records if r["measure"] == "probe"}
accuracy.round(2)"""

ABOUT_MEASURES = """Measures of disentanglement, each with its 95 % interval and what the same codes
score when they are shuffled. The last line is the number that the code published with SynTone
would print: its note says why it differs."""

MEASURES = """\
rows = [r for r in card.records if r["facet"] == r["factor"] == "all" and r["measure"] != "probe"]
shown = pd.DataFrame(rows).set_index("measure")[["variant", "value", "low", "high", "chance", "n"]]
display(shown.fillna({"variant": ""}).round(2))
print(next(r["note"] for r in rows if r.get("variant") == "syntone"))"""

ABOUT_DIMENSIONS = """Where the information sits, in nats, less what a shuffled factor gives."""

DIMENSIONS = """import matplotlib.pyplot as plt

dims = [r for r in card.records if r["measure"] == "information" and "dimension" in r]
table = pd.DataFrame(dims).assign(net=lambda t: (t["value"] - t["chance"]).clip(lower=0))
heat = table.pivot(index="factor", columns="facet", values="net")[list(dict.fromkeys(table.facet))]
figure, axes = plt.subplots(figsize=(8, 2), layout="constrained")
picture = axes.imshow(heat, cmap="Blues", aspect="auto")
axes.set_xticks(range(len(heat.columns)), heat.columns, rotation=60, ha="right", fontsize=7)
axes.set_yticks(range(len(heat)), heat.index)
figure.colorbar(picture, label="nats")
plt.show()"""

ABOUT_COMPARE = """Does whitening by PCA help at all? The same components, turned at random within
each facet, have exactly the same information, but no dimension stands for a factor any more.
Probes hardly differ, pair by pair; gaps between dimensions do."""

COMPARE = """from disentone.audit.comparing import compare

rng = np.random.default_rng(0)
turned = codes.copy()
for part in (slice(0, 4), slice(4, 16)):
    size = part.stop - part.start
    turned[:, part] = codes[:, part] @ np.linalg.qr(rng.normal(size=(size, size)))[0]
np.savez(folder / "turned.npz", codes=turned, path=clips["path"].to_numpy(str))
other = audit_arrays(folder / "turned.npz", labels, out=folder / "turned", **options)
found = pd.DataFrame(compare(card, Card.load(other.parent / "audit.json")))
asked = found[
    found.measure.isin(["mig", "sap", "jemmig", "dci_disentanglement", "explicitness"])
    & (found.factor == "all")
    & found.variant.isna()
    | (found.measure == "probe") & (found.facet == "all")
]
columns = ["measure", "factor", "first", "second", "difference", "low", "high", "p", "kind"]
asked[columns].round(3)"""

END = """`report.html` in the folder is the card's page: the same numbers with maps, bars and how
each was computed. `disentone compare` writes such a comparison as a page, too."""

CELLS = (
    ("markdown", INTRO),
    ("code", FEATURES),
    ("markdown", ABOUT_AUDIT),
    ("code", AUDIT),
    ("markdown", ABOUT_PROBES),
    ("code", PROBES),
    ("markdown", ABOUT_MEASURES),
    ("code", MEASURES),
    ("markdown", ABOUT_DIMENSIONS),
    ("code", DIMENSIONS),
    ("markdown", ABOUT_COMPARE),
    ("code", COMPARE),
    ("markdown", END),
)


def main(data: str) -> None:
    """Write the notebook and run it in the folder of the data, so that it holds no other path."""
    import nbformat
    from nbclient import NotebookClient

    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    cells = [make[kind](text) for kind, text in CELLS]
    for index, cell in enumerate(cells):
        cell["id"] = f"cell-{index}"
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    client = NotebookClient(book, timeout=900, resources={"metadata": {"path": data}})
    client.execute()
    for cell in book.cells:
        cell.metadata.clear()  # when each was run
        if cell.cell_type == "code":  # warnings name the folders of this machine
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    out = HERE / "audit_notes.ipynb"
    nbformat.write(book, out)
    print(out.name)


if __name__ == "__main__":
    main(sys.argv[1])
