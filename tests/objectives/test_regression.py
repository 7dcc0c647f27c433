import pytest
import torch
from model_outputs import FACETS, outputs
from sklearn.linear_model import LinearRegression

from disentone.errors import RecipeError
from disentone.factors import Factor
from disentone.objectives import Objective, Regression, regression

ATTACK = Factor.continuous("attack", [1.0, 3.0, float("nan"), 5.0])
RATE = Factor.continuous("rate", [10.0, 30.0, 20.0, 20.0])
GENRE = Factor.categorical("genre", ["a", "b", "a", "b"])
SAME = Factor.continuous("same", [2.0, 2.0, 2.0, 2.0])
FACTORS = {factor.name: factor for factor in (ATTACK, RATE, GENRE, SAME)}


def run(term, labels):
    out = outputs(labels=labels)
    objective = Objective([term], FACETS, FACTORS)
    return out, objective, objective(out)[0]


def test_is_a_naive_loop_over_what_is_known():
    predicted, values = torch.randn(6, 2), torch.randn(6, 2)
    values[1, 0] = values[4, 1] = values[5, 1] = torch.nan
    means = []
    for factor in range(2):
        errors = [
            float(predicted[row, factor] - values[row, factor]) ** 2
            for row in range(6)
            if not torch.isnan(values[row, factor])
        ]
        means.append(sum(errors) / len(errors))
    assert float(regression(predicted, values)) == pytest.approx(sum(means) / 2, rel=1e-5)


def test_a_factor_that_is_unknown_in_the_batch_does_not_count():
    predicted, values = torch.ones(3, 2), torch.zeros(3, 2)
    values[:, 1] = torch.nan
    assert float(regression(predicted, values)) == 1
    assert float(regression(predicted, torch.full((3, 2), torch.nan))) == 0


def test_values_are_in_units_of_their_deviation_in_training():
    attack, rate = torch.randn(5, 2), 20 + torch.randn(5, 2)
    term = Regression(factors=("attack", "rate"), facet="shared")
    out, objective, value = run(term, {"attack": attack, "rate": rate})
    predicted = objective.learnt["0"](out.mean[..., 3:])
    deviation = ((2**2 + 0 + 2**2) / 3) ** 0.5  # of 1, 3, 5
    errors = [
        (predicted[..., 0] - (attack - 3) / deviation).square().mean(),
        (predicted[..., 1] - (rate - 20) / 50**0.5).square().mean(),
    ]
    torch.testing.assert_close(value, (errors[0] + errors[1]) / 2)


def test_its_head_learns_what_least_squares_finds():
    rate = 20 + 5 * torch.randn(40, 1)
    out = outputs(batch=40, views=1, labels={"rate": rate})
    objective = Objective([Regression(factors=("rate",))], FACETS, FACTORS)
    optimiser = torch.optim.LBFGS(objective.parameters(), max_iter=200)
    fixed = type(out)(**{**vars(out), "mean": out.mean.detach()})

    def closure():
        optimiser.zero_grad()
        loss = objective(fixed)[0]
        loss.backward()
        return loss

    optimiser.step(closure)
    x, y = fixed.mean[:, 0].numpy(), (rate[:, 0].numpy() - 20) / 50**0.5
    best = LinearRegression().fit(x, y)
    residual = ((y - best.predict(x)) ** 2).mean()
    assert float(closure().detach()) == pytest.approx(float(residual), rel=1e-3)


def test_unknown_values_leave_gradients_finite():
    rate = torch.full((5, 2), torch.nan)
    rate[0, 0] = 25
    _, objective, value = run(Regression(factors=("rate",)), {"rate": rate})
    value.backward()
    assert all(torch.isfinite(p.grad).all() for p in objective.parameters())


@pytest.mark.parametrize(
    ("factor", "word"), [("genre", "'classification'"), ("same", "two values")]
)
def test_a_factor_that_will_not_do_is_refused(factor, word):
    with pytest.raises(RecipeError, match=word):
        Objective([Regression(factors=(factor,))], FACETS, FACTORS)
