"""Measures of disentanglement: pure functions from codes and factors to numbers."""

from disentone.audit.measures.dependent_gap import dlig, dmig, xmig
from disentone.audit.measures.information_gap import dcimig, jemmig, mig, mig_sup
from disentone.audit.measures.inputs import Factors
from disentone.audit.measures.matrix import InformationMatrix, information_matrix
from disentone.audit.measures.measured import Measured

__all__ = [
    "Factors",
    "InformationMatrix",
    "Measured",
    "dcimig",
    "dlig",
    "dmig",
    "information_matrix",
    "jemmig",
    "mig",
    "mig_sup",
    "xmig",
]
