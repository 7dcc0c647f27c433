"""Patches: random sounds whose causes are known, in groups that serve as relations of facets."""

from disentone.datasets.patches.config import Patches, Recordings
from disentone.datasets.patches.table import PatchSounds, patches
from disentone.datasets.patches.takes import with_takes

__all__ = ["PatchSounds", "Patches", "Recordings", "patches", "with_takes"]
