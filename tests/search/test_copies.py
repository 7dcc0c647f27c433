"""Copies: what a loop over all pairs finds, and results folded by it."""

import json

import numpy as np
import pyarrow as pa
import pytest
from made_up_items import FACETS, MODEL, ids, unit

from command_line import call
from disentone.errors import DataError
from disentone.search import Index, copies
from disentone.search.copies import groups

WEIGHTS = dict.fromkeys(FACETS, 1.0)


def naive_groups(vectors, threshold):
    """Connected items, by a loop over pairs until nothing changes."""
    group = list(range(len(vectors)))
    changed = True
    while changed:
        changed = False
        for one in range(len(vectors)):
            for other in range(one):
                if group[one] != group[other] and vectors[one] @ vectors[other] >= threshold:
                    group[one] = group[other] = min(group[one], group[other])
                    changed = True
    found = [
        [n for n in range(len(vectors)) if group[n] == first] for first in dict.fromkeys(group)
    ]
    return [some for some in found if len(some) > 1]


@pytest.mark.parametrize("threshold", [0.9, 0.97, 0.999])
@pytest.mark.parametrize("size", [2, 5])
def test_groups_are_those_of_a_loop_over_pairs(threshold, size, monkeypatch):
    """In few dimensions many are alike, and chains of them are one group."""
    monkeypatch.setattr(copies, "_BLOCK", 7)
    monkeypatch.setattr(copies, "_SAMPLE", 20)
    points = np.random.default_rng(size).standard_normal((60, size)).astype(np.float32)
    points[40:45] = points[3:8]
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    found = groups(lambda some: points[some], len(points), threshold)
    assert [some.tolist() for some in found] == naive_groups(points, threshold)
    assert found


def test_blocks_that_are_far_apart_are_not_multiplied(monkeypatch):
    monkeypatch.setattr(copies, "_BLOCK", 10)
    angles = np.linspace(0, np.pi / 2, 200, dtype=np.float32)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    asked = []
    found = groups(lambda some: asked.append(len(some)) or points[some], 200, 0.99999)
    assert found == []
    assert sum(asked) < 200 * 5  # all pairs of blocks would be 200 * 20 / 2


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Seven takes of a bark, two of which are one recording, and other sounds."""
    rng = np.random.default_rng(0)
    bark = rng.standard_normal(FACETS.dim)
    takes = [bark + 0.01 * rng.standard_normal(FACETS.dim) for _ in range(5)]
    far = [bark + 0.3 * rng.standard_normal(FACETS.dim) for _ in range(2)]
    others = list(rng.standard_normal((20, FACETS.dim)))
    names = [f"bark{n}" for n in range(7)] + [f"other{n}" for n in range(20)]
    items = pa.table(
        {
            "id": names,
            "path": [f"/s/{n}.wav" for n in names],
            "recording": [*names[:6], "bark5", *names[7:]],
        }
    )
    path = tmp_path_factory.mktemp("library") / "my.index"
    vectors = np.array(takes + far + others, np.float32)
    return Index.build(path, vectors=vectors, facets=FACETS, items=items, model=MODEL)


def test_duplicates_are_found_with_how_like_they_are(library):
    (found,) = library.duplicates()
    assert found.ids == ("bark0", "bark1", "bark2", "bark3", "bark4")
    vectors = unit(library.vectors(list(found.ids))) / np.sqrt(len(FACETS))
    assert found.likeness == pytest.approx((vectors @ vectors[0]).min(), abs=1e-5)
    assert library.duplicates(1.0) == []
    with pytest.raises(DataError, match=r"in \(0, 1\]"):
        library.duplicates(1.5)


def test_the_same_vector_is_a_copy_at_any_threshold(tmp_path):
    vectors = np.random.default_rng(1).standard_normal((40, FACETS.dim)).astype(np.float32)
    vectors[30:] = vectors[:10]
    names = [f"i{n}" for n in range(40)]
    items = pa.table({"id": names, "path": names})
    made = Index.build(tmp_path / "i", vectors=vectors, facets=FACETS, items=items, model=MODEL)
    assert [group.ids for group in made.duplicates(1.0)] == [
        (f"i{n}", f"i{n + 30}") for n in range(10)
    ]
    coded = Index.open(tmp_path / "i", memory=0)
    assert coded.duplicates(1.0) == made.duplicates(1.0)


def test_results_fold_into_the_best_of_their_copies(library):
    query = library.query(like=["bark0"])
    plain = query.rank(WEIGHTS, k=26)
    found = query.rank(WEIGHTS, k=26, fold=True)
    barks = [name for name in ids(plain) if name.startswith("bark")]
    same = [name for name in barks if name in ("bark1", "bark2", "bark3", "bark4")]
    one = [name for name in barks if name in ("bark5", "bark6")]
    assert found[0].id == same[0]
    assert sorted(found[0].copies) == sorted(same[1:])
    folded = {hit.id: list(hit.copies) for hit in found if hit.copies}
    assert folded == {same[0]: same[1:], one[0]: one[1:]}
    assert sorted(ids(found) + [name for hit in found for name in hit.copies]) == sorted(ids(plain))
    assert found[0].to_json()["copies"] == same[1:]


def test_as_many_as_asked_for_are_shown(library):
    query = library.query(like=["bark0"])
    assert len(query.rank(WEIGHTS, k=3, fold=True)) == 3
    few = query.rank(WEIGHTS, k=3, fold=True, diversity=0.2)
    assert len({*ids(few)}) == 3


def test_duplicates_of_the_command_line(library):
    done = call("duplicates", library.uri)
    assert done.out.splitlines()[1:] == [f"  bark{n}" for n in range(5)]
    assert float(done.out.splitlines()[0]) == pytest.approx(1, abs=1e-3)
    assert "1 sounds are there more than once, 4 items too many" in done.err
    quiet = call("duplicates", library.uri, "-q")
    assert (quiet.out, quiet.err) == ("\t".join(f"bark{n}" for n in range(5)) + "\n", "")
    (group,) = json.loads(call("duplicates", library.uri, "--json").out)
    assert group["ids"] == [f"bark{n}" for n in range(5)]
    wrong = call("duplicates", library.uri, "--threshold", "2")
    assert (wrong.code, "in (0, 1]" in wrong.err) == (2, True)
    shown = call("search", library.uri, "bark0", "--fold", "-k", "1").out.splitlines()
    assert shown[1].split()[2] == "(+3)"
