import pytest
import yaml
from pydantic import Field

from disentone.errors import RecipeError
from disentone.objectives import Objective, Term
from disentone.permissions import allow
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


MARK = "import pathlib; pathlib.Path(__file__).with_suffix('.ran').touch()\n"
TERM = (
    MARK
    + """
from disentone.objectives import Term
class Odd(Term):
    term: str = __name__ + ":Odd"
    def __call__(self, out, module=None):
        return {how}
"""
)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module that Python finds, and give it a name that none had before."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(text):
        file = tmp_path / f"mine_{abs(hash(text))}.py"
        file.write_text(text)
        return file

    return write


def test_code_is_imported_only_where_it_is_allowed(module):
    file = module(TERM.replace("{how}", "{'value': out.mean.sum()}"))
    with pytest.raises(RecipeError, match=rf"'{file.stem}:Odd' would run code .* --allow-code"):
        recipe(term=f"{file.stem}:Odd")
    with allow(download=True), pytest.raises(RecipeError, match="would run code"):
        recipe(term=f"{file.stem}:Odd")
    assert not file.with_suffix(".ran").exists()
    with allow(code=True):
        read = recipe(term=f"{file.stem}:Odd")
    assert file.with_suffix(".ran").exists()
    assert parse_recipe(read.model_dump(), name="imported by then").objective == read.objective


def test_all_that_would_run_is_named_at_once():
    values = yaml.safe_load(dump_recipe(load_recipe("debug")))
    terms = [{"term": "one.of:Mine"}, {"term": "two:Mine"}, {"term": "one.of:Mine"}]
    with pytest.raises(RecipeError, match=r"'mine': 'one.of:Mine', 'two:Mine' would run code"):
        parse_recipe(values | {"objective": terms}, name="mine")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("raise ValueError('no')", r"cannot be imported \(ValueError: no, mine_\d+.py:1\)"),
        ("import sys; sys.exit(3)", r"cannot be imported \(SystemExit: 3"),
        ("raise KeyboardInterrupt", r"cannot be imported \(KeyboardInterrupt"),
        ("def (", r"cannot be imported \(SyntaxError"),
        ("import no_such_thing", "cannot be imported .* set PYTHONPATH"),
    ],
)
def test_a_module_that_breaks_off_is_named_in_a_sentence(module, text, why):
    with allow(code=True), pytest.raises(RecipeError, match=why):
        recipe(term=f"{module(text).stem}:Odd")


@pytest.mark.parametrize(
    ("how", "why"),
    [("1 / 0", r"ZeroDivisionError: .*\.py:\d+"), ("{}", "KeyError: 'value'"), ("3", "TypeError")],
)
def test_a_term_that_cannot_be_computed_is_named_in_a_sentence(module, how, why):
    with allow(code=True):
        read = recipe(term=f"{module(TERM.replace('{how}', how)).stem}:Odd")
    out = outputs()
    with pytest.raises(RecipeError, match=rf"Term 'mine_\d+:Odd' cannot be computed \({why}"):
        Objective(read.objective[1:], out.facets)(out)
