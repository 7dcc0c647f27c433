"""Print every measure of codes of known quality.

    python examples/measures_table.py                      # prints it
    python examples/measures_table.py docs/measures.md     # puts it between the page's marks

Six codes of the same three factors (4 x 5 x 3 classes, every combination equally often):

- perfect: one dimension a factor;
- rotated: the first two dimensions turned by 45 degrees;
- duplicated: every dimension twice;
- dead: the perfect code and two constant dimensions;
- perfect + noise: the perfect code and three dimensions of normal noise;
- noise: three dimensions of normal noise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from disentone.audit import measures as m

SIZES = (4, 5, 3)
REPEATS = 20
SEED = 0
OPEN, CLOSE = "<!-- table -->", "<!-- end of table -->"

Code = np.ndarray
Row = Callable[[Code], float]


def grid() -> np.ndarray:
    """Classes of three independent factors, shape (clips, 3)."""
    cells = np.indices(SIZES).reshape(len(SIZES), -1).T
    return np.tile(cells, (REPEATS, 1))


def codes_of(values: np.ndarray) -> dict[str, Code]:
    """The six codes of the factors."""
    perfect = (values - values.mean(axis=0)) / values.std(axis=0)
    noise = np.random.default_rng(SEED).normal(size=perfect.shape)
    turn = np.eye(3)
    turn[:2, :2] = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    return {
        "perfect": perfect,
        "rotated": perfect @ turn,
        "duplicated": np.c_[perfect, perfect],
        "dead": np.c_[perfect, np.zeros((len(perfect), 2))],
        "perfect + noise": np.c_[perfect, noise],
        "noise": noise,
    }


def rows_of(factors: dict[str, np.ndarray]) -> dict[str, Row]:
    """Every measure as a function of a code."""
    gaps = {
        "MIG": m.mig,
        "MIG-sup": m.mig_sup,
        "DCIMIG": m.dcimig,
        "JEMMIG": m.jemmig,
        "DMIG": m.dmig,
        "XMIG": m.xmig,
        "DLIG": m.dlig,
        "SAP": m.sap,
        "modularity": m.modularity,
        "explicitness": m.explicitness,
        "IRS": m.irs,
    }
    rows: dict[str, Row] = {name: _scored(measure, factors) for name, measure in gaps.items()}
    rows |= {
        "DCI disentanglement": lambda codes: _dci(codes, factors).disentanglement.value,
        "DCI completeness": lambda codes: _dci(codes, factors).completeness.value,
        "DCI informativeness": lambda codes: _dci(codes, factors).informativeness.value,
        "Z-diff (beta-VAE)": _paired(m.z_diff, m.agreeing_pairs, factors),
        "Z-min variance (FactorVAE)": _paired(m.z_min_variance, m.agreeing_pairs, factors),
        "Z-max variance": _paired(m.z_max_variance, m.changed_pairs, factors),
        "UDR (against the perfect code)": lambda codes: _udr(codes, factors),
        "Gaussian total correlation (nats)": lambda codes: (
            m.gaussian_total_correlation(codes=codes).value
        ),
        "Wasserstein dependency": lambda codes: m.wasserstein_dependency(codes=codes).value,
        "monotonicity (best dimension)": lambda codes: _along(codes, factors, m.monotonicity),
        "smoothness (best dimension)": lambda codes: _along(codes, factors, m.smoothness),
        "MIG, equal-width bins": _scored(m.mig, factors, variant="equal-width"),
        'MIG, "syntone"': _scored(m.mig, factors, variant="syntone"),
        "MIG-sup, paper": _scored(m.mig_sup, factors, variant="paper"),
        "SAP, paper": _scored(m.sap, factors, variant="paper"),
        "modularity, paper": _scored(m.modularity, factors, variant="paper"),
        "explicitness, raw AUC": _scored(m.explicitness, factors, variant="raw"),
        "IRS, weighted": _scored(m.irs, factors, variant="weighted"),
        "DCI disentanglement, impurity": lambda codes: (
            _dci(codes, factors, variant="impurity").disentanglement.value
        ),
    }
    return rows


def blocks_of(codes: Code, factors: dict[str, np.ndarray]) -> dict[str, float]:
    """Measures of two facets: the first dimension, and all the others."""
    facets = {"one": codes[:, :1], "rest": codes[:, 1:]}
    found = m.block_information(facets=facets, factors=factors, permutations=200)
    owns = {"one": ["a"], "rest": ["b", "c"]}
    disentangled, complete = m.block_dci(found, owns=owns)
    return {
        "information of the first facet about a (nats)": float(found.value[0, 0]),
        "the same, p of the permutation test": float(found.p[0, 0]),
        "block MIG": m.block_mig(found).value,
        "block DCI disentanglement": disentangled.value,
        "block DCI completeness": complete.value,
    }


def _scored(
    measure: Callable[..., m.Measured], factors: dict[str, np.ndarray], **options: str
) -> Row:
    return lambda codes: measure(codes=codes, factors=factors, **options).value


def _paired(
    measure: Callable[..., m.Measured],
    pairs: Callable[..., m.Pairs],
    factors: dict[str, np.ndarray],
) -> Row:
    def score(codes: Code) -> float:
        one, two, factor = pairs(factors=factors, clips=len(codes), pairs=1600)
        return measure(first=codes[one], second=codes[two], factor=factor).value

    return score


def _dci(codes: Code, factors: dict[str, np.ndarray], variant: str = "corrected") -> m.DCI:
    return m.dci(codes=codes, factors=factors, variant=variant)


def _udr(codes: Code, factors: dict[str, np.ndarray]) -> float:
    return m.udr(runs=[codes, np.array(list(factors.values())).T]).value


def _along(
    codes: Code, factors: dict[str, np.ndarray], measure: Callable[..., m.Measured]
) -> float:
    """Mean over factors of a measure along the dimension that encodes the factor best."""
    best = m.information_matrix(codes=codes, factors=factors, permutations=0).value.argmax(axis=0)
    curves = [
        m.recorded_traversal(codes=codes[:, [dim]], values=values, steps=10)[0]
        for dim, values in zip(best, factors.values())
    ]
    return measure(traversals=np.array(curves)).value


def table() -> str:
    """Every measure of every code, in Markdown."""
    factors = dict(zip("abc", grid().T))
    codes = codes_of(grid())
    cells = {name: [row(code) for code in codes.values()] for name, row in rows_of(factors).items()}
    blocks = [blocks_of(code, factors) for code in codes.values()]
    cells |= {name: [block[name] for block in blocks] for name in blocks[0]}
    lines = ["| measure | " + " | ".join(codes) + " |", "|---" * (len(codes) + 1) + "|"]
    for name, found in cells.items():
        digits = 3 if "p of" in name else 2
        texts = [f"{round(value, digits) + 0.0:.{digits}f}" for value in found]
        lines.append(f"| {name} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def main(page: str | None = None) -> None:
    """Print the table, or put it between the marks of a page."""
    if page is None:
        print(table())
        return
    path = Path(page)
    before, _, rest = path.read_text(encoding="utf-8").partition(OPEN)
    _, _, after = rest.partition(CLOSE)
    path.write_text(f"{before}{OPEN}\n{table()}\n{CLOSE}{after}", encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main(*sys.argv[1:2])
