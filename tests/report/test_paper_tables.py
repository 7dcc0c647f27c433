"""Tables of ours beside the paper's."""

import math

from disentone.report import Figure, write_tables_report
from page_tree import read

PNG = b"\x89PNG\r\n\x1a\n"


def records():
    return [
        {"table": "Table 1", "row": "private", "column": "timbre", "value": 0.5, "low": 0.45,
         "high": 0.55, "paper": 0.7431},
        {"table": "Table 1", "row": "private", "column": "frequency", "value": 0.77, "low": 0.75,
         "high": 0.79, "paper": 0.7663},
        {"table": "Table 1", "row": "shared", "column": "timbre", "value": math.nan, "paper": None},
        {"table": "Ablation", "row": "<b>", "column": "x", "value": 1.0, "note": "30 epochs"},
    ]  # fmt: skip


def test_cells_hold_ours_the_papers_and_the_difference(tmp_path):
    tree = read(write_tables_report("MARL", ["An intro."], records(), [], tmp_path / "t.html"))
    assert tree.first("h1").words == "MARL"
    first, second = tree.all("table")
    rows = [[cell.words for cell in row.all("td")] for row in list(first.all("tr"))[1:]]
    assert rows[0][0] == "0.500 0.450 to 0.550 paper 0.743 −0.243"
    assert rows[0][1] == "0.770 0.750 to 0.790 paper 0.766 +0.004"
    assert rows[1] == ["–", "–"]
    assert [th.words for th in list(second.all("tr"))[1].all("th")] == ["<b>"]
    notes = [item.words for item in tree.all("li")]
    assert any("private, timbre: ours is 0.243 below" in note for note in notes)
    assert any("30 epochs" in note for note in notes)


def test_figures_are_embedded(tmp_path):
    file = tmp_path / "plot.svg"
    file.write_text("<svg></svg>")
    figures = [Figure("Trade-off", PNG, alt="dots"), Figure("Radar", file)]
    tree = read(write_tables_report("t", [], [], figures, tmp_path / "t.html"))
    first, second = tree.all("img")
    assert first.attributes["src"].startswith("data:image/png;base64,")
    assert first.attributes["alt"] == "dots"
    assert second.attributes["src"].startswith("data:image/svg+xml;base64,")
    assert second.attributes["alt"] == "Radar"
    assert [caption.words for caption in tree.all("figcaption")] == ["Trade-off", "Radar"]


def test_an_empty_page_is_a_page(tmp_path):
    tree = read(write_tables_report("t", [], [], [], tmp_path / "t.html"))
    assert list(tree.all("section")) == []
