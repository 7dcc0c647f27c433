"""What is in a collection, before a model is trained on it."""

from disentone.datasets.inspection.commands import proposals_text
from disentone.datasets.inspection.inspecting import Inspection, inspect
from disentone.datasets.inspection.unlabelled import propose
from disentone.datasets.inspection.wording import text

__all__ = ["Inspection", "inspect", "proposals_text", "propose", "text"]
