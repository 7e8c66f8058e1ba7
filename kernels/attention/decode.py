"""Attention of the newest tokens over a KV cache: one public function for heads with K and V, one for a latent cache.

`impl` runs or raises: there is no silent fallback.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import torch

from kernels.attention.decode_inputs import FP8, MAX_QUERY_LEN, PAGE_SIZES, DecodeInputs, check_decode
from kernels.attention.decode_reference import decode_reference
from kernels.attention.decode_rivals import flex_decode, naive_decode, sdpa_decode
from kernels.attention.decode_tiling import (
    MAX_SPLITS,
    DecodeTiling,
    choose_decode_tiling,
    choose_splits,
)
from kernels.attention.inputs import check_blocks
from kernels.errors import InvalidInputs, Unavailable
from kernels.launching import device_target, has_triton, launching, sm_count, triton_unavailable

__all__ = [
    "MAX_QUERY_LEN",
    "PAGE_SIZES",
    "DecodeImpl",
    "DecodeOutput",
    "choose_splits",
    "decode_attention",
    "decode_available",
    "decode_latent_attention",
]


_MAX_SEQUENCES_TIMES_HEADS = 65_535
"""CUDA's limit of the third dimension of a grid."""


class DecodeImpl(StrEnum):
    """From the reference to the fastest alternatives."""

    REFERENCE = "reference"
    TORCH_NAIVE = "torch-naive"
    TRITON = "triton-split-kv"
    SDPA = "sdpa-gqa"
    FLEX = "flex"


@dataclass(frozen=True)
class DecodeOutput:
    """The outputs of one call, on the device of the inputs.

    out     [batch, heads, query_len, value_dim], in the dtype of q (float64 for the reference)
    lse     natural log-sum-exp of the scaled scores and the sink logit [batch, heads, query_len]: float64 for the
            reference, float32 for triton-split-kv, None for the others
    tiling  and `splits`, how the Triton kernels were launched
    """

    out: torch.Tensor
    lse: torch.Tensor | None = None
    tiling: DecodeTiling | None = None
    splits: int | None = None


def decode_available(impl: DecodeImpl, device: torch.device | str) -> Unavailable | None:
    """None if `impl` can run on `device` without interception, otherwise the error that says why not."""
    impl, device = DecodeImpl(impl), torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        return Unavailable("PyTorch sees no GPU on this machine.")
    if impl is DecodeImpl.TRITON:
        return triton_unavailable(device)
    if impl is DecodeImpl.FLEX and device.type == "cuda" and not has_triton():
        return Unavailable("FlexAttention on a GPU needs Triton as its compiler, and Triton is not installed.")
    return None


def decode_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    impl: DecodeImpl,
    lengths: torch.Tensor | None = None,
    block_table: torch.Tensor | None = None,
    softmax_scale: float | None = None,
    window: int | None = None,
    sink_tokens: int = 0,
    sink_logits: torch.Tensor | None = None,
    k_scale: torch.Tensor | None = None,
    v_scale: torch.Tensor | None = None,
    splits: int | None = None,
    block_rows: int | None = None,
    block_kv: int | None = None,
) -> DecodeOutput:
    """softmax(softmax_scale Q K^T) V for the newest 1 to 16 tokens of each sequence, computed by `impl` alone.

    q [batch, heads, query_len, head_dim], float32, float16 or bfloat16. The cache has any strides, the dtype of q or
    float8_e4m3fn, and is one of:

    - contiguous: k and v [batch, kv_heads, capacity, head_dim];
    - paged: k and v [pages, page_size, kv_heads, head_dim], page_size 16 to 256, and `block_table` int32 [batch,
      max_pages]: key j of sequence b is row j % page_size of page block_table[b, j // page_size].

    kv_heads divides heads: query head h reads KV head h // (heads // kv_heads). head_dim is a multiple of 16 up to 256;
    that of V may differ. `lengths` int32 [batch] counts the keys of each sequence, those of the query tokens included;
    None is a full cache. What lies beyond a length is not read. Query token t has position length - query_len + t and
    sees the keys up to it; one at a negative position sees nothing and gives zeros and a log-sum-exp of -inf.

    `window`: of these only the last `window` keys, the token's own included, and besides them the first `sink_tokens`
    of the sequence (attention sinks of StreamingLLM: Xiao et al. 2023, arXiv 2309.17453). `sink_logits` [heads]: a
    learned logit per head that only the denominator of the softmax counts (gpt-oss model card 2025, arXiv 2508.10925,
    section 2.2); the scale does not apply to it. `k_scale` and `v_scale` float32, one number or [kv_heads], positive:
    the cache holds K / k_scale and V / v_scale.

    `splits` (1 to 128) programs share the keys of a KV head; None fills the GPU (132 SMs where there is none).
    `block_rows` and `block_kv` are tile sizes; None chooses them.

    Raises InvalidInputs for unsupported shapes, dtypes and options, Unavailable when `impl` cannot run here. Triton
    kernels need a GPU, unless the launches are intercepted and executed on CPU tensors.
    """
    scale = 1.0 / math.sqrt(max(1, q.shape[-1])) if softmax_scale is None else float(softmax_scale)
    inputs = DecodeInputs(q, k, v, scale, lengths, block_table, window, sink_tokens, sink_logits, k_scale, v_scale)
    return _decode(inputs, DecodeImpl(impl), splits, block_rows, block_kv)


