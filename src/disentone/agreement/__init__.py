"""What makes clips agree: relations, the pairs and masks they make, and samplers of batches."""

from disentone.agreement.balanced import BalancedSampler
from disentone.agreement.copies import Transform, parse_transform, with_copies
from disentone.agreement.given import GivenTriplets, TripletSampler
from disentone.agreement.pairs import BoundRelation
from disentone.agreement.relation import CLIP, RECORDING, Relation
from disentone.agreement.samplers import Sampler, ViewSampler

__all__ = [
    "CLIP",
    "RECORDING",
    "BalancedSampler",
    "BoundRelation",
    "GivenTriplets",
    "Relation",
    "Sampler",
    "Transform",
    "TripletSampler",
    "ViewSampler",
    "parse_transform",
    "with_copies",
]
