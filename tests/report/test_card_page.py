"""The page of an audit, and of audits side by side."""

import numpy as np
import pytest

from disentone.audit import Card
from disentone.report import measures as measures_section
from disentone.report.comparison import differences_text, write_comparison
from disentone.report.page import CARD, write_report
from made_up_run import example
from page_tree import read


def number(measure, facet, factor, value, **more):
    record = {"measure": measure, "facet": facet, "factor": factor, "metric": "score"}
    record |= {"value": value, "low": value - 0.02, "high": value + 0.01, "chance": 0.125, "n": 900}
    return record | {"split": "test", "bins": 20, "interval": "half-samples"} | more


def with_measures():
    inputs = example(remarks=["Guessed: timbre categorical (4)."], counted="items")
    card = inputs.card.to_json()
    card["factors"] = {n: about | {"entropy": 2.0} for n, about in card["factors"].items()}
    for record in card["records"]:
        if record["measure"] == "information" and "dimension" not in record:
            record["p"] = 0.6 if record["value"] < 0.2 else 0.005
    card["records"] += [
        number("modularity", "all", "all", 0.75, active=7),
        number("mig", "all", "all", 0.5),
        number("mig", "all", "timbre", 0.625),
        number("mig", "all", "all", 0.375, variant="syntone", note="It exchanges them."),
        number("total_correlation", "all", "all", 3.5, metric="nats"),
        number("modularity", "shared[0]", "all", 0.5),
    ]
    card["notes"] = ["Not measured, udr: agreement needs another run."]
    return example(
        card=Card.from_json(card), remarks=inputs.remarks, counted="items", traversals=None
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    path = tmp_path_factory.mktemp("card") / "report.html"
    return read(write_report(with_measures(), path, sections=CARD))


def rows_of(tree, anchor):
    section = tree.first("section", id=anchor)
    return [[cell.words for cell in row.all()] for row in list(section.all("tr"))[1:]]


def test_what_is_no_more_than_chance_is_a_dot(tree):
    cells = list(tree.first("section", id="overview").all("td"))
    texts = [cell.words for cell in cells]
    assert texts == ["·", "100%", "78%", "·"]  # shares of two nats
    assert "no more than chance" in cells[0].attributes["title"]
    assert ["meant" in cell.attributes["class"] for cell in cells] == [False, True, True, False]


def test_every_measure_has_its_numbers_and_its_factors(tree):
    section = tree.first("section", id="measures")
    head, *rows = section.all("tr")
    assert [th.words for th in head.all("th")] == ["Measure", "Value", "Chance", "timbre"]
    names = [row.first("th").words for row in rows]
    assert [name.split(" ")[0] for name in names] == ["MIG", "MIG,", "modularity", "total"]
    value, chance, timbre = rows[0].all("td")
    assert value.words == "0.500 0.480 to 0.510"
    assert (chance.words, timbre.words) == ("0.125", "0.62")
    assert rows[1].attributes["class"] == "variant"
    assert "3.500 nats" in rows[3].words
    assert list(rows[3].all("svg")) == []  # nats have no line from 0 to 1
    notes = [item.words for item in section.all("li")]
    assert notes == [
        "MIG, “syntone”: It exchanges them.",
        "Not measured, udr: agreement needs another run.",
    ]
    assert "7 informative dimensions" in section.first("dl").words


def test_dimensions_are_bars_and_pale_within_chance(tree):
    pictures = list(tree.first("section", id="dimensions").all("svg"))
    assert len(pictures) == 2
    rects = list(pictures[0].all("rect"))
    assert len(rects) == 16
    classes = [rect.attributes["class"] for rect in rects]
    assert set(classes) <= {"b0", "b1", "faint"}
    assert "b1" in classes[8:]
    assert "b1" not in classes[:8]
    heights = [float(rect.attributes["height"]) for rect in rects]
    stories = [rect.first("title").words for rect in rects]
    nats = [float(story.split(": ")[1].split(" ")[0]) for story in stories]
    assert int(np.argmax(heights)) == int(np.argmax(nats))


def test_what_was_guessed_is_at_the_end(tree):
    assert "Guessed: timbre" in tree.first("section", id="data").words
    assert tree.first("dl", class_="facts").first("dt").words == "items"


def test_a_card_without_measures_has_no_such_section():
    assert measures_section.section(example()) is None


def difference(measure, value, second, kind="paired", **more):
    names = {"measure": measure, "facet": "shared", "factor": "timbre", "metric": "accuracy"}
    numbers = {"first": value, "second": second, "difference": second - value}
    spread = {"low": second - value - 0.1, "high": second - value + 0.1, "p": 0.03}
    return names | numbers | spread | {"n": 40, "kind": kind} | more


DIFFERENCES = [
    [
        difference("probe", 0.5, 0.75),
        difference("mig", 0.3, 0.35, "independent", facet="all", factor="all", metric="score"),
    ],
    [difference("probe", 0.5, 0.45)],
]


def test_cards_side_by_side(tmp_path):
    names, verdicts = ["one", "two", "<three>"], ["Says a.", "Says b.", "Says c."]
    tree = read(write_comparison(names, verdicts, DIFFERENCES, tmp_path / "compare.html"))
    head, row = tree.first("section", id="part-1").all("tr")
    assert [th.words for th in head.all("th")][1:] == names
    first, second, third = (cell.words for cell in row.all("td"))
    assert (first, second) == ("0.500", "0.750 +0.250 (+0.150 to +0.350) p 0.030")
    assert third == "0.450 −0.050 (−0.150 to +0.050) p 0.030"
    measure = tree.first("section", id="part-2")
    assert [cell.words for cell in measure.all("td")][1:] == [
        "0.350 ~ +0.050 (−0.050 to +0.150) p 0.030",
        "–",
    ]
    lead = tree.first("div", class_="lead").words
    assert "2 are paired, item by item" in lead
    assert "1 are of independent intervals" in lead


def test_the_same_in_text():
    lines = differences_text(["one", "two", "three"], DIFFERENCES).splitlines()
    probe = next(line for line in lines if "shared → timbre" in line)
    assert probe.split() == ["shared", "→", "timbre", "accuracy", "0.500", "0.750", "(+0.250*)",
                             "0.450", "(-0.050)"]  # fmt: skip
    assert next(line for line in lines if "MIG" in line).split()[-2:] == ["(+0.050~)", "–"]
