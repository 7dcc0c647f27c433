"""Uploads: received, checked, decoded, and kept for a while."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from disentone.serve import quarantine, sounds
from disentone.serve.problems import Missing, TooLarge
from disentone.serve.recent import Recent

__all__ = ["Sent", "Uploads", "clean"]


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
        Bytes of all uploads that are kept; those not used for longest go.
    """

    def __init__(
        self, folder: Path, *, sample_rate: int, max_bytes: int, max_seconds: float, room: int
    ) -> None:
        self.folder, self.sample_rate = folder, sample_rate
        self.max_bytes, self.max_seconds = max_bytes, max_seconds
        self._kept: Recent[Sent] = Recent(room, Sent.forget)
        self._receiving, self._decoding = asyncio.Semaphore(16), asyncio.Semaphore(2)

    async def take(self, stream: AsyncIterator[bytes], name: str) -> Sent:
        """Receive a file and keep it.

        Raises
        ------
        TooLarge
            If it has too many bytes.
        AudioError
            If it is too long, or no sound.
        """
        name, key = clean(name), secrets.token_urlsafe(16)
        raw = self.folder / f"{key}.upload"
        try:
            async with self._receiving:
                await self._receive(stream, raw, name)
            async with self._decoding:
                return await asyncio.to_thread(self._keep, key, raw, name)
        finally:
            raw.unlink(missing_ok=True)

    async def _receive(self, stream: AsyncIterator[bytes], raw: Path, name: str) -> None:
        size = 0
        with raw.open("wb") as file:
            async for chunk in stream:
                size += len(chunk)
                if size > self.max_bytes:
                    most = f"{self.max_bytes / 2**20:.3g} MB"
                    raise TooLarge(f"'{name}' is larger than {most}: send a part of it.")
                file.write(chunk)

    def _keep(self, key: str, raw: Path, name: str) -> Sent:
        file = self.folder / f"{key}.wav"
        quarantine.decode(
            raw, file, name=name, sample_rate=self.sample_rate, seconds=self.max_seconds
        )
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
