"""The front-end of a recipe.

The front-ends themselves stand in the other files: these import torch, and a recipe is read and
checked without it. Front-ends that are not in the union below, ours or other packages', are entry
points of the group ``disentone.frontends``, each a :class:`FrontEndKind`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    TypeAdapter,
    WrapValidator,
    field_validator,
    model_validator,
)

from disentone.errors import or_plugin

if TYPE_CHECKING:
    from disentone.frontends.protocol import FrontEnd

__all__ = [
    "AnyConfig",
    "DACConfig",
    "FrontEndConfig",
    "FrontEndKind",
    "HFEncoderConfig",
    "Inputs",
    "LatentConfig",
    "LogFrequencyConfig",
    "LogMelConfig",
    "MusicalConfig",
    "TrunkConfig",
    "frontend_config",
]


MOST_SAMPLES = 2**24  # of a window: six minutes at 44.1 kHz
MOST_SPECTRA = 2**27  # samples of all the frames of a window, which overlap
MOST_FEATURES = 2**24  # of a window
MOST_RATE = 768_000  # Hz


class FrontEndKind(BaseModel):
    """What the configuration of every front-end is, and those of other packages subclass.

    A subclass adds ``kind`` (a ``Literal`` with its own name as the default), ``sample_rate`` (Hz),
    ``seconds`` (length of a clip), its options, and ``builds`` or :meth:`build`. It is stored with
    every model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    builds: ClassVar[str]  # "module:Class" of the front-end, imported when one is built

    @model_validator(mode="after")
    def _is_a_window(self) -> FrontEndKind:
        rate = getattr(self, "sample_rate", None) or 44100
        samples = (getattr(self, "seconds", None) or 1) * rate  # none: those of its network
        if not 1 <= samples <= MOST_SAMPLES:
            raise ValueError(f"a window has 1 to {MOST_SAMPLES:,} samples, not {samples:,.0f}")
        return self

    def build(self) -> FrontEnd:
        """Make the front-end, a torch module: see :class:`~disentone.frontends.protocol.FrontEnd`.

        Raises
        ------
        ArtifactError
            If pretrained weights are needed and not found, or are not those asked for.
        RecipeError
            If the front-end needs what is not installed, or does not fit its network.
        """
        return pkgutil.resolve_name(self.builds)(self)


def _fits_in_memory(
    config: LogMelConfig | LogFrequencyConfig | MusicalConfig, n_fft: int, columns: int
) -> None:
    """Refuse a window that takes more than any sound needs: all its frames are held at once."""
    frames = 1 + round(config.seconds * config.sample_rate) // config.hop
    for what, numbers, most in (
        ("samples in its frames", frames * n_fft, MOST_SPECTRA),
        ("features", frames * columns, MOST_FEATURES),
    ):
        if numbers > most:
            raise ValueError(
                f"a window has {numbers:,} {what}, and {most:,} are the most: set fewer seconds or "
                "a larger hop"
            )


class LogMelConfig(FrontEndKind):
    """Parameters of a log-mel front-end."""

    builds: ClassVar[str] = "disentone.frontends.logmel:LogMel"

    kind: Literal["logmel"] = "logmel"
    sample_rate: int = Field(default=16000, ge=1000, le=MOST_RATE, description="Hz")
    seconds: float = Field(
        default=1.0,
        gt=0,
        le=3600,
        description="length of a window; silence fills up a shorter clip",
    )
    n_fft: int = Field(default=1024, ge=16, le=2**16)
    hop: int = Field(default=512, ge=1, le=2**20, description="samples between frames")
    n_mels: int = Field(default=64, ge=2, le=1024)
    low: float = Field(default=0.0, ge=0, description="lower edge of the first band, Hz")
    high: float | None = Field(
        default=None, description="upper edge of the last band, Hz; half the rate"
    )
    floor_db: float = Field(
        default=-60.0, ge=-300, le=100, description="mel power below this many dB counts as this"
    )

    @model_validator(mode="after")
    def _fits(self) -> LogMelConfig:
        high = self.high or self.sample_rate / 2
        if not self.low < high <= self.sample_rate / 2:
            raise ValueError("low < high <= sample_rate / 2 must hold")
        _fits_in_memory(self, self.n_fft, self.n_mels)
        return self


