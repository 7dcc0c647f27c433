"""Uploads: received, checked, decoded, and kept for a while."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from disentone.serve import quarantine, sounds
from disentone.serve.lanes import Lane
from disentone.serve.problems import Busy, Missing, TooLarge
from disentone.serve.recent import Recent

__all__ = ["Sent", "Uploads", "clean"]

_DECODED = 1  # at once; each takes a core
_PATIENCE = 10  # seconds that an upload may wait to be decoded


@dataclass(frozen=True)
class Sent:
    """An upload as it is kept.

    Parameters
    ----------
    upload : str
        Its key, which nobody can guess.
    name : str
    seconds : float
    peaks : list of float
    file : Path
        Mono WAV at the model's sample rate.
    """

    upload: str
    name: str
    seconds: float
    peaks: list[float]
    file: Path

    def forget(self) -> None:
        """Remove the file."""
        self.file.unlink(missing_ok=True)


class Uploads:
    """What clients sent, in a folder of bounded size.

    Parameters
    ----------
    folder : Path
        For files; whoever made it removes it.
    sample_rate : int
        Hz that uploads are kept at.
    max_bytes, max_seconds : int, float
        Of one upload.
    room : int
        Bytes of all uploads that are kept, and of all that arrive; of the kept ones, those not
        used for longest go.
    """

    def __init__(
        self, folder: Path, *, sample_rate: int, max_bytes: int, max_seconds: float, room: int
    ) -> None:
        self.folder, self.sample_rate = folder, sample_rate
        self.max_bytes, self.max_seconds = max_bytes, max_seconds
        self._kept: Recent[Sent] = Recent(room, Sent.forget)
        self._room, self._arriving = room, 0
        self._decoding = Lane(_DECODED, patience=_PATIENCE, guess=1.0)

    async def take(self, stream: AsyncIterator[bytes], name: str, length: int = 0) -> Sent:
        """Receive a file, of as many bytes as its sender says, and keep it.

        Raises
        ------
        Busy
            If too many wait to be decoded, or too many bytes are under way.
        TooLarge
            If it has too many bytes.
        AudioError
            If it is too long, or no sound.
        """
        name, key = clean(name), secrets.token_urlsafe(16)
        self._check_size(length, name)  # before it is received
        self._decoding.check()
        raw = self.folder / f"{key}.upload"
        try:
            await self._receive(stream, raw, name)
            return await self._decoding.run(self._keep, key, raw, name)
        finally:
            raw.unlink(missing_ok=True)

    async def _receive(self, stream: AsyncIterator[bytes], raw: Path, name: str) -> None:
        """Write what arrives; how many send at once is bounded by what they sent alone."""
        size = 0
        try:
            with raw.open("wb") as file:
                async for chunk in stream:
                    size += len(chunk)
                    self._arriving += len(chunk)
                    self._check_size(size, name)
                    if self._arriving > max(self._room, self.max_bytes):
                        raise Busy(_PATIENCE)
                    file.write(chunk)
        finally:
            self._arriving -= size

    def _check_size(self, size: int, name: str) -> None:
        if size > self.max_bytes:
            most = f"{self.max_bytes / 2**20:.3g} MB"
            raise TooLarge(f"'{name}' is larger than {most}: send a part of it.")

    def _keep(self, key: str, raw: Path, name: str) -> Sent:
        file = self.folder / f"{key}.wav"
        quarantine.decode(
            raw, file, name=name, sample_rate=self.sample_rate, seconds=self.max_seconds
        )
        with sounds.called(name, file):
            sent = Sent(key, name, *sounds.outline(file), file)
        return self._kept.put(key, sent, file.stat().st_size)

    def find(self, key: str) -> Sent:
        """Give an upload that is kept.

        Raises
        ------
        Missing
            If it is unknown, or has gone.
        """
        sent = self._kept.get(key)
        if sent is None:
            raise Missing("This upload is not kept any more: send the sound again.")
        return sent


def clean(name: str) -> str:
    """Make a sent name harmless to show: its last part, printable, and short."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(c for c in last if unicodedata.category(c)[0] != "C").strip()
    return shown[:120] or "sound"
