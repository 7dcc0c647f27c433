"""Latents of pretrained networks as features: neural codecs and audio encoders."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from disentone.errors import RecipeError
from disentone.frontends.config import DACConfig, HFEncoderConfig
from disentone.frontends.pretrained import completed, digest, open_pretrained

__all__ = ["DAC", "HFEncoder", "Latent"]

_CODECS = ("dac", "encodec")
_AST = "audio-spectrogram-transformer"
_CLAP = ("clap", "clap_audio_model")
_BATCH_SAMPLES = {"cpu": 2**19, "cuda": 2**22}  # DAC needs about 1 KB of memory for each


class Latent(nn.Module, ABC):
    """A front-end with pretrained weights; its ``config`` is complete, with their digest.

    Shape
    -----
    Input (batch, samples), float32; output (batch, frames, features), float32, rounded to what
    float16 holds where so configured: a clip has the same features whether they come
    from a store or not. Every clip is zero-padded to ``samples``, so a clip's last frames do not
    depend on what else is in its batch.
    """

    per_feature = True
    """Latents have no common unit: each feature is standardised on its own."""

    network: nn.Module
    config: Any
    frames: int
    hop: int  # samples to a frame

    @property
    def sample_rate(self) -> int:
        """Rate of the waveforms that the front-end takes, in Hz."""
        return self.config.sample_rate

    @property
    def samples(self) -> int:
        """Length of the waveform of one clip."""
        return max(1, round(self.config.seconds * self.sample_rate))

    @property
    def features(self) -> int:
        """Numbers in a frame."""
        return self.config.features

    @property
    def dtype(self) -> str:
        """Precision in which a store keeps the features."""
        return self.config.dtype

    @property
    def batch_samples(self) -> int:
        """Samples that may go through the network at once, in clips of whatever length."""
        kind = next(self.network.parameters()).device.type
        return _BATCH_SAMPLES.get(kind, _BATCH_SAMPLES["cpu"])

    def train(self, mode: bool = True) -> Latent:
        """Stay in evaluation mode: nothing here is trained."""
        return super().train(False)

    def forward(self, wave: Tensor) -> Tensor:
        """Waveforms (batch, samples) to features (batch, frames, features)."""
        with torch.no_grad():
            out = self.latents(wave).float()
        return out.half().float() if self.dtype == "float16" else out

    @abstractmethod
    def latents(self, wave: Tensor) -> Tensor:
        """Waveforms (batch, samples) to frames as the network gives them."""


class DAC(Latent):
    """Descript Audio Codec up to its quantiser.

    Clips are padded with zeros to a whole number of hops, as by the codec's own feature
    extractor: 10 s at 44.1 kHz are 862 frames, and what is shorter than a hop is one.

    Parameters
    ----------
    config : DACConfig

    Raises
    ------
    ArtifactError
        If there is no such codec, or its rate, width or weights are not those asked for.
    RecipeError
        If the model is no DAC, or ``transformers`` is not installed.
    """

    def __init__(self, config: DACConfig) -> None:
        super().__init__()
        codec = open_pretrained(config.model).network
        about = codec.config
        if about.model_type != "dac":
            raise RecipeError(
                f"'{config.model}' is no DAC but of the kind '{about.model_type}': "
                "set frontend.kind=encoder."
            )
        self.network, self.hop = codec.encoder, int(about.hop_length)
        self.config = completed(
            config,
            sample_rate=about.sampling_rate,
            features=about.hidden_size,
            digest=digest(codec.encoder),  # strides show in the shapes of the weights
        )
        self.frames = math.ceil(self.samples / self.hop)

    def latents(self, wave: Tensor) -> Tensor:
        """Waveforms (batch, samples) to frames (batch, frames, features)."""
        return self.network(_to_hops(wave, self.hop)).transpose(1, 2)


class HFEncoder(Latent):
    """Frames of a Hugging Face audio encoder.

    Clips go through the encoder's own feature extractor. Encoders with a fixed window, as AST
    does, give the frames of the clip and not those of the padding behind it.

    Parameters
    ----------
    config : HFEncoderConfig

    Raises
    ------
    ArtifactError
        If there is no such encoder, or its rate, width or weights are not those asked for.
    RecipeError
        If it is no encoder of audio, has no such layer, or takes no clips of this length, or if
        ``transformers`` is not installed.
    """

    def __init__(self, config: HFEncoderConfig) -> None:
        super().__init__()
        opened = open_pretrained(config.model)
        self.about = about = opened.network.config
        self.kind = about.model_type
        self.extractor = opened.extractor
        rate = getattr(about if self.kind in _CODECS else opened.extractor, "sampling_rate", None)
        if rate is None:
            raise RecipeError(
                f"'{config.model}' is no encoder of audio, or lacks its preprocessor_config.json."
            )
        if config.layer is not None and self.kind in (*_CODECS, *_CLAP):
            raise RecipeError(
                f"'{config.model}' is of the kind '{self.kind}', which has no layers to choose "
                "from: leave out frontend.layer."
            )
        self.network = _encoder(opened.network)
        self.config = config.model_copy(update={"sample_rate": rate})
        self.frames, features = self._shape()
        self.hop = getattr(about, "hop_length", math.ceil(self.samples / self.frames))
        self.config = completed(
            config,
            sample_rate=rate,
            features=features,
            digest=digest(self.network, opened.settings),
        )

    def latents(self, wave: Tensor) -> Tensor:
        """Waveforms (batch, samples) to frames (batch, frames, features)."""
        if self.kind in _CODECS:
            return self._codec(wave)
        clips = list(wave.cpu().numpy())
        inputs = self.extractor(clips, sampling_rate=self.sample_rate, return_tensors="pt")
        deep = self.config.layer is not None
        out = self.network(**inputs.to(wave.device), output_hidden_states=deep)
        hidden = out.hidden_states[self.config.layer] if deep else out.last_hidden_state
        if self.kind in _CLAP:  # (batch, features, bands, frames)
            return hidden.mean(2).transpose(1, 2)
        if self.kind == _AST:  # two tokens, then band after band of patches
            bands = (self.about.num_mel_bins - self.about.patch_size) // self.about.frequency_stride
            hidden = hidden[:, 2:].unflatten(1, (bands + 1, -1)).mean(1)
        window = self._window() or self.samples
        return hidden[:, : math.ceil(hidden.shape[1] * self.samples / window)]

    def _codec(self, wave: Tensor) -> Tensor:
        wave = _to_hops(wave, int(self.about.hop_length))
        if getattr(self.about, "normalize", False):
            wave = wave / (wave.square().mean(dim=-1, keepdim=True).sqrt() + 1e-8)
        channels = getattr(self.about, "audio_channels", 1)
        return self.network(wave.expand(-1, channels, -1)).transpose(1, 2)

    def _window(self) -> float:
        """Samples of the encoder's fixed window; 0 where it takes any length."""
        if self.kind == _AST:
            return self.extractor.max_length * self.sample_rate / 100  # 10 ms a frame
        return getattr(self.extractor, "nb_max_samples", getattr(self.extractor, "n_samples", 0))

    def _shape(self) -> tuple[int, int]:
        """Frames and features of a clip, as the encoder gives them for silence."""
        window = self._window()
        if window and self.samples > window:
            raise RecipeError(
                f"'{self.config.model}' takes {window / self.sample_rate:g} s at most: "
                f"frontend.seconds={self.config.seconds:g} is too long."
            )
        try:
            out = self(torch.zeros(1, self.samples))
        except IndexError as error:
            raise RecipeError(f"'{self.config.model}' has no layer {self.config.layer}.") from error
        except (RuntimeError, ValueError, TypeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise RecipeError(
                f"'{self.config.model}' cannot encode clips of {self.config.seconds:g} s: {reason}"
            ) from error
        return out.shape[1], out.shape[2]


def _encoder(network: Any) -> Any:
    """Give the part of a network that turns sound into frames."""
    kind = network.config.model_type
    if kind in _CODECS:
        return network.encoder
    return network.get_encoder() if network.config.is_encoder_decoder else network


def _to_hops(wave: Tensor, hop: int) -> Tensor:
    """Waveforms (batch, samples) to (batch, 1, samples), zero-padded to a multiple of the hop."""
    return nn.functional.pad(wave, (0, -wave.shape[-1] % hop)).unsqueeze(1)
