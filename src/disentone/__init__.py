"""disentone learns, audits and searches the facets of sound."""

from __future__ import annotations

__version__ = "0.1.0"
