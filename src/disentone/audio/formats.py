"""Which files are taken for audio, by their names, and which formats FFmpeg may read."""

from __future__ import annotations

__all__ = ["CONTAINERS", "RATES", "SUFFIXES", "UNREAD_SUFFIXES"]

RATES = (100, 6_000_000)
"""Lowest and highest sample rate in Hz that is believed."""

# fmt: off
SUFFIXES = frozenset((
    ".wav", ".wave", ".bwf", ".flac", ".ogg", ".oga", ".opus", ".spx", ".mp3", ".mp2", ".mp1",
    ".mpa", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".voc", ".m4a",
    ".m4b", ".m4r", ".mp4", ".m4v", ".3gp", ".3g2", ".aac", ".adts", ".ac3", ".eac3", ".ec3",
    ".webm", ".weba", ".mka", ".mkv", ".mov", ".qt", ".wma", ".asf", ".wmv", ".wv", ".tta", ".ape",
    ".mpc", ".tak", ".amr", ".awb", ".dts", ".shn", ".avi", ".nist", ".sph", ".dsf",
))
"""Endings of file names that are taken for audio, in lower case."""

UNREAD_SUFFIXES = frozenset((
    ".mid", ".midi", ".kar", ".mod", ".xm", ".it", ".s3m", ".ra", ".rm", ".ram", ".rmvb", ".dff",
    ".aa", ".aax", ".m4p", ".ofr", ".ofs", ".la", ".l16", ".pcm", ".raw", ".sd2", ".cda", ".gsm",
    ".flv", ".ts", ".m2ts", ".mpg", ".mpeg", ".vob", ".ogv", ".ogm", ".sf2", ".sfz", ".rx2", ".rex",
    ".m3u", ".m3u8", ".pls", ".cue", ".qoa", ".thd", ".mlp", ".oma", ".vqf",
))
"""Endings of sound that is not read: such files are named as left out."""

CONTAINERS = (
    "mov", "matroska", "ogg", "asf", "aac", "ac3", "eac3", "mp3", "flac", "wav", "w64", "aiff",
    "au", "caf", "wv", "tta", "ape", "mpc", "mpc8", "tak", "amr", "dts", "shn", "avi", "dsf",
)
"""Demuxers that FFmpeg may use. None of them opens a second file: no playlists, no scripts."""
# fmt: on
