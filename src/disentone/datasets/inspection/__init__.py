"""What is in a collection, before a model is trained on it."""

from disentone.datasets.inspection.inspecting import Inspection, inspect
from disentone.datasets.inspection.wording import text

__all__ = ["Inspection", "inspect", "text"]
