"""The multi-view model: one encoder, facets fused over the views that agree in them, one decoder.

After Wilkins, Ding, Fuentes and Bello, "Self-Supervised Multi-View Learning for Disentangled
Music Audio Representations" (2024), for any number of views and facets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from disentone.errors import RecipeError
from disentone.facets import Facets
from disentone.models.config import ModelConfig
from disentone.models.decoders import build_decoder
from disentone.models.fusion import product_of_experts, with_prior

__all__ = ["Groups", "MultiView", "Outputs"]

Groups = Mapping[str, tuple[int, ...]]
"""For each shared facet, the columns (views) that agree in it."""

LOG_VARIANCE = 12.0
"""Experts' log-variances are kept within plus and minus this, where float32 is exact enough."""


@dataclass(frozen=True)
class Outputs:
    """All inputs of objectives; ``B`` clips, ``V`` views each, ``D`` dimensions.

    ``mean`` and ``log_variance`` are the posteriors of each view alone, before rounding;
    ``posterior_mean``, ``posterior_log_variance`` and ``z`` belong to the views fused. Where the
    network encodes frame by frame, the frames are pooled (see ``ModelConfig.pool``). ``own`` is
    the code of each view alone and ``code`` what was decoded; these keep their frames: (B, V, D)
    becomes (B, V, frames, D). ``labels`` are known factors of the views, -1 or NaN where unknown.
    """

    model: MultiView
    facets: Facets
    groups: Groups
    x: Tensor  # (B, V, frames, features)
    mean: Tensor  # (B, V, D)
    log_variance: Tensor  # (B, V, D)
    posterior_mean: Tensor  # (B, V, D)
    posterior_log_variance: Tensor  # (B, V, D)
    z: Tensor  # (B, V, D)
    own: Tensor  # (B, V, [frames,] D)
    code: Tensor  # (B, V, [frames,] D)
    reconstruction: Tensor  # (B, V, frames, features); empty where no term asked for it
    dataset_size: int
    progress: float = 1.0  # share of training that is done
    labels: Mapping[str, Tensor] = field(default_factory=dict)  # (B, V) or (B, V, labels)


