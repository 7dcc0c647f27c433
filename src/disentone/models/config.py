"""The network of a recipe: encoder, decoder, and how views are fused.

The networks themselves stand in the other files: these import torch, and a recipe is read and
checked without it. Encoders that are not in the union below, ours or other packages', are entry
points of the group ``disentone.encoders``, each an :class:`EncoderKind`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    WrapValidator,
    model_validator,
)

from disentone.errors import or_plugin

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "ConvDecoderConfig",
    "ConvEncoderConfig",
    "DecoderConfig",
    "DenseDecoderConfig",
    "EncoderConfig",
    "EncoderKind",
    "FrameNetworkConfig",
    "InceptionConfig",
    "ModelConfig",
    "PatchEncoderConfig",
    "TDNNConfig",
]


MOST_WIDTH = 2**16  # units or channels of a layer
MOST_DEPTH = 256  # layers
Channels = tuple[Annotated[int, Field(ge=1, le=MOST_WIDTH)], ...]


class EncoderKind(BaseModel):
    """What the configuration of every encoder is, and those of other packages subclass.

    A subclass adds ``kind`` (a ``Literal`` with its own name as the default), its options, and
    ``builds`` or :meth:`build`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    builds: ClassVar[str]  # "module:Class" of the network, imported when one is built
    framewise: ClassVar[bool] = False  # whether every frame has a code: (batch, frames, out)
    by_facet: ClassVar[bool] = False  # whether it makes a code of each facet by itself

    def build(
        self,
        *,
        frames: int,
        features: int,
        out: int,
        parts: Mapping[str, slice] | None = None,
        facets: Mapping[str, int] | None = None,
    ) -> nn.Module:
        """Make the network from (batch, frames, features), standardised, to (batch, out).

        Parameters
        ----------
        frames, features : int
            Shape of the input of one clip.
        out : int
            Length of the output vector: an embedding, or its means and then log-variances.
        parts : mapping of str to slice, optional
            Columns of each input, where the front-end has several.
        facets : mapping of str to int, optional
            Dimensions of each facet, handed over where ``by_facet``.
        """
        shape = {"frames": frames, "features": features}
        more = {"facets": facets} if self.by_facet else {}
        return pkgutil.resolve_name(self.builds)(self, **shape, out=out, parts=parts, **more)


class PatchEncoderConfig(EncoderKind):
    """A shared network on patches of a few frames: nothing but large matrix products.

    Beside each standardised decibel ``x`` the network sees ``exp(contrast * (x - PEAK))``, which is
    close to linear amplitude: where decibels show the faint parts of a spectrum, amplitude shows
    exactly where its peaks are.
    """

    builds: ClassVar[str] = "disentone.models.encoders:PatchEncoder"

    kind: Literal["patch"] = "patch"
    patch: int = Field(default=4, ge=1, le=2**12, description="frames in a patch")
    width: int = Field(default=256, ge=1, le=MOST_WIDTH)
    depth: int = Field(default=2, ge=1, le=MOST_DEPTH, description="layers on each patch")
    contrast: float = Field(
        default=2.5, ge=0, le=50, description="steepness of the amplitude view; 0: none"
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="for small collections")


class ConvEncoderConfig(EncoderKind):
    """Strided two-dimensional convolutions, in the style of SynTone's networks."""

    builds: ClassVar[str] = "disentone.models.encoders:ConvEncoder"

    kind: Literal["conv"] = "conv"
    channels: Channels = Field(default=(32, 64, 128, 256), min_length=1, max_length=12)
    width: int = Field(default=256, ge=1, le=MOST_WIDTH, description="units of the dense layer")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="for small collections")


class FrameNetworkConfig(EncoderKind):
    """A small network on every frame alone, as for the latents of a codec.

    After LATENT: a multi-layer perceptron whose depth and width the paper leaves open.
    """

    framewise: ClassVar[bool] = True
    builds: ClassVar[str] = "disentone.models.encoders:frame_encoder"

    kind: Literal["frames"] = "frames"
    width: int = Field(default=512, ge=1, le=MOST_WIDTH)
    depth: int = Field(default=1, ge=0, le=MOST_DEPTH, description="hidden layers")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="for small collections")


class InceptionConfig(EncoderKind):
    """Inception blocks, after CSN: a branch for every input of the front-end.

    A front-end with one input, such as mel alone, makes the network of the baseline: a basic
    block of convolution and max-pooling, six Inception blocks, a dense layer, layer
    normalisation. With several inputs each has a branch of a basic block and two Inception
    blocks; the branches' 16 x 16 maps are concatenated, and the other four blocks follow.

    The paper leaves the channels open. Here the first convolution has 64, as GoogLeNet's, and the
    blocks have 128, 128, 128, 128, 256, 256, shared out within a module as in GoogLeNet's
    inception (3a). After the branches time alone is halved, down to a single frame: where in time
    something sounds must not matter, but at which band, lag or pitch class must, and it would be
    lost if the 16 bins were pooled as well.
    """

    builds: ClassVar[str] = "disentone.models.inception:InceptionEncoder"

    kind: Literal["inception"] = "inception"
    width: float = Field(
        default=1.0, gt=0, le=4, description="multiplies all channels; 0.25 suits a CPU"
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="before the dense layer")
    skip: bool = Field(
        default=False,
        description="the dense layer also sees the branches' maps, averaged over time; not in the "
        "paper",
    )
    rotations: int = Field(
        default=0,
        ge=0,
        le=4096,
        description="filters over pitch classes with one response in every key, which the dense "
        "layer also sees; not in the paper",
    )
    layer_norm: bool = Field(default=True, description="layer normalisation of the embedding")


