"""Small files of every format that can be written here, and what becomes of them by mishap.

Each file is the same second of sound, so that its right length is known.
"""

import av
import numpy as np
import soundfile

RATE = 24000  # of all files: one that Opus has as well
SECONDS = 1.0
LIBSNDFILE = {  # name: format, subtype
    "pcm16.wav": ("WAV", "PCM_16"),
    "pcm24.wav": ("WAVEX", "PCM_24"),
    "float.wav": ("WAV", "FLOAT"),
    "ima.wav": ("WAV", "IMA_ADPCM"),
    "ms.wav": ("WAV", "MS_ADPCM"),
    "gsm.wav": ("WAV", "GSM610"),
    "ulaw.wav": ("WAV", "ULAW"),
    "pcm16.rf64": ("RF64", "PCM_16"),
    "pcm16.w64": ("W64", "PCM_16"),
    "pcm16.aiff": ("AIFF", "PCM_16"),
    "ima.aiff": ("AIFF", "IMA_ADPCM"),
    "pcm16.caf": ("CAF", "PCM_16"),
    "alac.caf": ("CAF", "ALAC_16"),
    "pcm16.au": ("AU", "PCM_16"),
    "g721.au": ("AU", "G721_32"),
    "pcm16.nist": ("NIST", "PCM_16"),
    "pcm16.voc": ("VOC", "PCM_16"),
    "pcm16.flac": ("FLAC", "PCM_16"),
    "pcm24.flac": ("FLAC", "PCM_24"),
    "vorbis.ogg": ("OGG", "VORBIS"),
    "opus.opus": ("OGG", "OPUS"),
    "lame.mp3": ("MP3", "MPEG_LAYER_III"),
}
FFMPEG = {  # name: coder
    "aac.m4a": "aac",
    "alac.m4a": "alac",
    "aac.mkv": "aac",
    "flac.mkv": "flac",
    "opus.webm": "libopus",
    "adts.aac": "aac",
    "layer2.mp2": "mp2",
    "plain.mp3": "libmp3lame",
    "dolby.ac3": "ac3",
    "wavpack.wv": "wavpack",
    "true.tta": "tta",
    "windows.wma": "wmav2",
    "pcm.mov": "pcm_s16le",
    "pcm.avi": "pcm_s16le",
}
EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, -1)


def sound(channels):
    """A second of a gliding tone over noise: float32 (samples, channels)."""
    rng = np.random.default_rng(0)
    time = np.arange(round(RATE * SECONDS)) / RATE
    glide = 0.4 * np.sin(2 * np.pi * (300 * time + 400 * time**2))
    wave = glide[:, None] + 0.02 * rng.standard_normal((len(time), channels))
    return wave.astype(np.float32)


def encode(path, coder, wave):
    """Write mono audio with FFmpeg."""
    options = {"write_xing": "0"} if path.name == "plain.mp3" else {}
    rate = 48000 if coder in ("libopus", "ac3", "wmav2") else RATE
    with av.open(str(path), "w", options=options) as file:
        stream = file.add_stream(coder, rate=rate, layout="mono")
        form = stream.codec_context.format.name if stream.codec_context.format else "fltp"
        convert = av.AudioResampler(format=form, layout="mono", rate=rate, frame_size=1152)
        frame = av.AudioFrame.from_ndarray(wave.T.copy(), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        for part in [*convert.resample(frame), *convert.resample(None)]:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))


def write_all(folder):
    """Write a file of every format; those that a build of FFmpeg cannot write are left out."""
    made = []
    for number, (name, (form, subtype)) in enumerate(LIBSNDFILE.items()):
        channels = 1 + number % 2 * (subtype not in ("GSM610", "G721_32"))
        soundfile.write(folder / name, sound(channels), RATE, format=form, subtype=subtype)
        made.append(folder / name)
    for name, coder in FFMPEG.items():
        try:
            encode(folder / name, coder, sound(1))
        except (av.error.FFmpegError, ValueError):
            (folder / name).unlink(missing_ok=True)
        else:
            made.append(folder / name)
    return made


def flip_bits(rng, data, _):
    for place in rng.integers(len(data), size=rng.integers(1, 20)):
        data[place] ^= 1 << rng.integers(8)


def flip_header(rng, data, _):
    for place in rng.integers(min(len(data), 256), size=rng.integers(1, 6)):
        data[place] = rng.integers(256)


def rewrite_field(rng, data, _):
    """Put an extreme number into the header or, now and then, anywhere."""
    width = int(rng.choice([1, 2, 4, 8]))
    reach = min(len(data), 512 if rng.random() < 0.8 else len(data)) - width
    place = int(rng.integers(max(1, reach)))
    value = int(rng.choice(np.array(EXTREMES, object))) % 256**width
    data[place : place + width] = value.to_bytes(width, rng.choice(["little", "big"]))


def cut(rng, data, _):
    del data[rng.integers(1, len(data)) :]


def remove(rng, data, _):
    place = int(rng.integers(len(data)))
    del data[place : place + int(rng.integers(1, 2000))]


def wipe(rng, data, _):
    place, count = int(rng.integers(len(data))), int(rng.integers(1, 4000))
    data[place : place + count] = bytes(len(data[place : place + count]))


def splice(rng, data, other):
    """Put a part of another file in."""
    place, begin = int(rng.integers(len(data))), int(rng.integers(len(other)))
    data[place:place] = other[begin : begin + int(rng.integers(1, 8000))]


def graft(rng, data, other):
    """Go on with the rest of another file."""
    place = int(rng.integers(len(data)))
    data[place:] = other[int(rng.integers(len(other))) :]


def append_junk(rng, data, _):
    data += rng.bytes(int(rng.integers(1, 3000)))


def repeat(rng, data, _):
    data += bytes(data)


MISHAPS = (
    flip_bits, flip_header, flip_header, rewrite_field, rewrite_field, rewrite_field, cut, remove,
    wipe, splice, graft, append_junk, repeat,
)  # fmt: skip


def mutants(files, count, seed):
    """Mutants of files, in turn: name and bytes; the same for the same seed."""
    contents = [file.read_bytes() for file in files]
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        which = number % len(files)
        data, other = bytearray(contents[which]), contents[rng.integers(len(files))]
        done = []
        for _ in range(rng.integers(1, 4)):
            mishap = MISHAPS[rng.integers(len(MISHAPS))]
            mishap(rng, data, other)
            done.append(mishap.__name__)
            if not data:
                data += b"\0"
        yield f"{number:05d}-{'-'.join(done)}-{files[which].name}", bytes(data)
