"""Tables that were handed in, with the clips that are right."""

from pathlib import Path

import pytest

from disentone.datasets.tables import read_table

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


@pytest.mark.parametrize(
    ("case", "factors", "ends"),
    [
        ("04-pandas-index-column/pandas_index.csv", {"label", "tempo"}, None),
        ("05-start-end-table/events.csv", {"label"}, [2, 4, 6, 8]),
        ("06-csv-trailing-commas/trail2.csv", {"label", "tempo"}, None),
        ("06-csv-trailing-commas/rowtrail.csv", {"label", "tempo"}, None),
    ],
)
def test_the_clips_of_a_handed_table(case, factors, ends):
    if not (CASES / case).is_file():
        pytest.skip(f"the handed cases are not beside the checkout ({case} is missing)")
    table = read_table(CASES / case).table
    assert len(table) == 4
    assert set(table.factors) == factors
    if ends:
        assert (table.sounds.start + table.sounds.seconds).tolist() == ends
