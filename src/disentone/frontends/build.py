"""Which front-ends there are, and how a configuration becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter

from disentone.frontends.latent import DAC, DACConfig, HFEncoder, HFEncoderConfig
from disentone.frontends.logmel import LogMel, LogMelConfig
from disentone.frontends.musical import Musical, MusicalConfig

__all__ = ["AnyFrontEnd", "FrontEndConfig", "build_frontend", "frontend_config"]

AnyConfig = LogMelConfig | MusicalConfig | DACConfig | HFEncoderConfig
AnyFrontEnd = LogMel | Musical | DAC | HFEncoder


def _log_mel_by_default(values: Any) -> Any:
    if isinstance(values, Mapping) and "kind" not in values:
        return {"kind": "logmel", **values}
    return values


FrontEndConfig = Annotated[
    AnyConfig,
    Field(discriminator="kind"),
    BeforeValidator(_log_mel_by_default),
]


def frontend_config(values: Mapping[str, Any]) -> AnyConfig:
    """Check the values of a front-end, as a model's ``config.json`` holds them."""
    return TypeAdapter(FrontEndConfig).validate_python(values)


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
