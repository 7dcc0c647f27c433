"""Which clips are views of each other: relations, copies, and samplers that draw views."""

from disentone.agreement.balance import Alike, Balance
from disentone.agreement.copies import Transform, parse_transform, with_copies
from disentone.agreement.given import TripletSampler
from disentone.agreement.relation import CLIP, RECORDING, Relation
from disentone.agreement.samplers import ViewSampler

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
