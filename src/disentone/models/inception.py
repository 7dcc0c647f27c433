"""The networks of CSN: Inception blocks on one input, or on a branch for each input.

S. Ribecky, J. Abeßer and H. Lukashevich, "Multi-Input Architecture and Disentangled Representation
Learning for Multi-Dimensional Modeling of Music Similarity" (2021), Section 3.2 and Fig. 1; the
modules are those of C. Szegedy et al., "Going Deeper with Convolutions" (2015), Fig. 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from disentone.errors import RecipeError
from disentone.models.config import InceptionConfig
from disentone.models.dropout import Dropout
from disentone.models.memory_format import channels_last

__all__ = ["InceptionEncoder", "InceptionModule"]

MAP = 16
"""Bins and frames of the map in which every branch ends (CSN, Section 3.2)."""

STEM = 64
"""Channels of the first convolution."""

BRANCH = (128, 128)
"""Channels of the two Inception blocks of a branch."""

TRUNK = (128, 128, 256, 256)
"""Channels of the four blocks after the branches; with the two before them there are six.

They halve 16 frames to one."""

SHARES = (64, 96, 128, 16, 32, 32)
"""Channels, of 256, of a module's convolutions: of size 1; 1 and 3; 1 and 5; 1 after the pooling.

They are those of GoogLeNet's first module, inception (3a)."""

CHROMA = "cens"
"""The input whose bins are pitch classes: a transposition rotates them."""

GAIN = 4
"""Of the responses of filters over pitch classes, which are few beside the numbers of the maps."""

MULTIPLE = 4
"""All numbers of channels are multiples of this."""

PITCH_CLASSES = 12  # of the chroma part


class InceptionEncoder(nn.Module):
    """Encode inputs that share a time axis by convolutions over time and their own bins.

    Parameters
    ----------
    config : InceptionConfig
    out : int
        Length of the output vector.
    parts : mapping of str to slice, optional
        Columns of each input in the features, in their order.
    features : int
        Columns of the one input where there are no parts.
    """

    def __init__(
        self,
        config: InceptionConfig,
        *,
        out: int,
        parts: Mapping[str, slice] | None = None,
        features: int = 0,
        **unused: object,
    ) -> None:
        super().__init__()
        parts = parts or {"all": slice(0, features)}
        stem, *widths = (_scaled(n, config.width) for n in (STEM, *BRANCH, *TRUNK))
        branch, trunk = widths[: len(BRANCH)], widths[len(BRANCH) :]
        self.parts = dict(parts)
        branches = {name: Branch(_bins(part), stem, branch) for name, part in parts.items()}
        self.branches = nn.ModuleDict(branches)
        before = sum(branch.channels for branch in branches.values())
        self.trunk, channels = _blocks(before, trunk, stride=(1, 2))
        self.dropout = Dropout(config.dropout)
        self.skip = config.skip
        if config.rotations and CHROMA not in parts:
            raise RecipeError(
                f"model.encoder.rotations are of the input '{CHROMA}': turn it on "
                f"(frontend.inputs.{CHROMA}), or leave them out."
            )
        self.rotations = Rotations(config.rotations) if config.rotations else None
        seen = MAP * (channels + (before if config.skip else 0))
        self.dense = nn.Linear(seen + config.rotations, out)
        self.normalise = nn.LayerNorm(out) if config.layer_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, frames, features) to (batch, out)."""
        maps = [
            branch(x[..., part].transpose(1, 2).unsqueeze(1))  # (batch, channels, 16, 16)
            for part, branch in zip(self.parts.values(), self.branches.values())
        ]
        joined = torch.cat(maps, dim=1)
        flat = self.trunk(joined).flatten(1)  # (batch, channels * 16 bins)
        if self.skip:
            flat = torch.cat([flat, joined.mean(-1).flatten(1)], dim=1)
        with torch.autocast(x.device.type, enabled=False):  # as in FullPrecision
            flat = self.dropout(flat.float())
            if self.rotations is not None:
                turned = self.rotations(x[..., self.parts[CHROMA]].float())
                flat = torch.cat([flat, GAIN * turned], dim=1)
            return self.normalise(self.dense(flat))


class Branch(nn.Module):
    """One input to a 16 x 16 map: a basic block and two Inception blocks.

    The basic block pools to four times the map, and each Inception block halves what is left. An
    input of fewer than 64 bins, such as 12 pitch classes, is zero-padded to 16 bins or pooled to
    them at once, and keeps them.
    """

    def __init__(self, bins: int, stem: int, widths: Sequence[int]) -> None:
        super().__init__()
        halves = bins >= 4 * MAP
        self.padding = max(0, MAP - bins)
        stride = 2 if bins >= 8 * MAP else 1
        self.basic = nn.Sequential(
            nn.Conv2d(1, stem, 5, stride=(stride, 2), padding=2, bias=False),
            nn.AdaptiveMaxPool2d((4 * MAP if halves else MAP, 4 * MAP)),
            *_normalised(stem),  # after the pooling, where there are a quarter of the numbers
        )
        self.blocks, self.channels = _blocks(stem, widths, stride=(2 if halves else 1, 2))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, 1, bins, frames) to (batch, channels, 16, 16)."""
        x = functional.pad(x, (0, 0, 0, self.padding))
        return self.blocks(self.basic(channels_last(x)))