class MultiView(nn.Module):
    """Encode every view, fuse the facets in which they agree, decode every view.

    Parameters
    ----------
    config : ModelConfig
    facets : Facets
    frames, features : int
        Shape of a clip's features; they come in and go out standardised.
    parts : mapping of str to slice, optional
        Columns of each input, where the front-end has several.
    """

    def __init__(
        self,
        config: ModelConfig,
        facets: Facets,
        *,
        frames: int,
        features: int,
        parts: Mapping[str, slice] | None = None,
    ) -> None:
        super().__init__()
        for name in (*config.levels, *config.pool):
            facets.slice(name)  # refuses an unknown facet
        self.config = config
        self.facets = facets
        self.framewise = config.encoder.framewise
        out = facets.dim * (2 if config.gaussian else 1)
        shape = {"frames": frames, "features": features}
        by_facet: dict[str, Any] = {"facets": facets} if config.encoder.by_facet else {}
        self.encoder = config.encoder.build(**shape, out=out, parts=parts, **by_facet)
        self.decoder = config.decoder and build_decoder(config.decoder, dim=facets.dim, **shape)

    def experts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encoder's own mean and log-variance: (..., frames, features) to two (..., D).

        Two (..., frames, D) where the network encodes frame by frame.
        """
        flat = self.encoder(x.flatten(0, -3)).float().unflatten(0, x.shape[:-2])
        if not self.config.gaussian:
            flat = self._of_unit_length(flat) if self.config.unit_length else flat
            return flat, flat.new_full((1,), -LOG_VARIANCE).expand_as(flat)
        mean, log_variance = flat.chunk(2, dim=-1)
        return mean, log_variance.clamp(-LOG_VARIANCE, LOG_VARIANCE)

    def _of_unit_length(self, codes: Tensor) -> Tensor:
        parts = codes.split(list(self.facets.values()), dim=-1)
        return torch.cat([nn.functional.normalize(part, dim=-1) for part in parts], dim=-1)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior of single views: (..., frames, features) to mean and log-variance (..., D).

        The means are the embedding; codes of frames are pooled.
        """
        mean, log_variance = self._alone(self.experts(x))
        return self._pooled(self.rounded(mean)), self._pooled_log(log_variance)

    def frame_codes(self, x: Tensor) -> Tensor:
        """Codes of every frame of single views: (..., frames, features) to (..., frames, D).

        Raises
        ------
        RecipeError
            If the network encodes a clip as a whole.
        """
        self.check_framewise()
        return self.rounded(self._alone(self.experts(x))[0])

    def check_framewise(self) -> None:
        """Refuse a network that encodes a clip as a whole."""
        if not self.framewise:
            raise RecipeError(
                "This model encodes a clip as a whole and has no codes of frames: train one whose "
                "encoder is of kind 'frames'."
            )

    def _pooled(self, values: Tensor) -> Tensor:
        """One vector a clip of the codes of its frames: (..., frames, D) to (..., D)."""
        if not self.framewise:
            return values
        pooled = values.mean(-2)
        for name, how in self.config.pool.items():
            part = self.facets.slice(name)
            frames = values[..., part]
            if how == "max":
                pooled[..., part] = frames.max(-2).values
            elif how == "std":
                variance = frames.var(-2, correction=0)
                pooled[..., part] = torch.sqrt(variance + 1e-8)  # the root's slope stays finite
        return pooled

    def _pooled_log(self, values: Tensor) -> Tensor:
        """Log-variance of the mean of independent frames, from theirs."""
        if not self.framewise:
            return values
        if not self.config.gaussian:  # all equal: see experts
            return values[..., 0, :] - math.log(values.shape[-2])
        return torch.logsumexp(values, -2) - 2 * math.log(values.shape[-2])

    def rounded(self, mean: Tensor) -> Tensor:
        """Round the means of facets with levels; gradients pass as if nothing was rounded.

        Finite scalar quantisation: Mentzer, Minnen, Agustsson and Tschannen, "Finite Scalar
        Quantization: VQ-VAE Made Simple" (2023).
        """
        mean = mean.clone() if self.config.levels else mean
        for name, levels in self.config.levels.items():
            part = self.facets.slice(name)
            half = (levels - 1) / 2  # codes are evenly spaced in [-1, 1]
            nearest = torch.round((mean[..., part] + 1) * half) / half - 1
            mean[..., part] = mean[..., part] + (nearest - mean[..., part]).detach()
        return mean

    def _alone(self, expert: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Posterior of each view before rounding; means of facets with levels in (-1, 1)."""
        mean, log_variance = with_prior(*expert) if self.config.gaussian else expert
        for name in self.config.levels:
            part = self.facets.slice(name)
            mean = torch.cat(
                [mean[..., : part.start], mean[..., part].tanh(), mean[..., part.stop :]], dim=-1
            )
        return mean, log_variance

    def decode(self, code: Tensor) -> Tensor:
        """Features from codes: (..., D), or (..., frames, D), to (..., frames, features).

        Raises
        ------
        RecipeError
            If the model has no decoder.
        """
        if self.decoder is None:
            raise RecipeError("This model has no decoder (its recipe has 'decoder: null').")
        last = -3 if self.framewise else -2
        return self.decoder(code.flatten(0, last)).float().unflatten(0, code.shape[: last + 1])

    def forward(
        self,
        x: Tensor,
        groups: Groups,
        *,
        dataset_size: int,
        progress: float = 1.0,
        decode: bool = True,
    ) -> Outputs:
        """Run views (B, V, frames, features) through the whole model, or its encoder alone."""
        expert = self.experts(x)
        alone = self._alone(expert)
        mean, log_variance = self._fuse(expert, alone, groups)
        mean = self.rounded(mean)
        z = mean
        if self.config.stochastic and self.training:
            noise = self._shared_noise(mean, groups)
            z = mean + noise * torch.exp(0.5 * log_variance)
        code = self.swap(z, groups) if self.config.fusion == "swap" else z
        pooled = self._pooled(mean)
        return Outputs(
            model=self,
            facets=self.facets,
            groups=groups,
            x=x,
            mean=self._pooled(alone[0]),
            log_variance=self._pooled_log(alone[1]),
            posterior_mean=pooled,
            posterior_log_variance=self._pooled_log(log_variance),
            z=pooled if z is mean else self._pooled(z),
            own=self.rounded(alone[0]),
            code=code,
            reconstruction=self.decode(code) if decode else x.new_empty(0),
            dataset_size=dataset_size,
            progress=progress,
        )

    def _fuse(
        self, expert: tuple[Tensor, Tensor], alone: tuple[Tensor, Tensor], groups: Groups
    ) -> tuple[Tensor, Tensor]:
        """Replace the posteriors of agreeing views by the fused one, in the shape they came in."""
        if self.config.fusion == "swap":
            return alone
        mean = alone[0].clone()
        log_variance = alone[1].clone() if self.config.gaussian else alone[1]
        for name, columns in groups.items():
            part, views = self.facets.slice(name), _index(columns)
            if self.config.fusion == "poe":
                fused = product_of_experts(
                    expert[0][:, views, ..., part], expert[1][:, views, ..., part], dim=1
                )
            else:
                fused = tuple(x[:, views, ..., part].mean(1) for x in alone)
            mean[:, views, ..., part] = fused[0].unsqueeze(1)
            if self.config.gaussian:  # else all log-variances are equal
                log_variance[:, views, ..., part] = fused[1].unsqueeze(1)
        return mean, log_variance

    def _shared_noise(self, like: Tensor, groups: Groups) -> Tensor:
        """Draw one noise for all the views of a fused facet, so that they decode the same z."""
        noise = torch.randn_like(like)
        if self.config.fusion != "swap":
            for name, columns in groups.items():
                part = self.facets.slice(name)
                noise[:, _index(columns), ..., part] = noise[:, columns[:1], ..., part]
        return noise

    def swap(self, z: Tensor, groups: Groups) -> Tensor:
        """Give every view (B, V, ...) the shared code of the next view that agrees with it."""
        code = z.clone()
        for name, columns in groups.items():
            part = self.facets.slice(name)
            code[:, _index(columns), ..., part] = z[:, [*columns[1:], columns[0]], ..., part]
        return code


def _index(columns: tuple[int, ...]) -> slice | list[int]:
    """Index of columns: a slice where they are neighbours, as it is a view and a list a copy."""
    first, last = columns[0], columns[-1]
    if columns == tuple(range(first, last + 1)):
        return slice(first, last + 1)
    return list(columns)