class LogFrequencyConfig(FrontEndKind):
    """Parameters of a spectrogram on a logarithmic frequency axis, with the level apart.

    A transposition is a shift along the axis. Each octave is read from a window of its own length,
    the longest for the lowest; beside the bins there are octave bands of the shortest window.
    """

    builds: ClassVar[str] = "disentone.frontends.logfreq:LogFrequency"

    kind: Literal["logfreq"] = "logfreq"
    sample_rate: int = Field(default=22050, ge=1000, le=MOST_RATE, description="Hz")
    seconds: float = Field(
        default=2.0,
        gt=0,
        le=3600,
        description="length of a window; silence fills up a shorter clip",
    )
    hop: int = Field(default=512, ge=1, le=2**20, description="samples between frames")
    low: float = Field(default=32.7, gt=0, description="frequency of the first bin, Hz")
    bins_per_octave: int = Field(default=24, ge=1, le=240)
    bins: int = Field(default=200, ge=2, le=4096)
    resolution: float = Field(
        default=1 / 12, gt=0, le=2, description="octaves between two tones that are told apart"
    )
    longest: int = Field(default=4096, ge=16, le=2**16, description="window, a power of 2 samples")
    shortest: int = Field(default=512, ge=16, le=2**16, description="window, a power of 2 samples")
    range_db: float = Field(
        default=72.0, gt=0, le=300, description="dB below the window's loudest bin that are kept"
    )
    floor_db: float = Field(
        default=-100.0, ge=-300, le=100, description="power below this many dB counts as this"
    )
    dtype: Literal["float32", "float16"] = Field(
        default="float16", description="precision of the features; float16 halves their store"
    )

    @model_validator(mode="after")
    def _fits(self) -> LogFrequencyConfig:
        highest = self.low * 2 ** ((self.bins - 1) / self.bins_per_octave)
        if highest > self.sample_rate / 2:
            raise ValueError(
                f"the last bin is at {highest:,.0f} Hz, and half the sample rate is "
                f"{self.sample_rate / 2:,.0f}: set fewer bins or a higher rate"
            )
        for length in (self.longest, self.shortest):
            if length & (length - 1):
                raise ValueError(f"windows are powers of 2, such as 4096, not {length}")
        if self.shortest > self.longest:
            raise ValueError("the shortest window must not be longer than the longest")
        _fits_in_memory(self, 2 * self.longest, self.bins)
        return self

    @property
    def bands(self) -> int:
        """Octave bands: those whose octave begins within the bins, but for the lowest."""
        return (self.bins - 1) // self.bins_per_octave


