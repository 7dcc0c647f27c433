import ast
import subprocess
import sys
from pathlib import Path

import disentone.audit.measures

FOLDER = Path(disentone.audit.measures.__file__).parent
ALLOWED = ("disentone.audit", "disentone.factors", "disentone.errors")


def test_the_measures_know_nothing_of_the_rest_of_disentone():
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert not name.startswith("torch"), path.name
                assert not name.startswith("disentone") or name.startswith(ALLOWED), path.name


def test_torch_is_not_imported():
    code = "import sys, disentone.audit.measures; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
