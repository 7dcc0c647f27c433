"""Encoders: features of a clip to one vector, exchangeable by name.

Every encoder maps (batch, frames, features) to (batch, out); the one of kind ``frames`` keeps the
frames and maps to (batch, frames, out).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from disentone.models.config import ConvEncoderConfig, FrameNetworkConfig, PatchEncoderConfig
from disentone.models.dropout import Dropout

__all__ = ["ConvEncoder", "FullPrecision", "PatchEncoder", "dense", "frame_encoder", "frame_layers"]


PEAK = 2.5
"""Standardised level of loud peaks; amplitudes are relative to it, so that they stay near 1."""

AMPLITUDE = 4.0
"""Weight of the amplitude view beside the decibels, as measured on SynTone."""


def dense(before: int, after: int, dropout: float = 0.0) -> list[nn.Module]:
    """Give the layers of one dense stage: linear, layer normalisation, GELU, dropout."""
    stage: list[nn.Module] = [nn.Linear(before, after), nn.LayerNorm(after), nn.GELU()]
    return [*stage, Dropout(dropout)] if dropout else stage


def frame_layers(
    config: FrameNetworkConfig, *, before: int, out: int, exact: Literal["first", "last"]
) -> nn.Sequential:
    """Give a perceptron on the last axis: (..., before) to (..., out).

    The layer next to the latents, ``exact``, stays in float32 under autocast.
    """
    layers: list[nn.Module] = []
    for _ in range(config.depth):
        layers += dense(before, config.width, config.dropout)
        before = config.width
    layers.append(nn.Linear(before, out))
    place = 0 if exact == "first" else -1
    plain = layers[place]
    assert isinstance(plain, nn.Linear)  # dense stages begin with one
    layers[place] = FullPrecision(plain.in_features, plain.out_features)
    return nn.Sequential(*layers)


def frame_encoder(
    config: FrameNetworkConfig, *, features: int, out: int, **unused: object
) -> nn.Sequential:
    """Give a perceptron on every frame: (batch, frames, features) to (batch, frames, out)."""
    return frame_layers(config, before=features, out=out, exact="last")


class PatchEncoder(nn.Module):
    """Encode all patches of the spectrogram by one network and average them over time."""

    def __init__(
        self, config: PatchEncoderConfig, *, features: int, out: int, **unused: object
    ) -> None:
        super().__init__()
        self.patch, self.contrast = config.patch, config.contrast
        width, sides = config.width, 2 if config.contrast else 1
        layers = dense(sides * config.patch * features, width, config.dropout)
        for _ in range(config.depth - 1):
            layers += dense(width, width, config.dropout)
        self.patches = nn.Sequential(*layers)
        self.head = nn.Sequential(*dense(width, width, config.dropout), FullPrecision(width, out))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, frames, features) to (batch, out)."""
        return self.head(self.pooled(x))

    def pooled(self, x: Tensor) -> Tensor:
        """Mean over time of what the head sees: (batch, width)."""
        if self.contrast:
            amplitude = AMPLITUDE * torch.exp(self.contrast * (x - PEAK).clamp(max=1))
            x = torch.cat([x, amplitude], dim=-1)
        missing = -x.shape[1] % self.patch
        if missing:  # repeat the last frame: zeros would look like sound at the mean level
            x = functional.pad(x.transpose(1, 2), (0, missing), mode="replicate").transpose(1, 2)
        patches = x.reshape(x.shape[0], -1, self.patch * x.shape[2])  # (batch, patches, patch)
        return self.patches(patches).mean(dim=1)


class FullPrecision(nn.Linear):
    """A linear layer that stays in float32 under autocast: latents need more than bfloat16."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., before) to (..., after)."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class ConvEncoder(nn.Module):
    """Convolutions of stride 2 on the spectrogram as a picture, then a dense layer."""

    def __init__(
        self,
        config: ConvEncoderConfig,
        *,
        frames: int,
        features: int,
        out: int,
        **unused: object,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for channels in config.channels:
            layers += [nn.Conv2d(before, channels, 3, stride=2, padding=1), nn.GELU()]
            before = channels
            frames, features = (frames + 1) // 2, (features + 1) // 2
        self.convolutions = nn.Sequential(*layers[:-1])  # the last GELU: see forward
        self.head = nn.Sequential(
            Dropout(config.dropout),
            nn.Linear(before * frames * features, config.width),
            nn.GELU(),
            Dropout(config.dropout),
            FullPrecision(config.width, out),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, frames, features) to (batch, out)."""
        return self.head[-1](self.pooled(x))

    def pooled(self, x: Tensor) -> Tensor:
        """What the last layer sees: (batch, width)."""
        # Channels innermost (see disentone.models.memory_format): torch takes one channel for
        # laid out in either way, and would go on with channels outermost.
        pictures = x.contiguous().unsqueeze(-1).permute(0, 3, 1, 2)
        flat = self.convolutions(pictures).flatten(1)  # channels outermost, and so its gradient:
        return self.head[:-1](
            functional.gelu(flat)
        )  # of a layout unlike its input's it costs tenfold
