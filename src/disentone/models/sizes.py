"""How large the layers of a network are, from its configuration alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from disentone.models.config import (
    ConvDecoderConfig,
    ConvEncoderConfig,
    FrameNetworkConfig,
    ModelConfig,
    PatchEncoderConfig,
    TDNNConfig,
)

__all__ = ["largest_layer"]


def largest_layer(config: ModelConfig, *, frames: int, features: int) -> int:
    """Count the numbers in the largest output of a layer for one window.

    At least those of the window. Inception networks pool theirs to a fixed size and are not
    counted, nor are other packages' encoders.

    Parameters
    ----------
    config : ModelConfig
    frames, features : int
        Shape of a window.
    """
    encoder, decoder = config.encoder, config.decoder
    sizes = [frames * features]
    if isinstance(encoder, PatchEncoderConfig):
        sizes.append(math.ceil(frames / encoder.patch) * encoder.width)
    if isinstance(encoder, ConvEncoderConfig):
        sizes += _maps(encoder.channels, frames, features)
    if isinstance(encoder, TDNNConfig):
        steps = [math.ceil(frames / 2**number) for number in range(1, 1 + len(encoder.channels))]
        sizes += [step * channels for step, channels in zip(steps, encoder.channels)]
    if isinstance(decoder, ConvDecoderConfig):  # the mirror of an encoder with these maps
        scale = 2 ** len(decoder.channels)
        sizes += _maps(
            [1, *decoder.channels[:0:-1]],
            scale * math.ceil(frames / scale) * 2,
            scale * math.ceil(features / scale) * 2,
        )
    for network in (encoder, decoder):
        if isinstance(network, FrameNetworkConfig):
            sizes.append(frames * network.width)
    return max(sizes)


def _maps(channels: Sequence[int], frames: int, features: int) -> list[int]:
    """Numbers in each map of convolutions that halve both axes."""
    sizes = []
    for count in channels:
        frames, features = (frames + 1) // 2, (features + 1) // 2
        sizes.append(count * frames * features)
    return sizes
