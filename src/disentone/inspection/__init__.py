"""What is in a collection, before an hour is spent on it."""

from disentone.inspection.inspecting import Inspection, inspect
from disentone.inspection.wording import text

__all__ = ["Inspection", "inspect", "text"]
