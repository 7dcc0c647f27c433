"""A time-delay network: convolutions over time, statistics over the frames, a head a facet."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from disentone.errors import RecipeError, closest
from disentone.models.config import TDNNConfig
from disentone.models.dropout import Dropout
from disentone.models.encoders import FullPrecision

__all__ = ["TDNN"]

_LEAST = 1e-5  # variance over time, where the root's slope is still finite


class TDNN(nn.Module):
    """Encode a clip by each facet's own head on the statistics of one trunk.

    Parameters
    ----------
    config : TDNNConfig
    features : int
        Columns of a frame.
    facets : mapping of str to int
        Dimensions of each facet, in the order of the code.
    parts : mapping of str to slice, optional
        Columns of the front-end's inputs: ``level``, of one column, goes to the heads that ask
        for it alone; the trunk sees all others.

    Raises
    ------
    RecipeError
        If a facet that is to see the level does not exist, or the front-end gives no level.
    """

    def __init__(
        self,
        config: TDNNConfig,
        *,
        features: int,
        facets: Mapping[str, int],
        parts: Mapping[str, slice] | None = None,
        **unused: object,
    ) -> None:
        super().__init__()
        self.level = (parts or {}).get("level")
        _check_level(config, facets, self.level)
        layers: list[nn.Module] = []
        before = features - (self.level is not None)
        for channels in config.channels:
            layers += [nn.Conv1d(before, channels, 5, stride=2, padding=2), *_normed(channels)]
            layers += [_Residual(channels) for _ in range(config.depth)]
            before = channels
        self.trunk = nn.Sequential(*layers)
        self.sees_level = [name in config.level for name in facets]
        self.heads = nn.ModuleList(
            nn.Sequential(
                Dropout(config.dropout),
                nn.Linear(3 * before + sees_level, config.width),
                nn.GELU(),
                FullPrecision(config.width, dim),
            )
            for sees_level, dim in zip(self.sees_level, facets.values(), strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, frames, features) to (batch, out)."""
        pooled, level = self.pooled(x), None
        if self.level is not None:
            level = x[:, 0, self.level]  # (batch, 1): it is the same in every frame
        codes = []
        for head, sees_level in zip(self.heads, self.sees_level, strict=True):
            seen = pooled
            if sees_level and level is not None:
                seen = torch.cat([pooled, level.to(pooled.dtype)], dim=1)
            codes.append(head(seen))
        return torch.cat(codes, dim=1)

    def pooled(self, x: Tensor) -> Tensor:
        """Mean, maximum and deviation over time of the trunk's channels: (batch, 3 channels)."""
        if self.level is not None:
            x = torch.cat([x[..., : self.level.start], x[..., self.level.stop :]], dim=-1)
        maps = self.trunk(x.transpose(1, 2))  # (batch, channels, frames)
        deviation = maps.float().var(2, correction=0).add(_LEAST).sqrt()
        return torch.cat([maps.mean(2), maps.amax(2), deviation.to(maps.dtype)], dim=1)


class _Residual(nn.Module):
    """A convolution over time whose result is added to its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(channels, channels, 3, padding=1)
        self.normed = nn.Sequential(*_normed(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.normed(self.convolution(x))


def _normed(channels: int) -> list[nn.Module]:
    """Bring a clip to mean 0 and variance 1 over channels and frames together, then GELU."""
    return [nn.GroupNorm(1, channels), nn.GELU()]


def _check_level(config: TDNNConfig, facets: Mapping[str, int], level: slice | None) -> None:
    for name in config.level:
        if name not in facets:
            raise RecipeError(
                f"There is no facet '{name}' to see the level{closest(name, tuple(facets))}"
            )
    if config.level and level is None:
        raise RecipeError(
            "This front-end gives no level apart, which 'encoder.level' asks for: use the "
            "front-end 'logfreq', or leave 'level' out."
        )
