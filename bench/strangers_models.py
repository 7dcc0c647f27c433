"""Models that a stranger made, and the networks that they name."""

import json
import pickle
import shutil
import struct
from functools import partial

import torch
from safetensors.torch import load_file, save_file

from strangers_made import EVIL, HUGE, Case, Evil, placed


def _embed(base, folder):
    return ["embed", folder / "model", base / "sounds", "-o", folder / "out.parquet"]


def _model(base, folder):
    """A copy of the honest model."""
    (folder / "model").mkdir(exist_ok=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(base / "run" / name, folder / "model")
    return folder / "model"


CONFIGURATIONS = {
    "model.encoder.depth": [HUGE, -1, 1e308, 200],
    "model.encoder.width": [HUGE, 20_000, 0],
    "model.encoder.patch": [HUGE, 64],
    "model.encoder.contrast": [1e300, float("nan")],
    "model.decoder.widths": [[HUGE], [64] * 10_000],
    "model.encoder": [
        {"kind": "conv", "channels": [HUGE]},
        {"kind": "conv", "channels": [1] * 5000},
        {"kind": "frames", "width": HUGE, "depth": HUGE},
        {"kind": "inception", "width": 1e9},
        {"kind": "../../evil"},
    ],
    "model.decoder": [{"kind": "conv", "channels": [1] * 40}],
    "model.levels": [{"shared": 1}, {"shared": HUGE}],
    "frontend.n_mels": [HUGE, -1, 1024],
    "frontend.n_fft": [2**30, 15],
    "frontend.hop": [0, 1, HUGE],
    "frontend.seconds": [1e9, 1e-9, float("inf"), float("nan")],
    "frontend.sample_rate": [1, 10**12],
    "frontend.floor_db": [1e30, float("nan")],
    "facets": [{}, {"a": HUGE}, {"a": -1}, {"a": 0.5}, {f"f{n}": 1 for n in range(20_000)}, "a"],
    "lufs": [float("nan"), 1e300, "loud", [1]],
    "about": [7],
    "format": [2, "1", None, {}],
}
TEXTS = {
    "deep": "[" * 10**6 + "]" * 10**6,
    "long": '{"format": 1, "about": "' + "x" * 10**8 + '"}',
    "no JSON": "{",
    "a number": "1",
    "a huge number": '{"format": ' + "9" * 10**5 + "}",
    "binary": "\x00\x01\x02",
}


def cases(base):
    """All cases; ``base`` has an honest run and sounds."""
    for make in (_configurations, _weights, _networks):
        yield from make(base)


def _configurations(base):
    def change(path, value, folder):
        file = _model(base, folder) / "config.json"
        config = json.loads(file.read_text(encoding="utf-8"))
        placed(config, path, value)
        file.write_text(json.dumps(config), encoding="utf-8")
        return _embed(base, folder)

    def replace(text, folder):
        (_model(base, folder) / "config.json").write_text(text, encoding="utf-8")
        return _embed(base, folder)

    for path, values in CONFIGURATIONS.items():
        for value in values:
            name = f"config.json: {path}={str(value)[:40]}"
            yield Case(name, "refused", partial(change, path, value))
    for name, text in TEXTS.items():
        yield Case(f"config.json: {name}", "refused", partial(replace, text))
        yield Case(f"info: {name}", "refused", lambda folder, text=text: [
            *replace(text, folder)[:0], "info", folder / "model"
        ])  # fmt: skip


def _weights(base):
    def change(alter, folder):
        file = _model(base, folder) / "model.safetensors"
        tensors = load_file(file)
        alter(tensors)
        save_file(tensors, file)
        return _embed(base, folder)

    def raw(make, folder):
        file = _model(base, folder) / "model.safetensors"
        file.write_bytes(make(file.read_bytes()))
        return _embed(base, folder)

    first = "network.encoder.patches.0.weight"
    altered = {
        "NaN": lambda t: t[first].view(-1)[0].fill_(torch.nan),
        "infinite": lambda t: t[first].fill_(torch.inf),
        "deviation 0": lambda t: t["standardise.std"].zero_(),
        "mean NaN": lambda t: t["standardise.mean"].fill_(torch.nan),
        "mean of a million": lambda t: t.update({"standardise.mean": torch.zeros(10**6)}),
        "one lacks": lambda t: t.pop(first),
        "one too many": lambda t: t.update({"network.more": torch.zeros(3)}),
        "none": lambda t: t.clear(),
    }
    for name, alter in altered.items():
        yield Case(f"weights: {name}", "refused", partial(change, alter))
    raws = {
        "empty": lambda data: b"",
        "half": lambda data: data[: len(data) // 2],
        "a pickle": lambda data: pickle.dumps(Evil()),
        "a header of 2^62 bytes": lambda data: struct.pack("<Q", 2**62) + data[8:],
        "a deep header": lambda data: struct.pack("<Q", 10**6) + b"[" * 10**6,
        "offsets outside": lambda data: _header({first: _entry([32, 192], 0, 2**40)}),
        "a shape of 2^60": lambda data: _header({first: _entry([2**30, 2**30], 0, 4)}) + b"0000",
    }
    for name, make in raws.items():
        yield Case(f"weights: {name}", "refused", partial(raw, make))

    def beside(folder):
        model = _model(base, folder)
        for name in ("pytorch_model.bin", "model.pt", "model.pkl", "last.ckpt"):
            (model / name).write_bytes(pickle.dumps(Evil()))
        return _embed(base, folder)

    yield Case("weights: pickles beside them", "works", beside)

    def embeddings(suffix, folder):
        file = folder / f"codes{suffix}"
        file.write_bytes(b"\x93NUMPY\x01\x00v\x00" + _object_array())
        (folder / "labels.csv").write_text("a\n1\n", encoding="utf-8")
        return ["audit", file, folder / "labels.csv", "--facets", "a=0:1", "-o", folder / "out"]

    yield Case("embeddings: an array of pickled objects", "refused", partial(embeddings, ".npy"))


def _entry(shape, begin, end):
    return {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}


def _header(entries):
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


def _object_array():
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    return head.ljust(117) + b"\n" + pickle.dumps([Evil()])


# --- networks of front-ends -----------------------------------------------------------------------


def _networks(base):
    def named(network, folder):
        file = _model(base, folder) / "config.json"
        config = json.loads(file.read_text(encoding="utf-8"))
        config["frontend"] = {"kind": "encoder", "model": network, "seconds": 1.0}
        file.write_text(json.dumps(config), encoding="utf-8")
        return _embed(base, folder)

    def local(settings, extractor, folder):
        network = folder / "network"
        network.mkdir()
        (network / "config.json").write_text(json.dumps(settings), encoding="utf-8")
        if extractor is not None:
            (network / "preprocessor_config.json").write_text(
                json.dumps(extractor), encoding="utf-8"
            )
        save_file({"x": torch.zeros(3)}, network / "model.safetensors", {"format": "pt"})
        (network / "evil.py").write_text(EVIL, encoding="utf-8")
        (network / "pytorch_model.bin").write_bytes(pickle.dumps(Evil()))
        return named(str(network), folder)

    for name in (
        "evil/model",
        "https://evil.example/model",
        "../../model",
        "-rf",
        "a" * 500,
        "a\0b",
        "~nobody/x",
        "",
    ):
        yield Case(f"network: '{name[:30]}' on the hub", "refused", partial(named, name))
    yield Case(
        "network: on the hub, allowed",
        "refused",
        lambda folder: [*named("evil/model", folder), "--allow-download"],
        fetches=True,
    )
    code = {"AutoConfig": "evil.C", "AutoModel": "evil.M", "AutoFeatureExtractor": "evil.E"}
    odd = {
        "code of its own": ({"model_type": "evil", "auto_map": code}, None),
        "code of the hub": ({"model_type": "evil", "auto_map": {"AutoModel": "x/y--evil.M"}}, None),
        "an extractor of its own": (
            {"model_type": "wav2vec2", "auto_map": code},
            {"feature_extractor_type": "E", "auto_map": code},
        ),
        "a billion layers": ({"model_type": "wav2vec2", "num_hidden_layers": HUGE}, {}),
        "a billion wide": ({"model_type": "wav2vec2", "hidden_size": 12 * 10**6}, {}),
        "a kernel of the hub": ({"model_type": "wav2vec2", "attn_implementation": "x/kernel"}, {}),
        "more than its weights": ({"model_type": "wav2vec2"}, {}),
        "filters for gigabytes": (
            {"model_type": "clap"}, {"feature_extractor_type": "ClapFeatureExtractor",
                                     "feature_size": 10**6, "fft_window_size": 2**20},
        ),
        "an adapter": ({"model_type": "wav2vec2", "base_model_name_or_path": "x/y"}, {}),
        "a list": ([1], None),
        "depth": ("[" * 2000 + "]" * 2000, None),
    }  # fmt: skip
    for name, (settings, extractor) in odd.items():
        yield Case(f"network: {name}", "refused", partial(local, settings, extractor))
