"""The table in the docs is the one that the measures make."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT, PAGE = ROOT / "examples" / "measures_table.py", ROOT / "docs" / "measures.md"

if not SCRIPT.exists() or not PAGE.exists():
    pytest.skip("examples and docs are not in this copy", allow_module_level=True)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("measures_table", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shown(script):
    table = PAGE.read_text().split(script.OPEN)[1].split(script.CLOSE)[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.strip().split("\n")]
    return {name: cells for name, *cells in rows}


def test_every_measure_is_in_the_docs(script, shown):
    factors = dict(zip("abc", script.grid().T))
    assert set(script.rows_of(factors)) < set(shown)
    assert shown["measure"] == list(script.codes_of(script.grid()))


@pytest.mark.parametrize(
    "name", ["MIG", "MIG-sup", "JEMMIG", "DLIG", "SAP", "modularity", "IRS", "modularity, paper"]
)
def test_the_numbers_are_those_of_today(script, shown, name):
    row = script.rows_of(dict(zip("abc", script.grid().T)))[name]
    for cell, code in zip(shown[name], script.codes_of(script.grid()).values()):
        assert float(cell) == pytest.approx(row(code), abs=0.0051)
