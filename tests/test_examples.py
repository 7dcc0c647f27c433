"""The notebook in the examples is what its script says, was run, and names no folder of ours."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"
SCRIPT, BOOK = FOLDER / "audit_notes.py", FOLDER / "audit_notes.ipynb"

if not SCRIPT.exists() or not BOOK.exists():
    pytest.skip("examples are not in this copy", allow_module_level=True)


def test_the_notebook_is_the_one_that_the_script_makes():
    spec = importlib.util.spec_from_file_location("audit_notes", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    cells = json.loads(BOOK.read_text(encoding="utf-8"))["cells"]
    found = [(cell["cell_type"], "".join(cell["source"]).strip()) for cell in cells]
    assert found == [(kind, text.strip()) for kind, text in script.CELLS]
    code_cells = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] for cell in code_cells), "every cell was run and shows something"
    assert BOOK.stat().st_size < 200_000
    assert not re.search(r"/(home|root|tmp|work|Users)/", BOOK.read_text(encoding="utf-8"))
