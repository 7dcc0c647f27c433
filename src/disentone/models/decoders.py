"""Decoders: an embedding to the features of a clip, exchangeable by name.

Every decoder maps (batch, dim) to (batch, frames, features); the one of kind ``frames`` takes a
code for every frame, (batch, frames, dim).
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from disentone.models.config import (
    ConvDecoderConfig,
    DecoderConfig,
    DenseDecoderConfig,
    FrameNetworkConfig,
)
from disentone.models.encoders import FullPrecision, frame_layers
from disentone.models.memory_format import channels_last

__all__ = ["build_decoder"]


def build_decoder(config: DecoderConfig, *, dim: int, frames: int, features: int) -> nn.Module:
    """Build the decoder that a configuration names.

    Parameters
    ----------
    config : DenseDecoderConfig, ConvDecoderConfig or FrameNetworkConfig
    dim : int
        Length of the embedding.
    frames, features : int
        Shape of the output of one clip.
    """
    if isinstance(config, FrameNetworkConfig):
        return frame_layers(config, before=dim, out=features, exact="first")
    if isinstance(config, ConvDecoderConfig):
        return ConvDecoder(config, dim=dim, frames=frames, features=features)
    return DenseDecoder(config, dim=dim, frames=frames, features=features)


class DenseDecoder(nn.Module):
    """Dense layers with layer normalisation and GELU, the last one linear."""

    def __init__(self, config: DenseDecoderConfig, *, dim: int, frames: int, features: int) -> None:
        super().__init__()
        self.shape = (frames, features)
        layers: list[nn.Module] = []
        before = dim
        for width in config.widths:
            linear = nn.Linear if layers else FullPrecision  # the latents come in exactly
            layers += [linear(before, width), nn.LayerNorm(width), nn.GELU()]
            before = width
        self.layers = nn.Sequential(*layers, nn.Linear(before, frames * features))

    def forward(self, z: Tensor) -> Tensor:
        """Map (batch, dim) to (batch, frames, features)."""
        return self.layers(z).unflatten(-1, self.shape)


class ConvDecoder(nn.Module):
    """A dense layer to a small map, doubled by transposed convolutions and cropped to size."""

    def __init__(self, config: ConvDecoderConfig, *, dim: int, frames: int, features: int) -> None:
        super().__init__()
        self.shape = (frames, features)
        scale = 2 ** len(config.channels)
        self.small = (config.channels[0], math.ceil(frames / scale), math.ceil(features / scale))
        self.dense = nn.Sequential(
            FullPrecision(dim, config.width),
            nn.GELU(),
            nn.Linear(config.width, math.prod(self.small)),
            nn.GELU(),
        )
        layers: list[nn.Module] = []
        for before, after in zip(config.channels, (*config.channels[1:], 1)):
            layers += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1), nn.GELU()]
        self.convolutions = nn.Sequential(*layers[:-1])  # the output is linear

    def forward(self, z: Tensor) -> Tensor:
        """Map (batch, dim) to (batch, frames, features)."""
        picture = self.convolutions(channels_last(self.dense(z).unflatten(-1, self.small))).squeeze(
            1
        )
        return picture[:, : self.shape[0], : self.shape[1]]
