import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from disentone.audit.measures import explicitness, modularity
from disentone.errors import DataError
from factor_grids import named, on_grid


@pytest.mark.parametrize("code", ["perfect", "dead", "duplicated", "noisy"])
def test_modular_codes_score_one(code, known):
    assert modularity(codes=getattr(known, code), factors=known.factors).value > 0.999


def test_noise_dimensions_count_in_the_paper_only(known):
    found = modularity(codes=known.noisy, factors=known.factors)
    paper = modularity(codes=known.noisy, factors=known.factors, variant="paper")
    assert found.how["active"] == [0, 1, 2]
    assert list(found.each) == ["0", "1", "2"]
    assert paper.value < 0.9 < found.value


def test_a_dimension_of_two_factors_of_three():
    values = on_grid((2, 2, 2), repeats=30)
    a, b, _ = values.T
    both = (2 * a + b)[:, None].astype(float)
    assert modularity(codes=both, factors=named(values)).value == pytest.approx(0.5, abs=0.01)
    two = {"a": a, "b": b}
    assert modularity(codes=both, factors=two).value == pytest.approx(0, abs=0.02)


def test_modularity_of_nothing(known):
    assert modularity(codes=known.noise, factors=known.factors).value == 0
    assert modularity(codes=np.zeros((600, 2)), factors=known.factors).value == 0
    paper = modularity(codes=np.zeros((600, 2)), factors=known.factors, variant="paper")
    assert paper.value == 0
    with pytest.raises(DataError, match="two factors"):
        modularity(codes=known.noise, factors={"a": known.values[:, 0]})


def test_order_and_scale_of_dimensions_do_not_matter(known):
    codes = known.rotated + 0.2 * known.noise
    before = modularity(codes=codes, factors=known.factors).value
    after = modularity(codes=5 * codes[:, [2, 0, 1]], factors=known.factors).value
    assert after == pytest.approx(before, abs=1e-9)


def test_two_classes_are_explicit_however_the_code_is_turned():
    values = on_grid((2, 2), repeats=50)
    turned = values @ [[1, 1], [-1, 1]]
    for codes in (values, turned, np.c_[turned, np.zeros(200)]):
        found = explicitness(codes=codes, factors=named(values))
        assert found.value == pytest.approx(1)
    noise = np.random.default_rng(0).normal(size=(200, 2))
    assert abs(explicitness(codes=noise, factors=named(values)).value) < 0.3
    dead = explicitness(codes=np.zeros((200, 2)), factors=named(values))
    assert dead.value == 0
    raw = explicitness(codes=np.zeros((200, 2)), factors=named(values), variant="raw")
    assert raw.value == 0.5


def test_area_is_that_of_scikit_learn(rng):
    label = rng.integers(2, size=300)
    codes = label[:, None] + rng.normal(size=(300, 2))
    test = np.arange(300) % 2 == 0
    scored = (codes - codes[~test].mean(0)) / codes[~test].std(0)
    model = LogisticRegression().fit(scored[~test], label[~test])
    expected = roc_auc_score(label[test], model.predict_proba(scored[test])[:, 1])
    found = explicitness(codes=codes, factors={"a": label}, test=test, variant="raw")
    assert found.value == pytest.approx(expected, abs=1e-3)


def test_absent_classes_are_left_out():
    values = np.repeat([0, 1, 2], 40)
    codes = np.eye(3)[values]
    test = np.tile([True, False], 60)
    test[80:] = True
    assert explicitness(codes=codes, factors={"a": values}, test=test).value == pytest.approx(1)
    lonely = np.repeat([False, True], [80, 40])
    assert np.isnan(explicitness(codes=codes, factors={"a": values}, test=lonely).value)
