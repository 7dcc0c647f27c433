"""The two sides of the miner's benchmark find the same triplets."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_both_sides_mine_the_same(monkeypatch):
    pytest.importorskip("pytorch_metric_learning", reason="the peer is not installed")
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    bench = importlib.import_module("triplets")
    codes, labels = bench.data(64)
    found = [
        {tuple(row) for row in zip(*(x.tolist() for x in side(codes, labels)[1]()))}
        for side in (bench.ours, bench.theirs)
    ]
    assert found[0] == found[1]
    assert found[0]
