import csv
import subprocess
import sys

from disentone.audio import Skipped
from disentone.datasets.skipped import write_skipped


def test_any_name_and_reason_is_read_back(tmp_path):
    skipped = [
        Skipped('a, "b"\nc.wav', "The file is empty (0 bytes)."),
        Skipped("🎻.wav", "silent, or so"),
    ]
    write_skipped(tmp_path / "skipped.csv", skipped)
    with (tmp_path / "skipped.csv").open(encoding="utf-8", newline="") as file:
        rows = [Skipped(**row) for row in csv.DictReader(file)]
    assert rows == skipped


def test_embedding_does_not_import_what_training_needs():
    code = "import sys, disentone.embeddings.collection; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    slow = {"disentone.runs.training", "disentone.runs.loop", "sklearn", "scipy", "pyarrow.dataset"}
    assert not slow & set(done.stdout.split())