class Inputs(BaseModel):
    """Which inputs a musical front-end gives; their order is fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    mel: bool = Field(default=True, description="spectrum: log10(1 + 10 S) of mel power")
    tempogram: bool = Field(default=True, description="lags at which onsets repeat")
    cens: bool = Field(default=True, description="energy of pitch classes")

    def chosen(self) -> list[str]:
        """Names of the inputs that are on, in the order of their columns."""
        return [name for name in type(self).model_fields if getattr(self, name)]


class MusicalConfig(FrontEndKind):
    """Parameters of a musical front-end; the defaults are those of CSN.

    After Ribecky, Abeßer and Lukashevich, "Multi-input architecture and disentangled
    representation learning for multi-dimensional modeling of music similarity" (2021): windows of
    23 ms with half of it shared, segments of 3 s.
    """

    builds: ClassVar[str] = "disentone.frontends.musical:Musical"

    kind: Literal["musical"] = "musical"
    inputs: Inputs = Inputs()
    sample_rate: int = Field(default=22050, ge=1000, le=MOST_RATE, description="Hz")
    seconds: float = Field(
        default=3.0,
        gt=0,
        le=3600,
        description="length of a window; silence fills up a shorter clip",
    )
    n_fft: int = Field(
        default=512, ge=16, le=2**16, description="samples of the window that all share"
    )
    chroma_fft: int | None = Field(
        default=None,
        ge=16,
        le=2**16,
        description="samples of a longer window for CENS alone; 4096 distinguishes keys better",
    )
    hop: int = Field(default=256, ge=1, le=2**20, description="samples between frames")
    n_mels: int = Field(default=128, ge=2, le=1024, description="bands, also of the onset strength")
    lags: int = Field(
        default=384, ge=2, le=4096, description="of the tempogram; a lag is a frame long"
    )
    cyclic: int | None = Field(
        default=None,
        ge=2,
        le=1024,
        description="bins of one octave of tempo, into which the lags are folded; a tempo and its "
        "double are the same then",
    )
    tuning: float = Field(
        default=0.0, ge=-0.5, le=0.5, description="semitones of the music above A = 440 Hz"
    )
    smoothing: int = Field(
        default=41, ge=1, le=2**16, description="frames that CENS averages over; odd"
    )
    dtype: Literal["float32", "float16"] = Field(
        default="float32", description="precision of the features; float16 halves their store"
    )

    @model_validator(mode="after")
    def _fits(self) -> MusicalConfig:
        longest = max(self.n_fft, self.chroma_fft or 0)
        _fits_in_memory(self, longest, self.n_mels + max(self.lags, self.cyclic or 0))
        return self

    @field_validator("inputs")
    @classmethod
    def _something(cls, inputs: Inputs) -> Inputs:
        if not inputs.chosen():
            raise ValueError("at least one input must be on")
        return inputs

    @field_validator("smoothing")
    @classmethod
    def _centred(cls, frames: int) -> int:
        if frames % 2 == 0:
            raise ValueError("must be odd, to be centred on a frame")
        return frames


class LatentConfig(FrontEndKind):
    """What all front-ends with pretrained weights have in common."""

    seconds: float = Field(
        default=10.0,
        gt=0,
        le=3600,
        description="length of a window; silence fills up a shorter clip",
    )
    dtype: Literal["float32", "float16"] = Field(
        default="float32", description="precision of the features; float16 halves their store"
    )
    features: int | None = Field(
        default=None, ge=1, le=2**16, description="numbers in a frame; filled in, or demanded"
    )
    digest: str | None = Field(
        default=None, description="of the weights; filled in, or demanded: no others are taken"
    )


class DACConfig(LatentConfig):
    """Continuous latents of a Descript Audio Codec, before quantisation.

    After Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN" (2023), as LATENT
    uses it: 1024 numbers every 512 samples at 44.1 kHz. The paper brings clips to -24 LUFS first,
    which is the collection's part: set ``data.lufs: -24`` in the recipe.
    """

    builds: ClassVar[str] = "disentone.frontends.latents:DAC"

    kind: Literal["dac"] = "dac"
    model: str = Field(default="descript/dac_44khz", description="name on the hub, or a folder")
    sample_rate: int = Field(
        default=44100, ge=1000, le=MOST_RATE, description="Hz; the codec's own"
    )


class HFEncoderConfig(LatentConfig):
    """Frames of any Hugging Face audio encoder: EnCodec, AST, wav2vec 2.0, HuBERT, WavLM, CLAP.

    EnCodec gives its encoder's output before quantisation (a stereo codec gets the clip on both
    sides); AST and CLAP, whose tokens are patches, the mean over frequency at each time; all others
    their last hidden state, or the ``layer`` asked for.
    """

    builds: ClassVar[str] = "disentone.frontends.latents:HFEncoder"

    kind: Literal["encoder"] = "encoder"
    model: str = Field(description="name on the hub, or a folder")
    sample_rate: int | None = Field(
        default=None, ge=1000, le=MOST_RATE, description="Hz; the encoder's own, filled in"
    )
    layer: int | None = Field(
        default=None, description="which hidden states: 0 goes into the first layer, -1 is the last"
    )


class TrunkConfig(FrontEndKind):
    """What the frozen network of a trained model makes of a window: one frame.

    The front-end is the whole of that model. A model on it holds a copy of its weights, and needs
    the folder of the other no more. Networks are no matter of this room: ``builds`` names the one
    that builds them.
    """

    builds: ClassVar[str] = "disentone.embeddings.frozen:open_trunk"

    kind: Literal["model"] = "model"
    model: str = Field(description="run folder, packaged model, or name on the hub")
    sample_rate: int | None = Field(
        default=None, ge=1000, le=MOST_RATE, description="Hz; the model's own, filled in"
    )
    seconds: float | None = Field(
        default=None, gt=0, le=3600, description="of a window; the model's own, filled in"
    )
    features: int | None = Field(
        default=None, ge=1, le=2**16, description="numbers in the frame; filled in, or demanded"
    )
    digest: str | None = Field(
        default=None, description="of the model; filled in, or demanded: no other is taken"
    )
    trunk: dict[str, Any] | None = Field(
        default=None, description="configuration of the model; filled in"
    )


AnyConfig = (
    LogMelConfig | LogFrequencyConfig | MusicalConfig | DACConfig | HFEncoderConfig | TrunkConfig
)
"""Configuration of a front-end of ours."""


def _log_mel_by_default(values: Any) -> Any:
    if isinstance(values, Mapping) and "kind" not in values:
        return {"kind": "logmel", **values}
    return values


FrontEndConfig = Annotated[
    SerializeAsAny[Annotated[AnyConfig, Field(discriminator="kind")]],
    WrapValidator(or_plugin("frontends", FrontEndKind)),
    BeforeValidator(_log_mel_by_default),
]
"""A front-end as a field of a pydantic model: log-mel where no ``kind`` is given."""


def frontend_config(values: Mapping[str, Any]) -> AnyConfig:
    """Check the values of a front-end, as a model's ``config.json`` holds them."""
    return TypeAdapter(FrontEndConfig).validate_python(values)
