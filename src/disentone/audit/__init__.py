"""The audit: how well each facet of an embedding predicts each factor, on plain arrays."""

from disentone.audit.auditing import audit
from disentone.audit.binning import (
    class_codes,
    equal_width_codes,
    equal_width_edges,
    quantile_codes,
)
from disentone.audit.card import Card
from disentone.audit.comparing import compare
from disentone.audit.directional import dsc_delta
from disentone.audit.information import (
    Information,
    dimension_information,
    entropy,
    mutual_information,
)
from disentone.audit.outcomes import Outcomes
from disentone.audit.probes import Probe, fit_probe
from disentone.audit.registry import MEASURES, VARIANTS
from disentone.audit.retrieval import retrieval_scores
from disentone.audit.scores import (
    Estimate,
    Scores,
    class_scores,
    label_scores,
    mean_average_precision,
    within_scores,
)
from disentone.audit.targets import Target, make_target
from disentone.audit.triplets import facet_subsets, triplet_scores

__all__ = [
    "MEASURES",
    "VARIANTS",
    "Card",
    "Estimate",
    "Information",
    "Outcomes",
    "Probe",
    "Scores",
    "Target",
    "audit",
    "class_codes",
    "class_scores",
    "compare",
    "dimension_information",
    "dsc_delta",
    "entropy",
    "equal_width_codes",
    "equal_width_edges",
    "facet_subsets",
    "fit_probe",
    "label_scores",
    "make_target",
    "mean_average_precision",
    "mutual_information",
    "quantile_codes",
    "retrieval_scores",
    "triplet_scores",
    "within_scores",
]
