"""A trained model on disk and in use: safetensors and JSON, never a pickle."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from disentone import audio
from disentone.audio.windows import cut_wave
from disentone.embeddings.model_files import FORMAT, MODEL_FILES, NETWORK, damaged, read_config
from disentone.errors import AudioError, DataError
from disentone.facets import Facets
from disentone.files import write_bytes, write_json
from disentone.frontends.build import AnyFrontEnd, build_frontend
from disentone.frontends.config import frontend_config
from disentone.models import MultiView
from disentone.models.config import ModelConfig
from disentone.models.counting import multiply_adds
from disentone.recipes import Recipe

__all__ = ["Embedding", "Model", "build_network", "load", "untrained_network", "write_tensors"]

BATCH = 256  # clips at once, fewer where they are large
_BATCH_NUMBERS = 2**24
_BATCH_SAMPLES = 2**20
_WRONG_SHAPE = (KeyError, TypeError, ValueError, AttributeError)  # what JSON of another kind gives


@dataclass(frozen=True)
class Embedding:
    """Embeddings of clips, with facets reached by name.

    Parameters
    ----------
    values : ndarray of float32, shape (clips, dim)
    facets : Facets
    ids : tuple of str
        Path or number of every clip.
    """

    values: np.ndarray
    facets: Facets
    ids: tuple[str, ...]

    def __getitem__(self, facet: str) -> np.ndarray:
        """Columns of one facet, shape (clips, size)."""
        return self.facets.take(self.values, facet)

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Give all columns, shape (clips, dim)."""
        return np.array(self.values, dtype=dtype, copy=True if copy is None else copy)