class TDNNConfig(EncoderKind):
    """A time-delay network: convolutions over time, statistics over all frames, a head a facet.

    After D. Snyder et al., "X-Vectors: Robust DNN Embeddings for Speaker Recognition" (2018): the
    bins of a frame are the channels of the first convolution, and mean, maximum and deviation of
    the last one's over time are what the heads see, so that a window of any length will do.
    """

    builds: ClassVar[str] = "disentone.models.tdnn:TDNN"
    by_facet: ClassVar[bool] = True

    kind: Literal["tdnn"] = "tdnn"
    channels: Channels = Field(
        default=(192, 192),
        min_length=1,
        max_length=12,
        description="of each stage, which halves the frames",
    )
    depth: int = Field(default=1, ge=0, le=64, description="residual layers in each stage")
    width: int = Field(default=256, ge=1, le=MOST_WIDTH, description="units of each facet's head")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="of what the heads see")
    level: tuple[str, ...] = Field(
        default=(),
        description="facets whose heads see the level, where the front-end gives it apart; the "
        "others cannot encode it",
    )


_Encoders = (
    PatchEncoderConfig | ConvEncoderConfig | FrameNetworkConfig | InceptionConfig | TDNNConfig
)

EncoderConfig = Annotated[
    SerializeAsAny[Annotated[_Encoders, Field(discriminator="kind")]],
    WrapValidator(or_plugin("encoders", EncoderKind)),
]


class DenseDecoderConfig(BaseModel):
    """Dense layers from the embedding to the whole spectrogram."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["dense"] = "dense"
    widths: Channels = Field(default=(256, 512), min_length=1, max_length=MOST_DEPTH)


class ConvDecoderConfig(BaseModel):
    """Transposed convolutions, the mirror of the convolutional encoder."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["conv"] = "conv"
    channels: Channels = Field(default=(256, 128, 64, 32), min_length=1, max_length=12)
    width: int = Field(default=256, ge=1, le=MOST_WIDTH, description="units of the dense layer")


DecoderConfig = Annotated[
    DenseDecoderConfig | ConvDecoderConfig | FrameNetworkConfig, Field(discriminator="kind")
]


class ModelConfig(BaseModel):
    """Network of a multi-view model."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["multiview"] = "multiview"
    encoder: EncoderConfig = Field(default_factory=PatchEncoderConfig)
    decoder: DecoderConfig | None = Field(
        default_factory=DenseDecoderConfig, description="none where no term looks at what it makes"
    )
    fusion: Literal["poe", "mean", "swap"] = Field(
        default="poe",
        description="product of experts over views; their mean; or decode each view with "
        "another view's code",
    )
    levels: dict[str, Annotated[int, Field(ge=2, le=2**16)]] = Field(
        default_factory=dict,
        description="facets whose code is rounded, to so many levels in each dimension",
    )
    stochastic: bool = Field(
        default=True, description="sample the code in training, or decode the mean"
    )

    pool: dict[str, Literal["mean", "max", "std"]] = Field(
        default_factory=dict,
        description="how the frames of a facet become one vector, where the network encodes frame "
        "by frame; by default their mean. What lasts shows in the mean, events in max and std",
    )

    unit_length: bool = Field(
        default=False,
        description="every facet of a code has length 1: cosine and Euclidean distance give "
        "the same order, and no facet outweighs another",
    )

    @model_validator(mode="after")
    def _agree(self) -> ModelConfig:
        framewise = self.encoder.framewise
        if self.encoder.by_facet and self.gaussian:
            raise ValueError(
                f"an encoder of kind '{getattr(self.encoder, 'kind', '')}' has codes without a "
                "variance: set 'stochastic: false' and 'fusion: mean'"
            )
        if self.decoder is not None and framewise != (self.decoder.kind == "frames"):
            raise ValueError("an encoder of kind 'frames' and a decoder of that kind go together")
        normed = "unit_length" if self.unit_length else None
        if isinstance(self.encoder, InceptionConfig) and self.encoder.layer_norm:
            normed = "encoder.layer_norm"
        if normed and self.gaussian:
            raise ValueError(
                f"'{normed}' is for codes without a variance: set 'stochastic: false' and "
                "'fusion: mean'"
            )
        if self.pool and not framewise:
            raise ValueError("'pool' needs an encoder of kind 'frames': others have no frames")
        return self

    @property
    def gaussian(self) -> bool:
        """Whether the encoder gives a variance beside each mean."""
        return self.stochastic or self.fusion == "poe"
