"""The page holds what went in, whole, safe, and readable without colour or sight."""

import base64
import io
import math
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from disentone.audit import Card
from disentone.facets import Facets
from disentone.factors import Factor
from disentone.report import ReportInputs, Sound, write_report
from disentone.report.svg import heat_png, log_ticks, number, ticks
from made_up_run import FACETS, OURS, PAPER, RATE, card, embedding, example, sounds
from page_tree import read

HOSTILE = """<script>alert("x")</script>' & </style> {{ 7 * 7 }}"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_report(example(), tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def tree(page):
    return read(page)


def card_of(records, facets=FACETS, factors=None):
    return Card(facets, factors or {}, tuple(records))


def bare(**changes):
    """The least that a report can be made of."""
    least = {
        "title": "bare",
        "facets": FACETS,
        "factors": {},
        "card": card_of([]),
        "embedding": np.zeros((0, 16)),
    }
    return ReportInputs(**(least | changes))


def cell(tree, facet, factor):
    """Text of a cell of the table of scores, found by its headings."""
    table = tree.first("table", class_="scores")
    head, *rows = table.all("tr")
    column = [c.first("small") and c.words.split()[0] for c in list(head.all("th"))[1:]]
    for row in rows:
        if row.first("th").words.startswith(facet):
            return list(row.all("td"))[column.index(factor)]
    raise AssertionError(facet)


def test_nothing_is_fetched_and_nothing_may_be(page, tree):
    for node in tree.all():
        for name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
            address = node.attributes.get(name)
            assert address is None or address.startswith(("data:", "#")), address
        assert "style" not in node.attributes  # the policy would refuse it
        assert not any(name.startswith("on") for name in node.attributes)
    text = page.read_text()
    assert not re.search(r"https?:|url\(|@import|@font-face", text)
    policy = tree.first("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_the_policy_lets_our_own_style_and_script_through(tree):
    import hashlib

    policy = tree.first("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    for tag in ("style", "script"):
        (node,) = tree.all(tag)
        digest = base64.b64encode(hashlib.sha256(node.text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_structure_is_accessible(tree):
    assert len(list(tree.all("h1"))) == 1
    assert tree.first("html").attributes["lang"] == "en"
    ids = [node.attributes["id"] for node in tree.all() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    for node in tree.all("img"):
        assert node.attributes["alt"].strip()
    for node in tree.all("svg"):
        labelled = node.attributes.get("role") == "img" and node.attributes.get("aria-label")
        assert labelled or node.attributes.get("aria-hidden") == "true"
    for table in tree.all("table"):
        assert table.first("caption").words
        assert all(header.attributes.get("scope") for header in table.all("th"))
    labels = [
        n.attributes["aria-labelledby"] for n in tree.all() if "aria-labelledby" in n.attributes
    ]
    links = [node.attributes["href"] for node in tree.all("a")]
    assert set(labels) | {link[1:] for link in links} <= set(ids)
    levels = [int(node.tag[1]) for node in tree.all() if re.fullmatch("h[1-6]", node.tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_scores_are_the_cards(tree):
    for (facet, factor), value in OURS.items():
        text = cell(tree, "all facets" if facet == "all" else facet, factor).words
        assert text.startswith(f"{value:.3f}")
        assert f"{value - 0.012:.3f} to {min(value + 0.01, 1):.3f}" in text
        assert f"chance {0.25 if factor == 'timbre' else 0.05:.2f}" in text
    for (facet, factor), value in PAPER.items():
        text = cell(tree, "all facets" if facet == "both" else facet, factor).words
        assert f"paper {value:.3f}" in text


def test_own_and_leaking_cells_say_so_in_words(tree):
    assert "own" in cell(tree, "shared", "timbre").words.split()
    leak = OURS["shared", "frequency"] - 0.05
    assert f"leak +{leak:.2f}" in cell(tree, "shared", "frequency").words
    assert "own" not in cell(tree, "all facets", "timbre").words.split()


def test_information_is_the_cards_less_its_null(tree):
    heats = {t.first("caption").words: t for t in tree.all("table", class_="heat")}
    assert list(heats) == list(FACETS)
    for record in card()["records"]:
        if record["measure"] != "information":
            continue
        facet = record["facet"].partition("[")[0]
        rows = {row.first("th").words: row for row in list(heats[facet].all("tr"))[1:]}
        shown = [td.words for td in rows[record["factor"]].all("td")]
        net = record["value"] - record.get("chance", 0)
        text = "·" if net < 0.005 else f"{net:.2f}"
        assert shown[record.get("dimension", -1)] == text


def test_players_give_back_the_waveforms_scaled_by_row(tree):
    players = iter(tree.all("audio"))
    for caption, row in sounds():
        decoded = []
        for sound in row:
            player = next(players)
            assert player.attributes["aria-label"] == f"{caption}: {sound.caption}"
            assert "controls" in player.attributes
            decoded.append(decode(player))
        gain = 0.9 / max(np.abs(sound.wave).max() for sound in row)
        for wave, sound in zip(decoded, row):
            np.testing.assert_allclose(wave, sound.wave * gain, atol=2 / 32768)
    assert next(players, None) is None


def decode(player):
    kind, _, content = player.attributes["src"].partition(";base64,")
    wave, rate = soundfile.read(io.BytesIO(base64.b64decode(content)), dtype="float32")
    assert rate == RATE
    assert kind in ("data:audio/wav", "data:audio/flac")
    return wave


def test_many_sounds_are_packed_tighter_and_stay_exact(tmp_path, rng):
    waves = [(0.5 * rng.uniform(-1, 1, 12 * RATE)).astype(np.float32) for _ in range(8)]
    rows = [("long", [Sound(f"{i}", wave, RATE) for i, wave in enumerate(waves)])]
    tree = read(write_report(bare(sounds=rows), tmp_path / "r.html"))
    gain = 0.9 / max(np.abs(wave).max() for wave in waves)
    for player, wave in zip(tree.all("audio"), waves):
        assert player.attributes["src"].startswith("data:audio/flac")
        np.testing.assert_allclose(decode(player), wave * gain, atol=2 / 32768)


def test_every_part_is_there_and_the_file_is_small(page, tree):
    anchors = [section.attributes["id"] for section in tree.all("section")]
    assert anchors == [
        *("scores", "information", "sounds", "maps", "reconstructions"),
        *("traversals", "training", "skipped", "config"),
    ]
    links = [node.attributes["href"] for node in tree.first("nav").all("a")]
    assert links == [f"#{anchor}" for anchor in anchors]
    assert page.stat().st_size < 8e6
    assert "marl-syntone-best" in tree.first("pre").text
    assert "truncated after 0.2 s" in tree.first("section", id="skipped").text


def test_empty_parts_leave_no_section(tmp_path):
    tree = read(write_report(bare(), tmp_path / "r.html"))
    assert list(tree.all("section")) == []
    assert list(tree.all("nav")) == []
    assert tree.first("h1").words == "bare"
    empty = bare(traversals={}, sounds=[("row", [])], config="  ", history=[{"epoch": 1}])
    tree = read(write_report(empty, tmp_path / "r.html"))
    assert list(tree.all("section")) == []


def test_hostile_text_stays_text(tmp_path):
    clips = 60
    points, _ = embedding(clips)
    labels = [HOSTILE if i % 2 else "b" for i in range(clips)]
    mels = np.zeros((1, 4, 8))
    records = [{"measure": m, "facet": "shared", "factor": HOSTILE, "metric": HOSTILE, "value": 0.5}
               for m in ("probe",)] + [
        {"measure": "information", "facet": "shared[0]", "factor": HOSTILE, "value": 1}
    ]  # fmt: skip
    inputs = ReportInputs(
        title=HOSTILE,
        facets=FACETS,
        factors={HOSTILE: Factor.categorical(HOSTILE, labels)},
        card=card_of(records, factors={HOSTILE: {"classes": [HOSTILE]}}),
        embedding=points,
        summary=[HOSTILE],
        config=HOSTILE,
        history=[{f"train/{HOSTILE}": 1.0}],
        reconstructions=(mels, mels, [HOSTILE]),
        traversals={HOSTILE: np.zeros((3, 4, 8))},
        sounds=[(HOSTILE, [Sound(HOSTILE, np.ones(400, np.float32), RATE)])],
        skipped=[(HOSTILE, HOSTILE)],
    )
    path = write_report(inputs, tmp_path / "r.html")
    tree = read(path)
    assert len(list(tree.all("script"))) == 1
    assert "alert" not in tree.first("script").text
    assert len(list(tree.all("style"))) == 1
    for tag in ("h1", "pre", "code"):
        assert HOSTILE in tree.first(tag).text
    for anchor in ("scores", "information", "sounds", "maps", "reconstructions", "traversals"):
        assert HOSTILE in tree.first("section", id=anchor).text
    assert "<script>alert" not in path.read_text()


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf, "0.5", True])
def test_what_is_no_number_is_a_dash(tmp_path, nothing):
    records = [
        {"measure": "probe", "facet": "shared", "factor": "timbre", "metric": "accuracy",
         "value": nothing, "low": nothing, "high": nothing, "chance": nothing, "n": None},
        {"measure": "information", "facet": "shared[2]", "factor": "timbre",
         "value": nothing, "chance": nothing, "null": nothing},
        {"measure": "information", "facet": "gone[0]", "factor": "timbre", "value": 1},
    ]  # fmt: skip
    history = [{"epoch": 1, "train/total": nothing}, {"epoch": 2, "train/total": 1.0}]
    mels = np.full((1, 4, 8), np.nan)
    inputs = bare(
        card=card_of(records),
        history=history,
        own={"shared": ["timbre"]},
        reconstructions=(mels, mels, ["all missing"]),
        traversals={"shared[0]": np.full((3, 4, 8), np.nan)},
        sounds=[("row", [Sound("gaps", np.full(99, np.nan, np.float32), RATE),
                         Sound("none", np.zeros(0, np.float32), RATE)])],
    )  # fmt: skip
    tree = read(write_report(inputs, tmp_path / "r.html"))
    text = cell(tree, "shared", "timbre").words
    assert text.startswith("–")
    assert "chance –" in text
    assert "nan" not in tree.first("main").text.lower()
    assert "inf" not in tree.first("section", id="information").words.replace("information", "")
    assert "no sound" in tree.first("section", id="sounds").text


def test_many_classes_and_many_dimensions(tmp_path, rng):
    clips, facets = 400, Facets({"a": 1, "b": 2, "c": 64})
    names = [f"instrument {i}" for i in range(37)]
    tags = rng.integers(0, 2, (clips, 3)).astype(float)
    factors = {
        "instrument": Factor.categorical("instrument", [names[i % 37] for i in range(clips)]),
        "few": Factor.categorical("few", [None if i % 3 == 0 else i % 2 for i in range(clips)]),
        "tags": Factor("tags", "multilabel", tags, ("p", "q", "r")),
        "bpm": Factor.continuous("bpm", [None, *rng.uniform(1, 900, clips - 1)], unit="bpm"),
        "lost": Factor.continuous("lost", [None] * clips),
    }
    records = [
        {"measure": "information", "facet": f"{facet}[{d}]", "factor": factor, "value": 0.1}
        for facet, size in facets.items()
        for factor in factors
        for d in range(size)
    ]
    points = rng.normal(size=(clips, facets.dim))
    points[3] = np.nan
    inputs = bare(facets=facets, factors=factors, embedding=points, card=card_of(records, facets))
    tree = read(write_report(inputs, tmp_path / "r.html"))
    maps = tree.first("section", id="maps")
    assert len(list(maps.all("svg", class_="plot map"))) == len(facets) * len(factors)
    assert "37 classes" in maps.text
    assert "unknown" in maps.text
    assert "several" in maps.text
    assert "log scale" in maps.text
    assert "its one dimension" in maps.text
    assert "NaN" not in maps.text


def test_constant_facets_have_a_map(tmp_path):
    points = np.zeros((20, 16))
    factors = {"f": Factor.categorical("f", ["a", "b"] * 10)}
    inputs = bare(embedding=points, factors=factors)
    tree = read(write_report(inputs, tmp_path / "r.html"))
    drawn = [p.attributes["d"] for p in tree.first("section", id="maps").all("path")]
    assert not any("nan" in d for d in drawn)


def test_the_first_two_principal_components_are_drawn(rng):
    from disentone.report.maps import flatten

    points = rng.normal(size=(300, 6)) * [5, 3, 1, 0.5, 0.1, 0.1]
    flat = flatten(points)
    weights, axes = np.linalg.eigh(np.cov(points.T))  # another way to the same plane
    expected = (points - points.mean(0)) @ axes[:, :-3:-1]
    np.testing.assert_allclose(np.abs(flat.points), np.abs(expected), atol=1e-8)
    assert f"{weights[-2:].sum() / weights.sum():.0%}" in flat.method
    near = flatten(points, projection="tsne")
    assert near.method == "t-SNE"
    assert np.isfinite(near.points).all()


def test_the_verdict_is_the_cards_unless_another_is_given(tree, tmp_path):
    lead = tree.first("div", class_="lead")
    assert lead.words == Card.from_json(card()).verdict()
    assert "leaks frequency at 0.09 above chance" in lead.words
    tree = read(write_report(example(summary=["One.", "Two."]), tmp_path / "r.html"))
    assert [p.words for p in tree.first("div", class_="lead").all("p")] == ["One.", "Two."]


def test_a_card_that_judges_nothing_is_judged_by_own(tmp_path):
    records = [r for r in card()["records"] if r["measure"] == "probe"]
    unsure = {"measure": "leak", "facet": "shared", "factor": "frequency", "value": 0.02}

    def roles(own, *more):
        inputs = bare(card=card_of([*records, *more]), own=own)
        tree = read(write_report(inputs, tmp_path / "r.html"))
        names = [(facet, factor) for facet, factor in OURS if facet != "all"]
        return {name: cell(tree, *name).attributes.get("class") for name in names}

    own = {"shared": ["timbre"], "private": ["frequency"]}
    expected = {
        ("shared", "timbre"): "own",
        ("private", "frequency"): "own",
        ("shared", "frequency"): "leak",
        ("private", "timbre"): "leak",
    }
    assert roles(own) == expected
    assert set(roles({}).values()) == {None}
    from_card = roles({}, unsure | {"low": -0.01})
    assert from_card["shared", "frequency"] == "leak"
    assert from_card["shared", "timbre"] == "own"
    tree = read(tmp_path / "r.html")
    assert "no clear leak" in cell(tree, "shared", "frequency").words


def test_directional_differences_stand_with_the_facet_that_should_tell(tmp_path):
    probes = [r for r in card()["records"] if r["measure"] == "probe"]
    delta = {"measure": "dsc_delta", "facet": "shared", "factor": "timbre", "metric": "accuracy"}
    delta |= {"value": 0.581, "low": 0.55, "high": 0.61, "other": "private"}
    path = write_report(bare(card=card_of([*probes, delta])), tmp_path / "r.html")
    words = cell(read(path), "shared", "timbre").words
    assert "DSC Δ +0.581 over private (+0.550 to +0.610)" in words
    assert "DSC" not in cell(read(path), "private", "timbre").words
    assert "above 0 is right" in path.read_text(encoding="utf-8")
    plain = write_report(bare(card=card_of(probes)), tmp_path / "p.html")
    assert "DSC" not in plain.read_text(encoding="utf-8")


def test_further_metrics_stand_in_the_cell(tmp_path):
    main, *_ = card()["records"]
    more = main | {"metric": "within", "value": 0.625}
    tree = read(write_report(bare(card=card_of([main, more])), tmp_path / "r.html"))
    text = cell(tree, main["facet"], main["factor"]).words
    assert text.startswith(f"{main['value']:.3f}")
    assert text.endswith("within 0.625")


def test_a_failure_leaves_the_old_report(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    broken = replace(example(), embedding=np.zeros((3, 5)))
    with pytest.raises(Exception, match="5 columns"):
        write_report(broken, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_inputs_give_the_same_page(page, tmp_path):
    again = write_report(example(), tmp_path / "again.html")
    assert again.read_bytes() == page.read_bytes()


def test_png_holds_the_levels(rng):
    from matplotlib import colormaps, image

    values = rng.uniform(-1, 2, (7, 11))
    values[2, 3] = np.nan
    picture = image.imread(io.BytesIO(heat_png(values, 0.0, 1.0)))[..., :3]
    expected = colormaps["magma"](np.clip(values, 0, 1))[..., :3]
    expected[2, 3] = 128 / 255
    np.testing.assert_allclose(picture, expected, atol=0.03)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.50"), (-0.25, "−0.25"), (0, "0.00"), (1e-6, "1.0e−06"), (3e6, "3.0e+06")],
)
def test_numbers_for_people(value, text):
    assert number(value) == text


def test_players_fill_their_lines():
    from disentone.report.sounds import columns

    assert [columns(count) for count in range(1, 11)] == [1, 2, 3, 4, 5, 3, 4, 4, 3, 5]


def test_the_sum_of_the_terms_leads(tmp_path):
    inputs = bare(history=[{"epoch": 0, "train/kl": 1.0, "train/total": 3.0, "valid/kl": 2.0}])
    tree = read(write_report(inputs, tmp_path / "r.html"))
    named = [caption.first("b").words for caption in tree.all("figcaption")]
    assert named == ["total", "kl"]
    assert "train 1 · valid 2" in tree.first("section", id="training").words


def test_ticks_are_round_and_inside():
    assert ticks(0, 1, count=5) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(-3, 7) == [-2, 0, 2, 4, 6]
    assert ticks(5, 5) == [5]
    assert log_ticks(0.01, 1000) == [0.01, 0.1, 1, 10, 100, 1000]
    assert log_ticks(3, 40) == [5, 10, 20]
