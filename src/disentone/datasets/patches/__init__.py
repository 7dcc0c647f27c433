"""Patches: random sounds whose causes are known, in groups that serve as relations of facets."""

from disentone.datasets.patches.config import Patches
from disentone.datasets.patches.table import PatchSounds, patches

__all__ = ["PatchSounds", "Patches", "patches"]
