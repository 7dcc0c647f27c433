"""Triplets by their definition, one after the other."""

from itertools import product


def naive(distances, positives, negatives, margin, choose="all", fallback=True):
    """The definition, triplet by triplet."""
    d, rows = distances.tolist(), range(len(distances))
    found = set()
    for a, p in product(rows, rows):
        if not positives[a, p]:
            continue
        others = [n for n in rows if negatives[a, n]]
        semi = [n for n in others if d[a][p] < d[a][n] <= d[a][p] + margin]
        harder = [n for n in others if d[a][n] <= d[a][p]]
        if semi and choose == "nearest":
            semi = [min(semi, key=lambda n: d[a][n])]
        if not semi and harder and fallback:
            semi = [max(harder, key=lambda n: (d[a][n], n))]  # the last of equals
        found.update((a, p, n) for n in semi)
    return found
