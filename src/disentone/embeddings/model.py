"""A trained model on disk and in use: safetensors and JSON, never a pickle."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from disentone import audio
from disentone.audio import Skipped
from disentone.audio.windows import cut_wave
from disentone.embeddings.embedding import Embedding
from disentone.embeddings.inputs import SoundLike, UnreadClip, list_sounds
from disentone.embeddings.model_card import write_pretrained
from disentone.embeddings.model_files import FORMAT, NETWORK, TRUNK, find_model, not_finite
from disentone.embeddings.networks import clips_at_once, halved, write_tensors
from disentone.embeddings.stored import read_stored
from disentone.errors import ArtifactError, AudioError, DataError
from disentone.facets import Facets
from disentone.files import write_json
from disentone.models import MultiView
from disentone.models.counting import multiply_adds

if TYPE_CHECKING:
    from disentone.frontends.protocol import FrontEnd

__all__ = ["Model", "load"]

_BATCH_SAMPLES = 2**20
_log = logging.getLogger("disentone")


class Model:
    """A trained model: waveforms in, named facets out.

    Usually made by :func:`load`.

    Parameters
    ----------
    network : MultiView
    frontend : FrontEnd
    mean, std : Tensor, shape (features,) or scalar
        Statistics of the training split's features.
    lufs : float, optional
        Loudness that the model's clips were brought to, and that every window is brought to before
        it is embedded.
    folder : Path, optional
        Where it was loaded from.
    about : mapping, optional
        Anything worth keeping with the model, such as the recipe's name; must be JSON.
    """

    def __init__(
        self,
        network: MultiView,
        frontend: FrontEnd,
        mean: Tensor,
        std: Tensor,
        *,
        lufs: float | None = None,
        folder: Path | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self.network, self.frontend = network, frontend
        self.mean, self.std = mean, std
        self.lufs, self.folder = lufs, folder
        self.about = dict(about or {})

    def __repr__(self) -> str:
        """Show its facets and its input."""
        return f"Model(facets: {self.facets.describe()}, {self.input_format})"

    @property
    def input_format(self) -> str:
        """Front-end, sample rate and window, for people: ``"logmel 22.05 kHz, 1.5 s"``."""
        config, rate = self.frontend.config, self.frontend.sample_rate / 1000
        return f"{config.kind} {rate:g} kHz, {config.seconds:g} s"

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
        size = clips_at_once(features.shape[1:])
        for start in range(0, len(features), size):
            batch = features[start : start + size]
            batch = batch if isinstance(batch, Tensor) else torch.tensor(batch)  # may be a map
            parts.append(encode(self.standardise(batch.to(self.device).float())).cpu().numpy())
        return np.concatenate(parts)

    def embed(
        self,
        sounds: SoundLike,
        *,
        sample_rate: int | None = None,
        on_error: Literal["stop", "skip"] = "stop",
    ) -> Embedding:
        """Embed audio: files, a folder, waveforms, or a list of them.

        A clip longer than the model's window is embedded window by window, without overlap,
        and averaged; a rest shorter than half a window and windows without sound are left out; a
        shorter clip is padded with silence.

        Parameters
        ----------
        sounds : path, array, tensor, (array, rate), or sequence of these
            A folder stands for the audio files below it, in order of their names. An array is
            (samples,) for one clip or (clips, samples); in a list, each is one clip. Mono, floats
            of full scale 1 or whole numbers of 8, 16 or 32 bits.
        sample_rate : int, optional
            Of arrays, in Hz; files know their own.
        on_error : {"stop", "skip"}
            What to do about a clip that cannot be used: raise its error, or leave it out, with a
            warning in the log ``disentone`` and its reason in ``embedding.skipped``.

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
            If `sounds` is nothing of the kind, a folder has no audio in it, or an array comes
            without its sample rate, has another shape, looks like the channels of one clip, or is
            not finite.

        Examples
        --------
        >>> model = disentone.load("runs/demo")                       # doctest: +SKIP
        >>> model.embed("clip.wav")["shared"].shape                   # doctest: +SKIP
        (1, 8)
        >>> model.embed(soundfile.read("mono.wav"))                   # doctest: +SKIP
        Embedding(1 clip, facets: private 8 | shared 8)
        """
        if on_error not in ("stop", "skip"):
            raise DataError(f"on_error is 'stop' or 'skip', not {on_error!r}.")
        ids, rows, skipped = [], [], []
        for sound in list_sounds(sounds, sample_rate=sample_rate):
            try:
                rows.append(self._embed_sound(sound))
            except (AudioError, DataError) as error:
                if on_error == "stop":
                    raise
                _log.warning("%s is skipped: %s", sound.name, error)
                skipped.append(Skipped(sound.id, str(error)))
            else:
                ids.append(sound.id)
        values = np.stack(rows) if rows else np.empty((0, self.facets.dim), np.float32)
        return Embedding(values, self.facets, tuple(ids), tuple(skipped))

    def embed_frames(self, sound: SoundLike, *, sample_rate: int | None = None) -> Embedding:
        """Embed every frame of one clip, for models whose network encodes frame by frame.

        Parameters
        ----------
        sound : path, array, tensor or (array, rate)
            One clip, as :meth:`embed` takes it.
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
        DataError
            If there is not one clip, and as :meth:`embed`.
        """
        self.network.check_framewise()
        clips = list_sounds(sound, sample_rate=sample_rate)
        if len(clips) != 1:
            raise DataError(
                f"The frames of one clip at a time can be embedded, not of {len(clips)}."
            )
        codes = np.concatenate([self.codes(part) for part in self._features(clips[0])])
        rows = codes.reshape(-1, self.facets.dim)
        return Embedding(rows, self.facets, tuple(map(str, range(len(rows)))))

    def _embed_sound(self, sound: UnreadClip) -> np.ndarray:
        parts = [self.embed_features(part) for part in self._features(sound)]
        row = np.concatenate(parts).mean(axis=0)
        if not np.isfinite(row).all():
            raise DataError(not_finite(sound.name))
        return row

    def _features(self, sound: UnreadClip) -> Iterator[Tensor]:
        """Features of a clip's windows, some windows at a time."""
        size = self.frontend.samples
        windows = cut_wave(sound.read(self.frontend.sample_rate), size, sound.name)
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

    def save(self, folder: str | Path, *, dtype: Literal["float32", "float16"] = "float32") -> None:
        """Write ``model.safetensors`` and ``config.json`` into a folder, each atomically.

        Parameters
        ----------
        folder : path
        dtype : {"float32", "float16"}
            How parameters are stored; the latter takes half the space. A loaded model computes in
            float32 either way.

        Raises
        ------
        DataError
            If `dtype` is another one.
        ArtifactError
            If a parameter is too large for float16, or the folder cannot be written.
        """
        if dtype not in ("float32", "float16"):
            raise DataError(f"dtype is 'float32' or 'float16', not {dtype!r}.")
        folder = Path(folder)
        tensors = {f"{NETWORK}{name}": value for name, value in self.network.state_dict().items()}
        if dtype == "float16":
            tensors |= halved(self.network, NETWORK)
        tensors |= {"standardise.mean": self.mean, "standardise.std": self.std}
        kept = getattr(self.frontend, "kept", None)
        tensors |= {f"{TRUNK}{name}": value for name, value in kept().items()} if kept else {}
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

    def save_pretrained(self, folder: str | Path, **options: Any) -> None:
        """Write what :meth:`save` writes, the audit, and a model card as the hub shows it.

        Without options huggingface_hub is not needed.

        An audit is taken from the folder that the model was loaded from. A ``README.md`` that is
        there already stays.

        Parameters
        ----------
        folder : path
        **options
            As for :meth:`huggingface_hub.ModelHubMixin.save_pretrained`.

        Raises
        ------
        ArtifactError
            If there are options and huggingface_hub is not installed, or it cannot be written.
        """
        if not options:
            write_pretrained(self, Path(folder))
            return
        card = {"title": Path(folder).resolve().name}
        _hub().HubModel(self).save_pretrained(folder, **{"model_card_kwargs": card} | options)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload what :meth:`save_pretrained` writes to the Hugging Face Hub.

        Parameters
        ----------
        repo_id : str
            Such as ``"user/model"``.
        **options
            As for :meth:`huggingface_hub.ModelHubMixin.push_to_hub`, such as ``private``,
            ``token`` and ``commit_message``.

        Returns
        -------
        str
            URL of the commit.

        Raises
        ------
        ArtifactError
            If huggingface_hub is not installed, or the hub does not take the model.
        """
        hub = _hub()
        with hub.reporting(f"'{repo_id}' could not be written to the Hugging Face Hub"):
            card = {"title": repo_id}
            return hub.HubModel(self).push_to_hub(repo_id, **{"model_card_kwargs": card} | options)

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *, device: str | torch.device = "cpu", **options: Any
    ) -> Model:
        """Load a model from the Hugging Face Hub, or from a folder, which needs no huggingface_hub.

        Parameters
        ----------
        name : str or path
            Such as ``"user/model"``; a folder of this name goes first. A name without ``/`` is
            none of the hub, and taken as by :func:`load`.
        device : str or torch.device
        **options
            As for :meth:`huggingface_hub.ModelHubMixin.from_pretrained`, such as ``revision``,
            ``token``, ``cache_dir`` and ``local_files_only``.

        Returns
        -------
        Model

        Raises
        ------
        ArtifactError
            If huggingface_hub is not installed, there is no such model, the hub cannot be reached,
            or the model is damaged or of another version.
        """
        if Path(name).is_dir() or "/" not in str(name):
            return load(name, device=device)
        hub = _hub()
        with hub.reporting(
            f"There is no folder '{name}', and no such model on the Hugging Face Hub"
        ):
            options["load"] = partial(load, device=device)
            return hub.HubModel.from_pretrained(name, **options).trained


def load(folder: str | Path, *, device: str | torch.device = "cpu") -> Model:
    """Load a trained model from a run folder, or one that comes with disentone by its name.

    Parameters
    ----------
    folder : path or str
        With ``config.json`` and ``model.safetensors``; or a name such as ``"sounds"``, unless a
        folder of that name holds a model.
    device : str or torch.device

    Returns
    -------
    Model

    Raises
    ------
    ArtifactError
        If there is no model, it is damaged, it is of another version, its configuration promises
        what its weights do not hold, or these are not finite.
    """
    folder = find_model(folder)
    return Model(**read_stored(folder)._asdict(), folder=folder).to(device)


def _hub() -> ModuleType:
    try:
        from disentone.embeddings import hub
    except ImportError as error:
        raise ArtifactError(
            "The Hugging Face Hub needs huggingface_hub: pip install 'disentone[hub]'."
        ) from error
    return hub
