"""The page of speed: what the records say, and that no other page says such things."""

import importlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STRAY = re.compile(  # a duration of work or a rate, as people write them
    r"\d ?(milliseconds|minutes|CPU-|GFLOP|x real time|x librosa)"
    r"|(took|takes?|in|under|about) [\d.]+ (ms|s|seconds) (on|a run|of work)"
    r"|times (as fast|faster)"
)


@pytest.fixture
def bench(monkeypatch):
    """Modules of the benchmarks, by name."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    return importlib.import_module


@pytest.fixture
def record():
    """One line of a benchmark."""

    def make(name="decode", value=2.0, unit="s", **more):
        return {
            "name": name, "value": value, "unit": unit, "peer": None, "peer_value": None,
            "ratio": None, "limit": None, "limit_value": None, "size": None, "size_unit": None,
            "caps": "none", "threads": 1, "machine": "a processor", "date": "2026-01-02",
        } | more  # fmt: skip

    return make


def cells(text):
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ][2:]


def test_less_time_and_more_speed_are_both_better(bench, record):
    page = bench("speed_page")
    beside = {"peer": "librosa", "limit": "libsndfile"}
    slow = record(value=2.0, unit="s", peer_value=6.0, limit_value=1.0, **beside)
    fast = record(value=20, unit="x real time", peer_value=10, limit_value=40, **beside)
    assert page.line(slow)[3:] == ("2.00 s", "librosa: 6.00", "3.00", "libsndfile: 1.00", "50 %")
    assert page.line(fast)[3:] == (
        "20.0 x real time", "librosa: 10.0", "2.00", "libsndfile: 40.0", "50 %",
    )  # fmt: skip


def test_a_unit_that_says_nothing_is_asked_about(bench, record):
    with pytest.raises(ValueError, match="less or more of 'furlongs' better"):
        bench("speed_page").line(record(unit="furlongs", peer="a horse", peer_value=1.0))


@pytest.mark.parametrize(
    ("value", "text"), [(1234.6, "1,235"), (0.0123456, "0.0123"), (99.96, "100.0"), (0, "0")]
)
def test_numbers_have_three_digits(bench, value, text):
    assert bench("speed_page").number(value) == text


def test_caps_stand_below_each_other_and_sizes_apart(bench, record):
    both = [
        record(name=name, size=size, size_unit="clips", caps=caps)
        for caps in ("none", "AVX2")
        for size in (10, 100)
        for name in ("decode", "a part")
    ]
    rows = cells(bench("speed_page").section(both))
    assert [row[:3] for row in rows] == [
        ["decode", "10 clips", "none"],
        ["", "", "AVX2"],
        ["decode", "100 clips", "none"],
        ["", "", "AVX2"],
        ["a part", "10 clips", "none"],
        ["", "", "AVX2"],
        ["a part", "100 clips", "none"],
        ["", "", "AVX2"],
    ]


def test_growth_is_the_power_of_the_size(bench, record):
    values = [record(size=n, size_unit="clips", value=3.0 * n**2) for n in (10, 100, 1000)]
    assert bench("speed_page").growth(values) == "Growth, as a power of the size: decode (s) 2.00."
    assert bench("speed_page").growth([record()]) == ""


def test_the_page_says_on_what_and_what_is_missing(bench, record):
    page = bench("speed_page").page(
        [("Store", "About it.", [record()]), ("Miner", "Triplets.", [])], caps={"A": "B"}
    )
    assert "Measured on a processor (2026-01-02)" in page
    assert "`A=B`" in page
    assert "## Miner\n\nTriplets.\n\nNot measured yet." in page


def test_every_benchmark_of_the_list_is_there(bench):
    speed = bench("speed")
    named = {b.name for kind in speed.KINDS for b in kind.benchmarks}
    missing = {name for name in named if not (ROOT / "bench" / f"{name}.py").exists()}
    assert not missing


def test_a_benchmark_that_is_not_there_is_named(bench):
    speed = bench("speed")
    assert speed.run(speed.Benchmark("nowhere"), quick=True) == "there is no such file yet"
    with pytest.raises(SystemExit, match=r"No benchmark 'nowhere': choose from .*decode"):
        speed.chosen(["nowhere"], long=False)


def test_results_of_other_ways_stay(bench, tmp_path, monkeypatch, record, capsys):
    timing = bench("timing")
    monkeypatch.setattr(timing, "RESULTS", tmp_path)
    timing.publish("decode", [record(value=1.0)])
    timing.publish("decode", [record(value=2.0, caps="AVX2")])
    timing.publish("decode", [record(value=3.0)])
    kept = json.loads((tmp_path / "decode.json").read_text(encoding="utf-8"))
    assert [(r["caps"], r["value"]) for r in kept] == [("AVX2", 2.0), ("none", 3.0)]
    timing.publish("decode", [record(value=4.0, machine="another")])
    kept = json.loads((tmp_path / "decode.json").read_text(encoding="utf-8"))
    assert [r["value"] for r in kept] == [4.0]


def test_the_page_is_that_of_the_results(bench, tmp_path):
    bench("speed").write_page(tmp_path / "speed.md")
    assert (tmp_path / "speed.md").read_text(encoding="utf-8") == (
        ROOT / "docs" / "speed.md"
    ).read_text(encoding="utf-8"), "write it: python bench/speed.py --page"


def test_no_other_page_has_figures_of_speed():
    pages = [*ROOT.glob("docs/*.md"), ROOT / "CHANGELOG.md"]
    stray = [
        f"{page.name}: {line[:90]}"
        for page in pages
        if page.name != "speed.md"
        for line in page.read_text(encoding="utf-8").splitlines()
        if STRAY.search(line)
    ]
    assert not stray, "say it in docs/speed.md alone"


def test_the_search_for_figures_finds_them():
    for text in (
        "20 minutes (paper)", "8x real time", "took 126 seconds on two cores", "six times faster",
        "68 GFLOP/s", "in 45 s on one thread",
    ):  # fmt: skip
        assert STRAY.search(text), text
    for fine in ("clips of 3 s", "windows of 23 ms", "their first two minutes", "8 facets"):
        assert not STRAY.search(fine), fine
