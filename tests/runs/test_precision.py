"""Which precision each kind of machine trains in: what a machine can do is put in place of ours."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tiny_training
from disentone.runs.precision import cost_note, kind_of, resolved

CAPS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")
BOTH = {"avx512_bf16", "amx_tile"}


@pytest.fixture
def processor(monkeypatch):
    """Put a processor in place of ours: its abilities, the vectors torch uses, and caps."""

    def put(abilities, vectors="AVX512", **caps):
        for name in CAPS:
            monkeypatch.delenv(name, raising=False)
        for name, value in caps.items():
            monkeypatch.setenv(name, value)
        for name in BOTH:
            has = name in abilities
            monkeypatch.setattr(torch.cpu, f"_is_{name}_supported", lambda has=has: has)
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: vectors)
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)

    return put


@pytest.mark.parametrize(
    ("abilities", "vectors", "found"),
    [
        (BOTH, "AVX512", "bfloat16"),  # Sapphire Rapids
        ({"avx512_bf16"}, "AVX512", "bfloat16"),  # Cooper Lake, Zen 4
        ({"amx_tile"}, "AVX512", "bfloat16"),
        (set(), "AVX512", "float32"),  # Skylake-X, Ice Lake
        (set(), "AVX2", "float32"),  # Zen 3 and most laptops
        (set(), "DEFAULT", "float32"),  # ARM
        (BOTH, "AVX2", "float32"),  # ATEN_CPU_CAPABILITY=avx2
        (BOTH, "NO AVX", "float32"),
    ],
)
def test_processors(processor, abilities, vectors, found):
    processor(abilities, vectors)
    assert resolved("auto", "cpu") == found
    bfloat16 = " bfloat16" if found == "bfloat16" else ""
    assert kind_of("cpu") == f"{platform.machine()} {vectors}{bfloat16}"


@pytest.mark.parametrize(
    ("caps", "found"),
    [
        ({"ONEDNN_MAX_CPU_ISA": "AVX2"}, "float32"),
        ({"ONEDNN_MAX_CPU_ISA": "avx2"}, "float32"),
        ({"DNNL_MAX_CPU_ISA": "AVX2"}, "float32"),
        ({"MKL_ENABLE_INSTRUCTIONS": "AVX2"}, "float32"),
        ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, "float32"),
        ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}, "bfloat16"),
        ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_AMX"}, "bfloat16"),
        ({"ONEDNN_MAX_CPU_ISA": "DEFAULT", "MKL_ENABLE_INSTRUCTIONS": "AVX512"}, "bfloat16"),
        ({"ONEDNN_MAX_CPU_ISA": "FOO", "MKL_ENABLE_INSTRUCTIONS": "BAR"}, "bfloat16"),  # ignored
    ],
)
def test_caps_take_from_what_a_processor_has(processor, caps, found):
    processor(BOTH, **caps)
    assert resolved("auto", "cpu") == found


@pytest.mark.parametrize("cap", ["AVX512_CORE_AMX", "AVX10_1_512_AMX_FP16", "FOO"])
def test_caps_add_nothing_that_a_processor_has_not(processor, cap):
    processor(set(), ONEDNN_MAX_CPU_ISA=cap)
    assert resolved("auto", "cpu") == "float32"


def test_tiles_alone_need_a_cap_that_allows_them(processor):
    processor({"amx_tile"}, ONEDNN_MAX_CPU_ISA="AVX512_CORE_BF16")
    assert resolved("auto", "cpu") == "float32"
    processor({"amx_tile"}, ONEDNN_MAX_CPU_ISA="AVX512_CORE_AMX")
    assert resolved("auto", "cpu") == "bfloat16"


def test_torch_without_onednn_has_nothing_to_multiply_with(processor, monkeypatch):
    processor(BOTH)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert resolved("auto", "cpu") == "float32"


def fail(*_):
    raise RuntimeError("unreadable")


@pytest.mark.parametrize("broken", ["abilities", "names", "vectors"])
def test_a_processor_that_cannot_be_read_trains_in_float32(processor, monkeypatch, broken):
    processor(BOTH)
    if broken == "abilities":
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", fail)
    if broken == "names":  # another version of torch
        monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    if broken == "vectors":
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", fail)
    assert resolved("auto", "cpu") == "float32"
    assert kind_of("cpu").startswith(platform.machine())


@pytest.mark.parametrize(
    ("capability", "found"),
    [
        ((7, 0), "float32"),  # Volta
        ((7, 5), "float32"),  # Turing
        ((8, 0), "bfloat16"),  # Ampere
        ((8, 9), "bfloat16"),  # Ada
        ((9, 0), "bfloat16"),  # Hopper
    ],
)
def test_gpus(monkeypatch, capability, found):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.version, "hip", None)
    for device in ("cuda", "cuda:1", torch.device("cuda")):
        assert resolved("auto", device) == found
        assert kind_of(device) == "cuda {}.{}".format(*capability)
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert resolved("auto", "cuda") == "float32", "AMD's numbers say something else"


def test_a_gpu_that_cannot_be_read_trains_in_float32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", fail)
    assert resolved("auto", "cuda") == "float32"


def test_other_devices_train_in_float32():
    assert resolved("auto", "mps") == "float32"
    assert kind_of("mps") == "mps"


@pytest.mark.parametrize("abilities", [set(), BOTH])
@pytest.mark.parametrize("given", ["float32", "bfloat16"])
def test_what_is_asked_for_is_done_and_its_cost_is_told(processor, abilities, given):
    processor(abilities)
    assert resolved(given, "cpu") == given
    note = cost_note(given, "cpu")
    assert note.startswith(f"Precision: {given}")
    assert ("ten times as long" in note) == (given == "bfloat16" and not abilities)
    assert "\n" not in note


def test_caps_are_as_torch_sees_them(tmp_path):
    """On whatever runs this: under the caps of AVX2 auto is float32, and both precisions train."""
    code = (
        "import json, sys, tiny_training as tiny; from disentone.runs.precision import kind_of\n"
        "losses = {p: tiny.train(f'{sys.argv[1]}/{p}', epochs=1, precision=p)[1][0]['train/total']"
        " for p in ('auto', 'float32', 'bfloat16')}\n"
        "print(json.dumps([kind_of('cpu'), losses]))"
    )
    capped = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2",
              "MKL_ENABLE_INSTRUCTIONS": "AVX2", "OMP_NUM_THREADS": "1"}  # fmt: skip
    here = {
        "PYTHONPATH": os.pathsep.join([str(Path(tiny_training.__file__).parent), *sys.path[1:]])
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | capped | here, capture_output=True, text=True, check=True,
    )  # fmt: skip
    kind, losses = json.loads(done.stdout)
    assert kind.split()[1:] in (["AVX2"], ["DEFAULT"])
    assert losses["auto"] == losses["float32"] != losses["bfloat16"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)
