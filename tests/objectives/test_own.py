import pytest
import yaml
from pydantic import Field

from disentone.errors import RecipeError
from disentone.objectives import Objective, Term
from disentone.recipes import dump_recipe, load_recipe, parse_recipe
from objectives.model_outputs import outputs


class Sparsity(Term):
    term: str = f"{__name__}:Sparsity"
    facet: str = Field(default="private")

    def named_facets(self):
        return (self.facet,)

    def __call__(self, out, module=None):
        return {"value": out.mean[..., out.facets.slice(self.facet)].abs().mean()}


def recipe(**term):
    values = yaml.safe_load(dump_recipe(load_recipe("debug")))
    return parse_recipe(values | {"objective": [{"term": "reconstruction"}, term]}, name="mine")


def test_a_term_of_ones_own_is_read_written_and_used():
    read = recipe(term=f"{__name__}:Sparsity", facet="shared", weight=2.0)
    assert read.objective[1] == Sparsity(facet="shared", weight=2.0)
    again = parse_recipe(yaml.safe_load(dump_recipe(read)), name="again")
    assert again.objective == read.objective
    out = outputs()
    total, logs = Objective(read.objective[1:], out.facets)(out)
    expected = out.mean[..., out.facets.slice("shared")].abs().mean()
    assert float(logs[f"{__name__}:Sparsity"]) == pytest.approx(float(expected))
    assert float(total.detach()) == pytest.approx(2 * float(expected))


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("nowhere.at_all:Term", "cannot be imported .* set PYTHONPATH"),
        (f"{__name__}:Missing", "has no class 'Missing'"),
        (f"{__name__}:recipe", "has no class 'recipe'"),
        ("sparsity", "there is no term 'sparsity'"),
    ],
)
def test_what_is_no_term_is_refused(place, why):
    with pytest.raises(RecipeError, match=why):
        recipe(term=place)


def test_options_of_a_term_of_ones_own_are_checked():
    with pytest.raises(RecipeError, match="faucet"):
        recipe(term=f"{__name__}:Sparsity", faucet="shared")
