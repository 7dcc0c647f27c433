"""Decode untrusted uploads in a process of their own, with limits on memory and time.

A file that makes a decoder crash, eat memory or run for ever ends that process, not the server.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import soundfile

from disentone import audio
from disentone.errors import AudioError

__all__ = ["decode"]

_MEMORY = 2**31  # bytes of address space; ten minutes of 48 kHz stereo take a tenth of it
_PATIENCE = 60  # seconds
_REFUSED = 2  # exit status
_POLITE = 5  # searches go first
_CALM = {
    "OPENBLAS_NUM_THREADS": "1",  # each thread reserves memory
    "OMP_NUM_THREADS": "1",
    "PYTHONIOENCODING": "utf-8",
}


def decode(file: Path, to: Path, *, name: str, sample_rate: int, seconds: float) -> None:
    """Decode a file to mono in a limited process.

    Parameters
    ----------
    file : Path
        The upload, as it was sent.
    to : Path
        WAV file for the result, as float32 and thus without any loss; not there after an error.
    name : str
        What to call the file in an error.
    sample_rate : int
        Hz of the result.
    seconds : float
        What is longer is refused, before it is decoded whole.

    Raises
    ------
    AudioError
        If it is not audio, damaged, truncated, silent, not finite, too long, or too large.
    """
    command = [
        sys.executable,
        "-P",
        "-m",
        __name__,
        str(file),
        str(to),
        str(sample_rate),
        str(seconds),
    ]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            timeout=_PATIENCE,
            env=os.environ | _CALM,
        )
    except subprocess.TimeoutExpired as error:
        to.unlink(missing_ok=True)
        raise AudioError(f"'{name}' takes too long to decode: convert it to wav.") from error
    if done.returncode:
        to.unlink(missing_ok=True)
        if done.returncode == _REFUSED:
            raise AudioError(done.stdout.strip().replace(str(file), name))
        raise AudioError(f"'{name}' takes too much memory or breaks the decoder: convert it.")


def _main(file: str, to: str, rate: str, seconds: str) -> int:
    _limit()
    try:
        wave = audio.read(file, sample_rate=int(rate), seconds=float(seconds) + 1)
        if len(wave) > float(seconds) * int(rate):
            raise AudioError(f"'{file}' is longer than {float(seconds):g} s: send a part of it.")
        audio.check(wave, file)
    except AudioError as error:
        print(error)
        return _REFUSED
    soundfile.write(to, wave, int(rate), subtype="FLOAT", format="WAV")
    return 0


def _limit() -> None:
    if hasattr(os, "nice"):  # not on Windows
        os.nice(_POLITE)
    with suppress(ImportError, ValueError):  # Windows has no such limits; a lower one may be set
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (_PATIENCE, _PATIENCE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