class Rotations(nn.Module):
    """Filters over the pitch classes of a clip, whose response does not change by transposition.

    Each filter is correlated with the twelve rotations of the clip's mean chroma, and its largest
    response is kept: what is the same in all keys, such as the mode, is learnt from all of them at
    once.
    """

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.normalise = nn.LayerNorm(PITCH_CLASSES, elementwise_affine=False)
        self.filters = nn.Conv1d(1, filters, PITCH_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, frames, 12) to (batch, filters)."""
        chroma = self.normalise(x.mean(1)).unsqueeze(1)
        rotated = functional.pad(chroma, (0, PITCH_CLASSES - 1), mode="circular")
        return self.filters(rotated).relu().amax(-1)


class InceptionModule(nn.Module):
    """Convolutions of several sizes and a max-pooling side by side, concatenated.

    Parameters
    ----------
    before, width : int
        Channels that come in, and about how many the convolutions share; ``channels`` come out.
    reduce : bool
        The module with dimension reductions, in which convolutions of size 1 stand before those
        of size 3 and 5 and after the pooling; or the naive one, whose pooling hands on all the
        channels that come in.
    stride : (int, int)
        Of bins and frames.
    """

    def __init__(
        self, before: int, width: int, *, reduce: bool, stride: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__()
        pool = nn.MaxPool2d(3, stride=stride, padding=1)
        point, narrow3, three, narrow5, five, pooled = (_share(n, width) for n in SHARES)
        if reduce:
            paths: list[nn.Module] = [
                _Point(before, point, stride=stride),
                nn.Sequential(
                    _convolution(before, narrow3, 1), _convolution(narrow3, three, 3, stride=stride)
                ),
                nn.Sequential(
                    _convolution(before, narrow5, 1), _convolution(narrow5, five, 5, stride=stride)
                ),
                nn.Sequential(pool, _convolution(before, pooled, 1)),
            ]
        else:
            paths = [
                _Point(before, point, stride=stride),
                _convolution(before, three, 3, stride=stride),
                _convolution(before, five, 5, stride=stride),
                pool,
            ]
        self.channels = point + three + five + (pooled if reduce else before)
        self.paths = nn.ModuleList(paths)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, before, bins, frames) to (batch, channels, ...)."""
        return torch.cat([path(x) for path in self.paths], dim=1)


def _blocks(
    before: int, widths: Sequence[int], *, stride: tuple[int, int]
) -> tuple[nn.Sequential, int]:
    """Inception blocks, each a naive module, which strides, and a dimension-reducing one.

    The naive module has half the channels, as its large convolutions see all that comes in.
    """
    modules = []
    for width in widths:
        naive = InceptionModule(before, width // 2, reduce=False, stride=stride)
        modules += [naive, InceptionModule(naive.channels, width, reduce=True)]
        before = modules[-1].channels
    return nn.Sequential(*modules), before


class _Point(nn.Sequential):
    """A convolution of size 1, normalised, of every so many bins and frames.

    What it strides over is dropped before it: torch's own strided convolution of size 1 crashes
    where channels come last (seen with torch 2.13 on a CPU).
    """

    def __init__(self, before: int, after: int, *, stride: tuple[int, int]) -> None:
        super().__init__(*_convolution(before, after, 1))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        bins, frames = self.stride
        return super().forward(channels_last(x[:, :, ::bins, ::frames]))


def _convolution(
    before: int, after: int, size: int, *, stride: tuple[int, int] = (1, 1)
) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, size, stride=stride, padding=size // 2, bias=False)
    return nn.Sequential(convolution, *_normalised(after))


def _normalised(channels: int) -> list[nn.Module]:
    """Normalise each clip alone, all channels together, as the last maps have but one entry."""
    return [nn.GroupNorm(1, channels), nn.ReLU()]


def _bins(part: slice) -> int:
    return part.stop - part.start


def _scaled(channels: int, width: float) -> int:
    return MULTIPLE * max(1, round(channels * width / MULTIPLE))


def _share(share: int, width: int) -> int:
    return _scaled(share, width / 256)
