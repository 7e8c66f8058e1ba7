"""The decode kernels compiled for GPUs that are not here: shared memory, registers, and what stands in the code."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed here")

from core.hardware.gpus import gpus
from kernels.attention.decode import DecodeImpl, decode_attention, decode_latent_attention
from tests.kernels.compiled import Compiled, compile_for, launches_of
from tests.kernels.conftest import INTERPRETED
from tests.kernels.decode_cases import FP8

SHARED_BYTES = {gpu.target: gpu.shared_memory_per_block_bytes for gpu in gpus().values()}
BF16 = torch.bfloat16

pytestmark = pytest.mark.skipif(INTERPRETED, reason="interpreted kernels are not compiled")


def empty(*shape: int, dtype: torch.dtype = BF16) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def lengths() -> torch.Tensor:
    return empty(2, dtype=torch.int32)


def compiled_with_heads(
    monkeypatch: pytest.MonkeyPatch, target: str, heads: int, kv_heads: int, query_len: int, head_dim: int,
    kv_dtype: torch.dtype = BF16, page_size: int = 0, window: int | None = None,
) -> list[Compiled]:  # fmt: skip
    q = empty(2, heads, query_len, head_dim)
    if page_size:
        cache, table = empty(600, page_size, kv_heads, head_dim, dtype=kv_dtype), empty(2, 512, dtype=torch.int32)
    else:
        cache, table = empty(2, kv_heads, 8192, head_dim, dtype=kv_dtype), None

    def call() -> object:
        return decode_attention(
            q, cache, cache, impl=DecodeImpl.TRITON, lengths=lengths(), block_table=table, window=window,
            sink_tokens=4 if window else 0,
        )  # fmt: skip

    return compiled(monkeypatch, target, call)


def compiled(monkeypatch: pytest.MonkeyPatch, target: str, call: object) -> list[Compiled]:
    return [compile_for(launch, target) for launch in launches_of(monkeypatch, call, target)]  # type: ignore[arg-type]


def assert_fits(kernels: list[Compiled], target: str) -> None:
    assert [kernel.name for kernel in kernels] == ["decode_split_kernel", "decode_merge_kernel"]
    for kernel in kernels:
        assert kernel.shared_bytes <= SHARED_BYTES[target]
        assert not kernel.spilled


@pytest.mark.parametrize(
    ("target", "shape", "options"),
    [
        ("sm_80", (32, 8, 1, 128), {}),
        ("sm_80", (32, 8, 1, 128), {"page_size": 16}),
        ("sm_90", (32, 8, 1, 128), {}),
        ("sm_90", (32, 1, 1, 128), {}),
        ("sm_90", (28, 4, 16, 128), {}),
        ("sm_90", (64, 8, 1, 64), {"window": 128}),
        ("sm_90", (8, 2, 16, 256), {}),
        ("sm_90", (32, 8, 1, 128), {"page_size": 16}),
        ("sm_90", (32, 8, 1, 128), {"page_size": 256, "kv_dtype": FP8}),
        ("sm_100", (32, 8, 1, 128), {}),
        ("gfx942", (32, 8, 1, 128), {}),
        ("gfx942", (32, 8, 1, 128), {"page_size": 16, "kv_dtype": FP8}),
    ],
)
def test_that_decode_compiles_without_a_gpu_fits_shared_memory_and_does_not_spill(
    target: str, shape: tuple[int, int, int, int], options: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_fits(compiled_with_heads(monkeypatch, target, *shape, **options), target)


@pytest.mark.parametrize("target", ["sm_80", "sm_90", "sm_100", "gfx942"])
@pytest.mark.parametrize("heads", [16, 128])
def test_that_decode_over_a_latent_of_512_compiles_and_does_not_spill(
    heads: int, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    q, latent = empty(2, heads, 1, 576), empty(2, 8192, 576)

    kernels = compiled(
        monkeypatch,
        target,
        lambda: decode_latent_attention(
            q, latent, latent_dim=512, softmax_scale=0.07, impl=DecodeImpl.TRITON, lengths=lengths()
        ),
    )

    assert_fits(kernels, target)


def test_that_whole_tiles_are_loaded_without_a_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    split, _ = compiled_with_heads(monkeypatch, "sm_90", 32, 8, 1, 128)

    loads = [line for line in split.asm["ttir"].splitlines() if "tt.load" in line and "64x128" in line]
    masked = ["," in line.split("tt.load")[1].split(":")[0] for line in loads]

    assert masked == [False, False, True, True]  # K and V of whole tiles, then of the last one
