import numpy as np
import pytest
from made_up_items import FACETS, build, unit, vectors

from disentone.errors import DataError
from disentone.search.weights import (
    check_weights,
    inferred,
    mean_cosines,
    parse_pairs,
    parse_weights,
)


def naive_agreement(rows, facet):
    cosines = []
    for i in range(len(rows)):
        for j in range(len(rows)):
            if i != j:
                cosines.append(FACETS.take(rows[i], facet) @ FACETS.take(rows[j], facet))
    return np.mean(cosines)


def test_agreement_is_the_mean_cosine_of_pairs():
    rows = unit(vectors(12, seed=3) + 0.5)
    found = mean_cosines(rows.sum(axis=0), len(rows), FACETS)
    np.testing.assert_allclose(found, [naive_agreement(rows, name) for name in FACETS], atol=1e-12)


def test_weights_are_those_of_the_facets_that_examples_share(tmp_path):
    index = build(tmp_path / "i")
    examples = vectors(3, seed=8)
    examples[:, FACETS.slice("pitch")] = vectors(1, seed=9)[:, FACETS.slice("pitch")]
    weights = index.infer_weights(list(examples))
    everyone = unit(vectors(60))
    shares = {
        name: max(0, (naive_agreement(unit(examples), name) - mean) / (1 - mean))
        for name in FACETS
        for mean in [naive_agreement(everyone, name)]
    }
    assert weights["pitch"] == 1
    assert weights == pytest.approx(
        {name: share / max(shares.values()) for name, share in shares.items()}, abs=1e-5
    )
    assert index.query(like=list(examples)).weights == weights


def test_one_example_or_opposite_ones_share_nothing_special():
    one = unit(vectors(1))
    equal = dict.fromkeys(FACETS, 1.0)
    assert inferred(one, np.zeros(3), FACETS) == equal
    assert inferred(np.concatenate([one, -one]), np.zeros(3), FACETS) == equal
    identical = np.full(3, 1 - 1e-7)  # mean cosines of the whole collection
    assert inferred(np.concatenate([one, one]), identical, FACETS) == equal


def test_weights_are_read_from_text():
    found = parse_weights(" timbre=1, pitch = -0.5", FACETS)
    assert found == {"timbre": 1.0, "pitch": -0.5, "rest": 0.0}
    assert parse_pairs("a=x=y.wav,b=c", "--mix", "") == {"a": "x=y.wav", "b": "c"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("timbre", "must look like 'timbre=1,pitch=1,rest=1'"),
        ("timbre=1,timbre=2", "each name once"),
        ("timbre=loud", "must be a number, not 'loud'"),
        ("timbre=nan", "finite"),
        ("tmbre=1", "no facet 'tmbre' to weigh; did you mean 'timbre'"),
        ("timbre=0,pitch=-0", "Every weight is 0"),
        ("", "must look like"),
    ],
)
def test_weights_that_cannot_be(text, message):
    with pytest.raises(DataError, match=message):
        parse_weights(text, FACETS)


def test_facets_without_a_weight_have_none():
    assert check_weights({"rest": 2}, FACETS) == {"timbre": 0, "pitch": 0, "rest": 2}
