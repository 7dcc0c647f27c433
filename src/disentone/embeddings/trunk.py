"""A trained model, frozen, as the front-end of another: its network sees the sound first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from disentone.frontends.config import TrunkConfig
from disentone.frontends.pretrained import completed, digest
from disentone.models import MultiView

if TYPE_CHECKING:
    from disentone.frontends.protocol import FrontEnd

__all__ = ["Trunk", "network_features"]


class Trunk(nn.Module):
    """Waveforms to what a frozen model makes of them, as one frame a window.

    Parameters
    ----------
    config : TrunkConfig
    network : MultiView
    frontend : FrontEnd
        Of the model.
    mean, std : Tensor
        Of its features.
    lufs : float, optional
        Loudness that its clips were brought to; clips come in at it.

    Raises
    ------
    ArtifactError
        If the model is another one than the configuration demands.
    """

    per_feature = True
    """Activations have no common unit: each is standardised on its own."""

    frames = 1

    def __init__(
        self,
        config: TrunkConfig,
        *,
        network: MultiView,
        frontend: FrontEnd,
        mean: Tensor,
        std: Tensor,
        lufs: float | None,
    ) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.frontend = frontend
        self.mean, self.std = nn.Buffer(mean), nn.Buffer(std)
        about = {
            "facets": network.facets.to_json(),
            "frontend": frontend.config.model_dump(mode="json"),
            "model": network.config.model_dump(mode="json"),
            "lufs": lufs,
        }
        moments = {"mean": mean.tolist(), "std": std.tolist()}
        with torch.no_grad():
            empty = torch.zeros(1, frontend.frames, frontend.features)
            features = network_features(network, empty).shape[1]
        found = {
            "sample_rate": frontend.sample_rate,
            "seconds": frontend.config.seconds,
            "features": features,
            "digest": digest(network, about | moments),
        }
        self.config = completed(config, **found).model_copy(update={"trunk": about})

    @property
    def sample_rate(self) -> int:
        """Rate of the waveforms that the front-end takes, in Hz."""
        return self.frontend.sample_rate

    @property
    def samples(self) -> int:
        """Length of the waveform of one clip."""
        return self.frontend.samples

    @property
    def features(self) -> int:
        """Numbers in the frame."""
        return self.config.features

    @property
    def hop(self) -> int:
        """Samples below which a clip is mostly padding."""
        return getattr(self.frontend, "hop", 0)

    def train(self, mode: bool = True) -> Trunk:
        """Stay in evaluation mode: nothing here is trained."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, wave: Tensor) -> Tensor:
        """Waveforms (batch, samples) to features (batch, 1, features)."""
        standardised = (self.frontend(wave) - self.mean) / self.std
        return network_features(self.network, standardised).float().unsqueeze(1)

    def kept(self) -> dict[str, Tensor]:
        """Tensors that make the model anew with its configuration, as its own file has them."""
        tensors = {f"network.{name}": t for name, t in self.network.state_dict().items()}
        return {**tensors, "standardise.mean": self.mean, "standardise.std": self.std}


def network_features(network: MultiView, x: Tensor) -> Tensor:
    """Embedding of a network, and before it what its last layers see, where its encoder gives it.

    Parameters
    ----------
    network : MultiView
    x : Tensor, shape (batch, frames, features)
        Standardised.

    Returns
    -------
    Tensor, shape (batch, width)
    """
    embedding, _ = network.posterior(x)
    pooled: Any = getattr(network.encoder, "pooled", None)
    return embedding if pooled is None else torch.cat([pooled(x), embedding], dim=-1)
