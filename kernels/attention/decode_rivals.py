"""Decode in PyTorch: three plain operations, SDPA with shared KV heads, and FlexAttention."""

from __future__ import annotations

import torch

from kernels.attention.decode_inputs import FP8, DecodeInputs
from kernels.attention.decode_reference import dense_cache, visible_keys
from kernels.attention.torch_impl import sdpa_masked_forward
from kernels.errors import InvalidInputs


def naive_decode(inputs: DecodeInputs) -> torch.Tensor:
    """matmul, softmax, matmul in the dtype of q, over a cache made dense first. A sink logit is one more score, whose
    probability is dropped, as gpt-oss writes it."""
    q, (k, v) = inputs.q, dense_cache(inputs, inputs.q.dtype)
    batch, heads, query_len, _ = q.shape
    grouped = q.reshape(batch, inputs.kv_heads, inputs.rows, -1)
    scores = ((grouped @ k.mT) * inputs.softmax_scale).reshape(batch, heads, query_len, -1)
    visible = visible_keys(inputs)[:, None]
    scores = scores.masked_fill(~visible, float("-inf"))
    if inputs.sink_logits is not None:
        sinks = inputs.sink_logits.to(q.dtype)[:, None, None].expand(batch, heads, query_len, 1)
        scores = torch.cat([scores, sinks], -1)
    p = torch.softmax(scores, dim=-1)[..., : inputs.capacity]
    p = p.masked_fill(~visible.any(-1, keepdim=True), 0.0)  # rows that see nothing, where softmax gives NaN
    return (p.reshape(batch, inputs.kv_heads, inputs.rows, -1) @ v).reshape(batch, heads, query_len, -1)


def sdpa_decode(inputs: DecodeInputs) -> torch.Tensor:
    """scaled_dot_product_attention with enable_gqa. PyTorch chooses the backend. A mask is passed only where some key
    is hidden; unused keys must then be finite, since PyTorch multiplies them by zero."""
    check_rival(inputs, "sdpa-gqa")
    q, k, v = inputs.q, inputs.k, inputs.v
    if inputs.lengths is None and inputs.window is None and q.shape[2] == 1:
        return torch.nn.functional.scaled_dot_product_attention(
            q, k, v, scale=inputs.softmax_scale, enable_gqa=q.shape[1] != k.shape[1]
        )
    return sdpa_masked_forward(q, k, v, mask=visible_keys(inputs)[:, None], softmax_scale=inputs.softmax_scale)


def flex_decode(inputs: DecodeInputs) -> torch.Tensor:
    """FlexAttention with the mask as a mask_mod; compiled on a GPU. Unused keys must be finite, as in `sdpa_decode`."""
    check_rival(inputs, "flex")
    # Imported late: it loads PyTorch's compiler.
    from torch.nn.attention.flex_attention import create_block_mask

    from kernels.attention.flex import flex_forward

    q, k, v = inputs.q, inputs.k, inputs.v
    visible = visible_keys(inputs)

    def sees(b: torch.Tensor, h: torch.Tensor, q_idx: torch.Tensor, kv_idx: torch.Tensor) -> torch.Tensor:
        return visible[b, q_idx, kv_idx]

    block_mask = create_block_mask(
        sees, B=q.shape[0], H=None, Q_LEN=q.shape[2], KV_LEN=inputs.capacity, device=str(q.device)
    )
    return flex_forward(q, k, v, mask=block_mask, softmax_scale=inputs.softmax_scale)


def check_rival(inputs: DecodeInputs, impl: str) -> None:
    """Raises InvalidInputs for what neither SDPA nor FlexAttention takes as it is."""
    if inputs.block_table is not None:
        raise InvalidInputs("{impl} reads no pages: gather them into a contiguous cache first.", impl=impl)
    if inputs.k.dtype == FP8 or inputs.k_scale is not None or inputs.v_scale is not None:
        raise InvalidInputs("{impl} takes no scaled or 8-bit cache: restore it to the dtype of Q first.", impl=impl)
    if inputs.sink_logits is not None:
        raise InvalidInputs("{impl} takes no sink logits: use triton-split-kv or torch-naive.", impl=impl)
