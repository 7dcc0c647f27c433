"""What is in a collection, before an hour is spent on it."""

from disentone.datasets.inspection.inspecting import Inspection, inspect
from disentone.datasets.inspection.wording import text

__all__ = ["Inspection", "inspect", "text"]