def decode_latent_attention(
    q: torch.Tensor,
    latent: torch.Tensor,
    *,
    latent_dim: int,
    softmax_scale: float,
    impl: DecodeImpl,
    lengths: torch.Tensor | None = None,
    block_table: torch.Tensor | None = None,
    latent_scale: torch.Tensor | None = None,
    splits: int | None = None,
    block_rows: int | None = None,
    block_kv: int | None = None,
) -> DecodeOutput:
    """Attention in the latent space of absorbed MLA (DeepSeek-V2: DeepSeek-AI 2024, arXiv 2405.04434, section 2.1).

    q [batch, heads, query_len, latent_dim + rotary_dim]: the queries times W_UK, and their rotary part. `latent` is
    [batch, capacity, latent_dim + rotary_dim], or paged [pages, page_size, latent_dim + rotary_dim]: all heads share it
    as K, and its first `latent_dim` columns are V, loaded once for both. The output has `latent_dim` columns, which the
    caller multiplies by W_UV. latent_dim is a multiple of 16 up to 512, rotary_dim a multiple of 16.

    The scale is that of the heads before absorption, 1 / sqrt(128 + 64) in DeepSeek-V3. Everything else is as in
    `decode_attention`. More rows (heads times query tokens) than a tile holds take several tiles, and each reads the
    cache: at latent_dim 512 a tile holds 32 rows.
    """
    axis = 1 if block_table is None else 2
    k = latent.unsqueeze(axis) if latent.dim() == 3 else latent
    if latent.dim() != 3 or not 0 < latent_dim < latent.shape[2]:
        raise InvalidInputs(
            "The latent cache must be [batch, length, width] or [pages, page_size, width], wider than latent_dim "
            "{latent_dim}, not {shape}.",
            latent_dim=latent_dim,
            shape=str(list(latent.shape)),
        )
    inputs = DecodeInputs(
        q, k, k[..., :latent_dim], float(softmax_scale), lengths, block_table,
        k_scale=latent_scale, v_scale=latent_scale, v_in_k=True,
    )  # fmt: skip
    return _decode(inputs, DecodeImpl(impl), splits, block_rows, block_kv)


def _decode(
    inputs: DecodeInputs, impl: DecodeImpl, splits: int | None, block_rows: int | None, block_kv: int | None
) -> DecodeOutput:
    check_decode(inputs)
    check_blocks(block_rows, block_kv, names=("block_rows", "block_kv"))
    if splits is not None and not 1 <= splits <= MAX_SPLITS:
        raise InvalidInputs("splits must be from 1 to {limit}, not {splits}.", limit=MAX_SPLITS, splits=splits)
    if impl is DecodeImpl.TRITON:
        return _triton_decode(inputs, splits, block_rows, block_kv)
    if unavailable := decode_available(impl, inputs.q.device):
        raise unavailable
    if impl is DecodeImpl.REFERENCE:
        return DecodeOutput(*decode_reference(inputs))
    forward = {
        DecodeImpl.TORCH_NAIVE: naive_decode, DecodeImpl.SDPA: sdpa_decode, DecodeImpl.FLEX: flex_decode
    }[impl]  # fmt: skip
    return DecodeOutput(forward(inputs))


def _triton_decode(
    inputs: DecodeInputs, splits: int | None, block_rows: int | None, block_kv: int | None
) -> DecodeOutput:
    q, target = inputs.q, device_target(inputs.q.device)
    if q.shape[0] * inputs.kv_heads > _MAX_SEQUENCES_TIMES_HEADS:
        raise InvalidInputs(
            "batch times KV heads must be at most {limit}, the programs in one direction of a grid, not {count}: "
            "divide the batch.",
            limit=_MAX_SEQUENCES_TIMES_HEADS,
            count=q.shape[0] * inputs.kv_heads,
        )
    if inputs.k.dtype == FP8 and target is not None and target.startswith("sm_8") and target != "sm_89":
        raise Unavailable(
            "An 8-bit cache needs a GPU of compute capability 8.9 or more, but this one is {target}.", target=target
        )
    tiling = choose_decode_tiling(
        rows=inputs.rows, key_dim=inputs.key_dim, value_dim=inputs.value_dim,
        element_bytes=inputs.k.element_size(), v_in_k=inputs.v_in_k, target=target, page_size=inputs.page_size,
        block_rows=block_rows, block_kv=block_kv,
    )  # fmt: skip
    splits = splits or choose_splits(
        batch=q.shape[0], kv_heads=inputs.kv_heads, key_len=inputs.most_keys_read, sm_count=sm_count(q.device),
        block_kv=tiling.block_kv, row_tiles=tiling.row_tiles(inputs.rows),
    )  # fmt: skip
    tiles = {"block_q": tiling.block_rows, "block_kv": tiling.block_kv}
    with launching(q.device, tiles={**tiles, "head_dim": inputs.key_dim, "dtype": str(inputs.k.dtype)}):
        # Imported late: Triton does not exist on every platform, and the other implementations do not need it.
        from kernels.attention.triton.decode import decode_forward

        out, lse = decode_forward(inputs, tiling=tiling, splits=splits)
    return DecodeOutput(out, lse, tiling, splits)
