"""Embeddings of a collection on disk: Parquet, .npz, or .npy with a .csv beside it.

In Parquet every facet is a column of its own. What belongs to no row goes with the file, as JSON:
the facets, which model made them (see :func:`model_id`), and how the clips were cut.
"""

from disentone.embeddings.layout import model_id
from disentone.embeddings.reading import StoredEmbeddings, read_about, read_embeddings

__all__ = ["StoredEmbeddings", "model_id", "read_about", "read_embeddings"]
