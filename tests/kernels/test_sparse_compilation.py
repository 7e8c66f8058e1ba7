import re

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed here")

from core.hardware.gpus import gpus
from kernels.attention import MaskDescription, TermKind, block_mask, term
from kernels.attention.tiling import choose_tiling
from kernels.attention.triton.block_sparse import block_sparse_forward
from tests.kernels.compiled import Compiled, compile_for, launches_of
from tests.kernels.conftest import INTERPRETED
from tests.kernels.mask_cases import PRESETS, causal, cut, packed

SHARED_BYTES = {gpu.target: gpu.shared_memory_per_block_bytes for gpu in gpus().values()}
LENGTH = 4096

pytestmark = pytest.mark.skipif(INTERPRETED, reason="interpreted kernels are not compiled")


def compiled_mask(
    monkeypatch: pytest.MonkeyPatch,
    mask: MaskDescription,
    target: str,
    head_dim: int,
    dtype: torch.dtype,
    key_len: int = LENGTH,
    timeline: bool = False,
    block_kv: int | None = None,
) -> Compiled:
    tiling = choose_tiling(
        head_dim=head_dim, element_bytes=dtype.itemsize, target=target, sparse=True, block_kv=block_kv
    )
    q = torch.empty(2, 8, LENGTH, head_dim, dtype=dtype, device="meta")
    k = torch.empty(2, 4, key_len, head_dim, dtype=dtype, device="meta")
    blocks = block_mask(
        mask, batch=2, query_len=LENGTH, key_len=key_len, block_q=tiling.block_q, block_kv=tiling.block_kv
    )
    (launch,) = launches_of(
        monkeypatch,
        lambda: block_sparse_forward(
            q, k, torch.empty_like(k), mask=blocks, softmax_scale=0.1, tiling=tiling, timeline=timeline
        ),
    )
    return compile_for(launch, target)


@pytest.mark.parametrize(
    ("target", "head_dim", "dtype", "preset"),
    [
        ("sm_80", 64, torch.bfloat16, "window"),
        ("sm_80", 128, torch.bfloat16, "documents"),
        ("sm_90", 64, torch.float16, "prefix-lm"),
        ("sm_90", 128, torch.bfloat16, "causal"),
        ("sm_90", 128, torch.bfloat16, "window"),
        ("sm_90", 128, torch.float16, "documents"),
        ("sm_100", 64, torch.float16, "documents"),
        ("sm_100", 128, torch.bfloat16, "window"),
        ("gfx942", 64, torch.float16, "window"),
        ("gfx942", 128, torch.bfloat16, "documents"),
    ],
)
def test_that_the_kernel_compiles_without_a_gpu_fits_shared_memory_and_does_not_spill(
    target: str, head_dim: int, dtype: torch.dtype, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = compiled_mask(monkeypatch, PRESETS[preset](LENGTH, LENGTH), target, head_dim, dtype)

    assert kernel.name == "block_sparse_fwd_kernel"
    assert 0 < kernel.shared_bytes <= SHARED_BYTES[target]
    assert not kernel.spilled


def test_that_a_table_of_six_terms_compiles_for_hopper(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = {"q_ids": cut(LENGTH), "kv_ids": cut(LENGTH)}
    lengths = torch.tensor([1000, 3000])
    mask = (causal() & term(TermKind.WINDOW, 1024) | term(TermKind.SAME_IDS, **ids)) & term(
        TermKind.KEYS_BEFORE, lengths
    ) | term(TermKind.IDS_NOT_AFTER, **ids) & ~term(TermKind.QUERIES_BEFORE, lengths)
    assert len(mask.without_idle_terms().terms) == 6

    kernel = compiled_mask(monkeypatch, mask, "sm_90", 128, torch.bfloat16)

    assert not kernel.spilled
    assert "wgmma.mma_async" in kernel.asm["ptx"]


def test_that_requested_wide_tiles_fit_blackwell(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = compiled_mask(monkeypatch, packed(LENGTH, LENGTH), "sm_100", 128, torch.bfloat16, block_kv=128)

    assert kernel.shared_bytes <= SHARED_BYTES["sm_100"]


def loads(kernel: Compiled) -> list[str]:
    """',' for a load under a mask, '' for one without, of tiles with as many columns as the head has dimensions."""
    return re.findall(r"tt\.load %\w+(,?)[^\n]*tensor<\d+x64x!tt\.ptr", kernel.asm["ttir"])


def test_that_full_tiles_are_loaded_bare_and_only_a_ragged_end_costs_a_third_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    even = compiled_mask(monkeypatch, causal(), "sm_90", 64, torch.bfloat16)
    ragged = compiled_mask(monkeypatch, causal(), "sm_90", 64, torch.bfloat16, key_len=LENGTH - 1)

    assert loads(even) == [",", "", "", ",", ","]  # Q, then K and V of full tiles, then of partial ones
    assert loads(ragged) == [",", "", "", ",", ",", ",", ","]


def test_that_windows_and_lengths_are_no_constants_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (
        compiled_mask(monkeypatch, causal() & term(TermKind.WINDOW, width), "sm_90", 64, torch.float16)
        for width in (77, 555)
    )

    assert one.asm["ttir"] == other.asm["ttir"]


@pytest.mark.parametrize("timeline", [False, True])
def test_that_the_clock_is_read_only_when_a_timeline_is_requested(
    timeline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = compiled_mask(monkeypatch, causal(), "sm_90", 64, torch.bfloat16, timeline=timeline)

    assert kernel.asm["ptx"].count("%globaltimer") == (2 if timeline else 0)
