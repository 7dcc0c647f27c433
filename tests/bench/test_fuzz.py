"""Mutated files keep what audio promises; the same code with more of them is bench/fuzz.py."""

import importlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_300_mutants_are_heard_or_refused_within_bounds(monkeypatch, tmp_path):
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)  # of commands that tests called in here
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    fuzz = importlib.import_module("fuzz")
    files, figures, faults = fuzz.campaign(300, 14, tmp_path)
    assert len(files) >= 30  # formats
    assert figures["files"] == 300
    assert figures["heard"] >= 50  # not everything is refused
    assert not faults