class Model:
    """A trained model: waveforms in, named facets out.

    Usually made by :func:`load`.

    Parameters
    ----------
    network : MultiView
    frontend : LogMel, Musical, DAC or HFEncoder
    mean, std : Tensor, shape (features,) or scalar
        Statistics of the training split's features.
    lufs : float, optional
        Loudness that the model's clips were brought to, and that every window is brought to before
        it is embedded.
    about : mapping, optional
        Anything worth keeping with the model, such as the recipe's name; must be JSON.
    """

    def __init__(
        self,
        network: MultiView,
        frontend: AnyFrontEnd,
        mean: Tensor,
        std: Tensor,
        *,
        lufs: float | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self.network, self.frontend = network, frontend
        self.mean, self.std = mean, std
        self.lufs = lufs
        self.about = dict(about or {})

    def __repr__(self) -> str:
        """Say what it hears, and which facets it gives."""
        heard = self.frontend.config
        rate = f"{self.frontend.sample_rate / 1000:g} kHz"
        return f"Model(facets: {self.facets.describe()}, {heard.kind} {rate}, {heard.seconds:g} s)"

    @property
    def facets(self) -> Facets:
        """Facets of the embedding."""
        return self.network.facets

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        return next(self.network.parameters()).device

    def to(self, device: str | torch.device) -> Model:
        """Move everything to a device, and give the model back."""
        self.network.to(device)
        self.frontend.to(device)
        self.mean, self.std = self.mean.to(device), self.std.to(device)
        return self

    @cached_property
    def size(self) -> dict[str, int]:
        """Frames and features of a window, parameters, and multiply-adds that embed a window."""
        shape = {"frames": self.frontend.frames, "features": self.frontend.features}
        return {
            **shape,
            "parameters": sum(parameter.numel() for parameter in self.network.parameters()),
            "multiply_adds": multiply_adds(self.network, **shape),
        }

    def standardise(self, features: Tensor) -> Tensor:
        """Features as the network takes them."""
        return (features - self.mean) / self.std

    def embed_features(self, features: np.ndarray | Tensor) -> np.ndarray:
        """Embed features of the front-end, before standardisation.

        Parameters
        ----------
        features : array, shape (clips, frames, features)

        Returns
        -------
        ndarray of float32, shape (clips, dim)
            Posterior means; the facets' columns are in ``model.facets`` order.

        Raises
        ------
        DataError
            If the features are of another width than the model's.
        """
        return self._encoded(features, lambda x: self.network.posterior(x)[0], ())

    def codes(self, features: np.ndarray | Tensor) -> np.ndarray:
        """Codes of features as :meth:`decode` takes them.

        Parameters
        ----------
        features : array, shape (clips, frames, features)

        Returns
        -------
        ndarray of float32, shape (clips, dim), or (clips, frames, dim)
            The latter where the network encodes frame by frame: the embedding is the mean over
            its frames.
        """
        if not self.network.framewise:
            return self.embed_features(features)
        return self._encoded(features, self.network.frame_codes, np.shape(features)[1:2])

    @torch.inference_mode()
    def _encoded(
        self,
        features: np.ndarray | Tensor,
        encode: Callable[[Tensor], Tensor],
        shape: tuple[int, ...],
    ) -> np.ndarray:
        self.network.eval()
        if np.shape(features)[-1] != self.frontend.features:
            raise DataError(
                f"The features have {np.shape(features)[-1]} numbers a frame, and this model was "
                f"trained on {self.frontend.features}: use features of its own front-end."
            )
        parts = [np.empty((0, *shape, self.facets.dim), dtype=np.float32)]
        size = int(np.clip(_BATCH_NUMBERS // max(1, math.prod(features.shape[1:])), 1, BATCH))
        for start in range(0, len(features), size):
            batch = features[start : start + size]
            batch = batch if isinstance(batch, Tensor) else torch.tensor(batch)  # may be a map
            parts.append(encode(self.standardise(batch.to(self.device).float())).cpu().numpy())
        return np.concatenate(parts)

    def embed(
        self,
        sounds: str | Path | np.ndarray | Sequence[str | Path],
        *,
        sample_rate: int | None = None,
    ) -> Embedding:
        """Embed audio: a file, several files, or waveforms.

        A clip longer than the model's window is embedded window by window, without overlap,
        and averaged; a rest shorter than half a window and windows without sound are left out; a
        shorter clip is padded with silence.

        Parameters
        ----------
        sounds : path, sequence of paths, or array
            An array is (samples,) for one clip or (clips, samples), mono, and needs
            ``sample_rate``.
        sample_rate : int, optional
            Of an array, in Hz.

        Returns
        -------
        Embedding
            One row a clip; ``embedding["shared"]`` is (clips, size of the facet).

        Raises
        ------
        SilenceError
            If a clip holds no sound.
        AudioError
            If a file cannot be read, or holds values that are not finite.
        DataError
            If an array comes without its sample rate, has another shape, or is not finite.

        Examples
        --------
        >>> model = disentone.load("runs/demo")                       # doctest: +SKIP
        >>> model.embed("clip.wav")["shared"].shape                   # doctest: +SKIP
        (1, 8)
        """
        if isinstance(sounds, np.ndarray):
            waves = _as_waves(sounds, sample_rate, self.frontend.sample_rate)
            ids = tuple(map(str, range(len(waves))))
            names = [f"waveform {number}" for number in ids]
        else:
            paths = [sounds] if isinstance(sounds, str | Path) else list(sounds)
            waves = [_read(path, self.frontend.sample_rate) for path in paths]
            ids = names = tuple(map(str, paths))
        table = np.empty((len(waves), self.facets.dim), np.float32)
        for row, wave, name in zip(table, waves, names):
            parts = [self.embed_features(part) for part in self._features(wave, name)]
            row[:] = np.concatenate(parts).mean(axis=0)
        return Embedding(table, self.facets, ids)

    def embed_frames(
        self, sound: str | Path | np.ndarray, *, sample_rate: int | None = None
    ) -> Embedding:
        """Embed every frame of one clip, for models whose network encodes frame by frame.

        Parameters
        ----------
        sound : path or array
            An array is (samples,), mono, and needs ``sample_rate``.
        sample_rate : int, optional
            Of an array, in Hz.

        Returns
        -------
        Embedding
            One row a frame, of the windows with sound one after another; ids are their numbers. A
            window's last frames may be of the silence that fills it.

        Raises
        ------
        RecipeError
            If the network encodes a clip as a whole.
        """
        rate = self.frontend.sample_rate
        if isinstance(sound, np.ndarray):
            wave, name = _as_waves(sound, sample_rate, rate)[0], "waveform 0"
        else:
            wave, name = _read(sound, rate), str(sound)
        self.network.check_framewise()
        codes = np.concatenate([self.codes(part) for part in self._features(wave, name)])
        rows = codes.reshape(-1, self.facets.dim)
        return Embedding(rows, self.facets, tuple(map(str, range(len(rows)))))

    def transform(
        self, sounds: str | Path | np.ndarray | Sequence[str | Path], **options: Any
    ) -> np.ndarray:
        """Embed as a plain array (clips, dim), as scikit-learn's transformers do."""
        return self.embed(sounds, **options).values

    def fit(self, *_: Any) -> Model:
        """Do nothing, so that a trained model fits in a scikit-learn pipeline."""
        return self

    def _features(self, wave: np.ndarray, name: str) -> Iterator[Tensor]:
        """Features of a waveform's windows, some windows at a time."""
        size = self.frontend.samples
        windows = cut_wave(wave, size, name)
        padded = np.zeros((len(windows), size), dtype=np.float32)
        for row, part in zip(padded, windows):
            if self.lufs is not None:
                part = audio.to_loudness(part[None], self.frontend.sample_rate, self.lufs)[0]
            row[: len(part)] = part
        batches = torch.from_numpy(padded).split(
            max(1, getattr(self.frontend, "batch_samples", _BATCH_SAMPLES) // size)
        )
        for batch in batches:
            with torch.inference_mode():
                yield self.frontend(batch.to(self.device))

    @torch.inference_mode()
    def decode(self, embedding: np.ndarray | Embedding) -> np.ndarray:
        """Turn codes (see :meth:`codes`) into features (clips, frames, features).

        The features are in the front-end's unit, such as dB.
        """
        code = torch.as_tensor(np.asarray(embedding), dtype=torch.float32, device=self.device)
        self.network.eval()
        return (self.network.decode(code) * self.std + self.mean).cpu().numpy()

    def save(self, folder: str | Path) -> None:
        """Write ``model.safetensors`` and ``config.json`` into a folder, each atomically."""
        folder = Path(folder)
        tensors = {f"{NETWORK}{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {"standardise.mean": self.mean, "standardise.std": self.std}
        config = {
            "format": FORMAT,
            "facets": self.facets.to_json(),
            "frontend": self.frontend.config.model_dump(mode="json"),
            "model": self.network.config.model_dump(mode="json"),
            "lufs": self.lufs,
            "size": self.size,
            "about": self.about,
        }
        write_json(folder / "config.json", config)
        write_tensors(folder / "model.safetensors", tensors)


def load(folder: str | Path, *, device: str | torch.device = "cpu") -> Model:
    """Load a trained model from a run folder.

    Parameters
    ----------
    folder : path
        With ``config.json`` and ``model.safetensors``.
    device : str or torch.device

    Returns
    -------
    Model

    Raises
    ------
    ArtifactError
        If there is no model, it is damaged, or it is of another version.
    """
    stored = read_config(folder)
    try:
        facets = Facets.from_json(stored["facets"])
        frontend = build_frontend(frontend_config(stored["frontend"]))
        network = build_network(ModelConfig(**stored["model"]), facets, frontend)
        tensors = load_file(Path(folder) / MODEL_FILES[1])
        weights = {
            name.removeprefix(NETWORK): value
            for name, value in tensors.items()
            if name.startswith(NETWORK)
        }
        network.load_state_dict(weights)
        # Copies: Windows does not replace or delete a file of which a tensor is still a map.
        mean, std = (tensors[f"standardise.{name}"].clone() for name in ("mean", "std"))
        lufs, about = stored.get("lufs"), dict(stored["about"])
    except (*_WRONG_SHAPE, DataError, SafetensorError, RuntimeError) as error:
        raise damaged(folder, error) from error
    network.eval()
    return Model(network, frontend, mean, std, lufs=lufs, about=about).to(device)


def build_network(config: ModelConfig, facets: Facets, frontend: AnyFrontEnd) -> MultiView:
    """Build an untrained network for the features of a front-end."""
    shape = {"frames": frontend.frames, "features": frontend.features}
    return MultiView(config, facets, **shape, parts=getattr(frontend, "parts", None))


def untrained_network(recipe: Recipe, frontend: AnyFrontEnd) -> MultiView:
    """Give a recipe's network, untrained: the same for the same seed."""
    torch.manual_seed(recipe.seed)
    return build_network(recipe.model, recipe.layout(), frontend)


def _read(path: str | Path, rate: int) -> np.ndarray:
    wave = audio.read(path, sample_rate=rate)
    if not np.isfinite(wave).all():
        raise AudioError(f"'{path}' has samples that are not finite numbers (NaN or Inf).")
    return wave


def _as_waves(array: np.ndarray, rate: int | None, wanted: int) -> list[np.ndarray]:
    if rate is None:
        raise DataError("Say the array's sample rate: embed(array, sample_rate=44100).")
    if array.ndim not in (1, 2) or array.size == 0:
        raise DataError(
            f"Waveforms must be (samples,) or (clips, samples), not of shape {array.shape}."
        )
    if not np.isfinite(array).all():
        raise DataError("The waveform has values that are not finite (NaN or infinity).")
    waves = np.atleast_2d(array).astype(np.float32)
    return [audio.resample(wave, rate, wanted) for wave in waves]


def write_tensors(
    file: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors atomically as safetensors."""
    ready = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_bytes(file, save(ready, metadata=dict(metadata) if metadata else None))
