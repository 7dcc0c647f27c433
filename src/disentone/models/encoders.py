"""Encoders: features of a clip to one vector, exchangeable by name.

Every encoder maps (batch, frames, features) to (batch, out).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ConvEncoderConfig", "EncoderConfig", "PatchEncoderConfig", "build_encoder"]


class PatchEncoderConfig(BaseModel):
    """A shared network on patches of a few frames: nothing but large matrix products."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["patch"] = "patch"
    patch: int = Field(4, ge=1, description="frames in a patch")
    width: int = Field(256, ge=1)
    depth: int = Field(2, ge=0, description="residual blocks on each patch")


class ConvEncoderConfig(BaseModel):
    """Strided two-dimensional convolutions, in the style of SynTone's networks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["conv"] = "conv"
    channels: tuple[int, ...] = Field((32, 64, 128, 256), min_length=1)
    width: int = Field(256, ge=1, description="units of the dense layer")


EncoderConfig = Annotated[PatchEncoderConfig | ConvEncoderConfig, Field(discriminator="kind")]


def build_encoder(config: EncoderConfig, *, frames: int, features: int, out: int) -> nn.Module:
    """Build the encoder that a configuration names.

    Parameters
    ----------
    config : PatchEncoderConfig or ConvEncoderConfig
    frames, features : int
        Shape of the input of one clip.
    out : int
        Length of the output vector.
    """
    if isinstance(config, ConvEncoderConfig):
        return ConvEncoder(config, frames=frames, features=features, out=out)
    return PatchEncoder(config, features=features, out=out)


class ResidualBlock(nn.Module):
    """Pre-normalised residual block of two dense layers: (..., width) to (..., width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add the block's output to its input."""
        return x + self.block(x)


class PatchEncoder(nn.Module):
    """Encode patches of the spectrogram alike and average them over time."""

    def __init__(self, config: PatchEncoderConfig, *, features: int, out: int) -> None:
        super().__init__()
        self.patch = config.patch
        width = config.width
        self.embed = nn.Linear(config.patch * features, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(config.depth)))
        self.head = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, out)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, frames, features) to (batch, out)."""
        missing = -x.shape[1] % self.patch
        if missing:  # repeat the last frame: zeros would look like sound at the mean level
            x = functional.pad(x.transpose(1, 2), (0, missing), mode="replicate").transpose(1, 2)
        patches = x.reshape(x.shape[0], -1, self.patch * x.shape[2])  # (batch, patches, patch)
        return self.head(self.blocks(self.embed(patches)).mean(dim=1))


class ConvEncoder(nn.Module):
    """Convolutions of stride 2 on the spectrogram as a picture, then a dense layer."""

    def __init__(self, config: ConvEncoderConfig, *, frames: int, features: int, out: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for channels in config.channels:
            layers += [nn.Conv2d(before, channels, 3, stride=2, padding=1), nn.GELU()]
            before = channels
            frames, features = (frames + 1) // 2, (features + 1) // 2
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Linear(before * frames * features, config.width),
            nn.GELU(),
            nn.Linear(config.width, out),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, frames, features) to (batch, out)."""
        return self.head(self.convolutions(x.unsqueeze(1)).flatten(1))
