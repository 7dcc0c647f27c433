import itertools
import shlex

import numpy as np
from synthetic_sounds import clip_table, sine

from disentone.datasets.config import CollectionConfig
from disentone.datasets.inspection import inspect, text
from disentone.datasets.inspection.known import find_decided
from disentone.datasets.inspection.possible import find_relations, suggest_facets
from disentone.recipes import load_recipe


def partners(labels, same, differ):
    """Clips with a partner, by comparing all with all."""

    def fits(i, j):
        apart = differ is None or labels[differ][i] != labels[differ][j]
        return i != j and labels[same][i] == labels[same][j] and apart

    clips = range(len(labels[same]))
    return sum(any(fits(i, j) for j in clips) for i in clips)


def test_partners_are_counted_as_by_comparing_all_clips():
    rng = np.random.default_rng(3)
    labels = {
        "instrument": rng.choice(list("abcdefgh"), 20),
        "pitch": rng.choice(list("123456"), 20),
        "recording": np.array([str(n // 3) for n in range(20)]),
    }
    recordings = labels["recording"]
    table = clip_table(recordings=recordings, **{n: labels[n] for n in ("instrument", "pitch")})
    found = {(one.same, one.differ): one.clips for one in find_relations(table, {})}
    pairs = [("recording", None), ("instrument", None), ("pitch", None), ("instrument", "pitch")]
    pairs += [("pitch", "instrument"), ("recording", "pitch"), ("recording", "instrument")]
    assert found == {pair: partners(labels, *pair) for pair in pairs}


def test_only_the_train_split_counts_and_impossible_relations_say_why():
    table = clip_table(
        split=["train"] * 3 + ["test"] * 3,
        instrument=["a", "a", "b", "b", "b", "b"],
        constant=["x"] * 6,
    )
    found = {one.same: one for one in find_relations(table, {}) if one.differ is None}
    assert (found["instrument"].clips, found["instrument"].of) == (2, 3)
    assert found["constant"].clips == 0
    assert "at least two" in found["constant"].reason
    assert found["recording"].clips == 0


def test_facets_are_suggested_from_what_can_be_crossed():
    cells = list(itertools.product(range(4), range(5)))
    table = clip_table(
        instrument=[f"i{i}" for i, _ in cells],
        family=[f"f{i // 2}" for i, _ in cells],
        pitch=[f"p{p}" for _, p in cells],
        take=[str(n % 2) for n in range(20)],
    )
    decided = find_decided(table)
    assert suggest_facets(find_relations(table, decided), decided) == (
        "instrument:8 same=instrument differ=pitch",
        "pitch:8 same=pitch differ=instrument",
        "rest:8",
    )


def test_views_need_not_differ_where_that_costs_clips():
    cells = [*itertools.product(range(2), range(5)), *((0, p) for p in (5, 6))]
    table = clip_table(
        instrument=[f"i{i}" for i, _ in cells] * 2, pitch=[f"p{p}" for _, p in cells] * 2
    )
    found = find_relations(table, {})
    shares = {r.same: r.share for r in found if r.differ in ("instrument", "pitch")}
    assert shares["pitch"] == 20 / 24, "two pitches are of one instrument"
    assert suggest_facets(found, {}) == (
        "instrument:8 same=instrument",
        "pitch:8 same=pitch",
        "rest:8",
    )


def test_without_factors_segments_of_a_recording_are_suggested(put, tmp_path, look):
    for take in range(12):
        put(f"{take}.wav", sine(1.0, frequency=200 + take))
    whole, cut = look(), look(segment=0.25)
    assert whole.facets == ()
    assert "With --segment SECONDS" in text(whole)
    assert cut.facets == ("recording:8 same=recording", "rest:8")
    assert "With --segment SECONDS" not in text(cut)


def test_the_command_to_copy_is_read_back_as_it_was_meant(put, tmp_path):
    folder = "it's 100 $x `y`"
    for instrument, pitch, take in itertools.product("ab", "123", range(4)):
        put(f"{folder}/{instrument}_{pitch}_{take}.wav", sine(1.0, frequency=440 + take))
    path, pattern = str(tmp_path / folder), "{instrument}_{pitch}_{take}.wav"
    config = CollectionConfig(path=path, pattern=pattern, segment=0.5, split="stratified:pitch")
    command = text(inspect(config)).split("To begin with\n")[1]
    words = shlex.split(command.replace("\\\n", ""))
    assert words[:5] == ["disentone", "train", "facets", "--data", path]
    options = list(zip(words[5::2], words[6::2]))
    facets = [value for option, value in options if option == "--facet"]
    assert facets == [
        "instrument:8 same=instrument differ=pitch",
        "pitch:8 same=pitch differ=instrument",
        "rest:8",
    ]
    settings = [value for option, value in options if option == "--set"]
    recipe = load_recipe("facets", settings=settings, data=path, facets=facets)
    assert recipe.data == config
    assert dict(recipe.layout()) == {"instrument": 8, "pitch": 8, "rest": 8}
