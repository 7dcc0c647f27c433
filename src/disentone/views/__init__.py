"""Which clips are views of each other: relations, copies, and samplers that draw views."""

from disentone.views.augmentation import Transform, parse_transform, with_copies
from disentone.views.balance import Alike, Balance
from disentone.views.given import TripletSampler
from disentone.views.relations import CLIP, RECORDING, Relation
from disentone.views.samplers import ViewSampler

__all__ = [
    "CLIP",
    "RECORDING",
    "Alike",
    "Balance",
    "Relation",
    "Transform",
    "TripletSampler",
    "ViewSampler",
    "parse_transform",
    "with_copies",
]
