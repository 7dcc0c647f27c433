import math
import xml.etree.ElementTree as ET

import pytest

from disentone.report import Figure, write_tables_report
from disentone.report.radar import CENTRE, RADIUS, radar

AXES = ("genre", "mood", "tempo", "key")
OURS = dict(zip(AXES, (1.0, 0.5, 0.25, 0.75)))
SVG = "{http://www.w3.org/2000/svg}"


def drawn(series, **options):
    return ET.fromstring(radar(series, title="Facets", unit="share in order", **options))


def outline(tree, index=0):
    """Points of one system's line."""
    paths = [p for p in tree.iter(f"{SVG}path") if p.get("class") == f"radar-{index}"]
    points = paths[0].get("d").strip("MZ").split("L")
    return [tuple(map(float, point.split())) for point in points], paths[0].get("d")


def test_every_value_is_as_far_from_the_centre_as_it_is_large():
    points, d = outline(drawn({"ours": OURS}))
    for (x, y), (axis, value), turn in zip(points, OURS.items(), range(4)):
        assert math.dist((x, y), CENTRE) == pytest.approx(RADIUS * value, abs=0.1), axis
        angle = math.pi / 2 * turn
        assert x == pytest.approx(CENTRE[0] + RADIUS * value * math.sin(angle), abs=0.1)
        assert y == pytest.approx(CENTRE[1] - RADIUS * value * math.cos(angle), abs=0.1)
    assert d.endswith("Z")


def test_the_scale_may_begin_elsewhere_and_cuts_what_is_beyond():
    points, _ = outline(drawn({"ours": OURS}, low=0.5, high=1.0))
    radii = [math.dist(point, CENTRE) / RADIUS for point in points]
    assert radii == pytest.approx([1, 0, 0, 0.5], abs=0.01)


def test_a_missing_value_leaves_a_gap():
    points, d = outline(drawn({"a": OURS, "b": OURS | {"mood": math.nan}}), index=1)
    assert len(points) == 3
    assert not d.endswith("Z")


def test_all_values_are_in_the_text_for_screen_readers():
    tree = drawn({"ours": OURS, "theirs <b>": dict.fromkeys(AXES, 0.6)}, reference=0.5)
    assert tree.get("role") == "img"
    for words in ("Facets (share in order)", "tempo 0.25", "theirs <b>: genre 0.60"):
        assert words in tree.get("aria-label")
    texts = {text.text for text in tree.iter(f"{SVG}text")}
    assert {*AXES, "ours", "theirs <b>", "rings: share in order"} <= texts
    assert "dashed ring: chance, 0.50" in texts


def test_lines_differ_in_more_than_their_colour():
    tree = drawn(dict.fromkeys("abcd", OURS))
    dashes = [
        next(p for p in tree.iter(f"{SVG}path") if p.get("class") == f"radar-{i}").get(
            "stroke-dasharray"
        )
        for i in range(4)
    ]
    assert len(set(dashes)) == 4


def test_it_stands_in_a_page_in_the_pages_colours(tmp_path):
    figure = Figure("Radar: of facets.", radar({"ours": OURS}, title="Facets", unit="share"))
    record = {"table": "T", "row": "r", "column": "c", "value": 0.5}
    page = write_tables_report("t", [], [record], [figure], tmp_path / "r.html").read_text()
    assert 'class="plot radar"' in page
    assert "<svg" in page
    assert "&lt;svg" not in page
    assert page.count(".radar path.radar-0 { stroke: var(--k0); }") == 1


@pytest.mark.parametrize(
    ("series", "options", "message"),
    [({"a": {"x": 1, "y": 1}}, {}, "three axes"), ({"a": OURS}, {"low": 1.0}, "above its low")],
)
def test_what_is_no_chart_is_refused(series, options, message):
    with pytest.raises(ValueError, match=message):
        drawn(series, **options)
