"""Measures of disentanglement: pure functions from codes and factors to numbers."""

from disentone.audit.measures.attributes import monotonicity, recorded_traversal, smoothness
from disentone.audit.measures.between_facets import block_dci, block_mig
from disentone.audit.measures.between_runs import udr
from disentone.audit.measures.blocks import (
    BlockInformation,
    FacetTest,
    block_information,
    facet_permutation_test,
)
from disentone.audit.measures.dci import DCI, completeness_of, dci, disentanglement_of
from disentone.audit.measures.dependence import gaussian_total_correlation, wasserstein_dependency
from disentone.audit.measures.dependent_gap import dlig, dmig, xmig
from disentone.audit.measures.information_gap import dcimig, jemmig, mig, mig_sup
from disentone.audit.measures.inputs import Factors
from disentone.audit.measures.interventional import (
    Pairs,
    agreeing_pairs,
    changed_pairs,
    z_diff,
    z_max_variance,
    z_min_variance,
)
from disentone.audit.measures.matrix import InformationMatrix, information_matrix
from disentone.audit.measures.measured import Measure, Measured
from disentone.audit.measures.modularity import explicitness, modularity
from disentone.audit.measures.resampling import estimated
from disentone.audit.measures.robustness import irs
from disentone.audit.measures.separation import sap

__all__ = [
    "DCI",
    "BlockInformation",
    "FacetTest",
    "Factors",
    "InformationMatrix",
    "Measure",
    "Measured",
    "Pairs",
    "agreeing_pairs",
    "block_dci",
    "block_information",
    "block_mig",
    "changed_pairs",
    "completeness_of",
    "dci",
    "dcimig",
    "disentanglement_of",
    "dlig",
    "dmig",
    "estimated",
    "explicitness",
    "facet_permutation_test",
    "gaussian_total_correlation",
    "information_matrix",
    "irs",
    "jemmig",
    "mig",
    "mig_sup",
    "modularity",
    "monotonicity",
    "recorded_traversal",
    "sap",
    "smoothness",
    "udr",
    "wasserstein_dependency",
    "xmig",
    "z_diff",
    "z_max_variance",
    "z_min_variance",
]
