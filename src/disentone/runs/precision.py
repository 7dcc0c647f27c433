"""The precision that a device trains in: bfloat16 only where the processor itself multiplies it."""

from __future__ import annotations

import os
import platform

from disentone.models.lazy import torch
from disentone.recipes.schema import AUTO, Precision

__all__ = ["cost_note", "kind_of", "multiplies_bfloat16", "resolved"]

# Values of ONEDNN_MAX_CPU_ISA that keep oneDNN, which multiplies for torch, from instructions that
# the processor has. oneDNN ignores values that it does not know, and so do we.
WITHOUT_BFLOAT16 = {
    "SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"
}  # fmt: skip
WITHOUT_AMX = WITHOUT_BFLOAT16 | {"AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX10_1_512"}
MKL_WITHOUT_AVX512 = {"SSE4_2", "AVX", "AVX2", "AVX2_E1"}


def resolved(precision: Precision, device: str | torch.device) -> Precision:
    """Give the precision itself, or for ``auto`` the one that is fast on a device.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
    device : str or torch.device

    Returns
    -------
    {"float32", "bfloat16"}
    """
    if precision != AUTO:
        return precision
    return "bfloat16" if multiplies_bfloat16(device) else "float32"


def multiplies_bfloat16(device: str | torch.device) -> bool:
    """Whether a device has instructions that multiply bfloat16, and may use them.

    NVIDIA's GPUs have them from Ampere (8.0) on, Intel's and AMD's processors with AMX or AVX-512
    BF16. Others convert every number to float32 and back: an epoch of the demo took 1.6 times as
    long as in float32 with AVX-512, and ten times with AVX2. A device whose abilities cannot be
    read counts as one that has none.

    Parameters
    ----------
    device : str or torch.device
    """
    device = torch.device(device)
    if device.type == "cuda" and torch.version.hip is None:  # AMD numbers its GPUs otherwise
        return _cuda_capability(device) >= (8, 0)
    return device.type == "cpu" and _cpu_multiplies()


def cost_note(precision: Precision, device: str | torch.device) -> str:
    """Describe in one line the precision of a run, and what it costs where it is slow.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}
    device : str or torch.device
    """
    if precision == "bfloat16" and not multiplies_bfloat16(device):
        return (
            "Precision: bfloat16, which this machine does not multiply natively: training takes up "
            "to ten times as long as in float32."
        )
    return f"Precision: {precision}."


def kind_of(device: str | torch.device) -> str:
    """Name the kind of machine, such as ``x86_64 AVX2``: others round sums otherwise.

    Parameters
    ----------
    device : str or torch.device
    """
    device = torch.device(device)
    if device.type == "cuda":
        return "cuda {}.{}".format(*_cuda_capability(device))
    if device.type != "cpu":
        return device.type
    bfloat16 = " bfloat16" if _cpu_multiplies() else ""
    return f"{platform.machine()} {_vectors()}{bfloat16}"


def _cuda_capability(device: torch.device) -> tuple[int, int]:
    try:
        return torch.cuda.get_device_capability(device)
    except (AssertionError, AttributeError, RuntimeError):  # as torch without CUDA raises
        return (0, 0)


def _cpu_multiplies() -> bool:
    """Whether this processor multiplies bfloat16, and no setting keeps torch from it."""
    abilities = _cpu_abilities()
    cap = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "")).upper()
    vectors = "avx512_bf16" in abilities and cap not in WITHOUT_BFLOAT16
    tiles = "amx_tile" in abilities and cap not in WITHOUT_AMX
    mkl = os.environ.get("MKL_ENABLE_INSTRUCTIONS", "").upper()
    allowed = _vectors().startswith("AVX512") and mkl not in MKL_WITHOUT_AVX512
    return (vectors or tiles) and allowed and torch.backends.mkldnn.is_available()


def _cpu_abilities() -> set[str]:
    """Which of AVX-512 BF16 and AMX the processor has; none where torch cannot detect them."""
    # Private, but in every torch since 2.6; the public get_capabilities is newer.
    asked = {"avx512_bf16": "_is_avx512_bf16_supported", "amx_tile": "_is_amx_tile_supported"}
    try:
        return {ability for ability, name in asked.items() if getattr(torch.cpu, name)()}
    except (AttributeError, RuntimeError):
        return set()


def _vectors() -> str:
    """Vector instructions that torch uses, capped by ATEN_CPU_CAPABILITY: ``AVX2`` ..."""
    try:
        return torch.backends.cpu.get_cpu_capability()
    except (AttributeError, RuntimeError):
        return "unknown"
