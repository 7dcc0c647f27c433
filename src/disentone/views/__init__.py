"""Which clips are views of each other: relations, and samplers that draw views."""

from disentone.views.relations import Relation
from disentone.views.samplers import ViewSampler

__all__ = ["Relation", "ViewSampler"]
