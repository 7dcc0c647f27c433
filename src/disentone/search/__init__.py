"""Faceted search: one index on disk, with a weight for each facet in every query.

An item's vector is the concatenation of its L2-normalised facets. A query scales each of its own
facets by a weight, so the inner product is the weighted sum of the facets' cosines, and one index
serves every weighting. The weights are divided by the sum of their magnitudes: a score is the
weighted mean of the cosines.

>>> index = Index.open("my.index")                                        # doctest: +SKIP
>>> query = index.query(like=["piano/c4.wav"])                            # doctest: +SKIP
>>> query.rank({"timbre": 1, "pitch": -0.5}, where="octave = 4", k=10)    # doctest: +SKIP

This package works on arrays and never imports models: :mod:`disentone.embeddings.indexing` and
:mod:`disentone.embeddings.querying` join the two.
"""

from disentone.search.index import Index
from disentone.search.query import OpenQuery
from disentone.search.relocating import relocate
from disentone.search.results import Hit, Results

__all__ = ["Hit", "Index", "OpenQuery", "Results", "relocate"]
