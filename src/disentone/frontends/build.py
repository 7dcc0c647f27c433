"""Which front-ends there are, and how a configuration becomes one."""

from __future__ import annotations

from disentone.frontends.config import AnyConfig, DACConfig, HFEncoderConfig, MusicalConfig
from disentone.frontends.latent import DAC, HFEncoder
from disentone.frontends.logmel import LogMel
from disentone.frontends.musical import Musical

__all__ = ["AnyFrontEnd", "build_frontend"]

AnyFrontEnd = LogMel | Musical | DAC | HFEncoder
"""A front-end of ours."""


def build_frontend(config: AnyConfig) -> AnyFrontEnd:
    """Build the front-end that a configuration names.

    Parameters
    ----------
    config : LogMelConfig, MusicalConfig, DACConfig or HFEncoderConfig

    Raises
    ------
    ArtifactError
        If pretrained weights are needed and not found, or are not those asked for.
    RecipeError
        If the front-end needs what is not installed, or does not fit its network.
    """
    if isinstance(config, DACConfig):
        return DAC(config)
    if isinstance(config, HFEncoderConfig):
        return HFEncoder(config)
    if isinstance(config, MusicalConfig):
        return Musical(config)
    return LogMel(config)
