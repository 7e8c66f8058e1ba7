"""The inputs of decode (queries, a contiguous or paged KV cache, what is visible) and their checks."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kernels.attention.inputs import DTYPES, check_scale
from kernels.errors import InvalidInputs

MAX_QUERY_LEN = 16
MAX_HEAD_DIM = 256
MAX_LATENT_DIM = 512
PAGE_SIZES = (16, 32, 64, 128, 256)
FP8 = torch.float8_e4m3fn
_MAX_CAPACITY = (1 << 31) - 4096
"""Key positions are 32-bit in the kernel."""


@dataclass(frozen=True, eq=False)
class DecodeInputs:
    """One call, in the form that all implementations take.

    q            [batch, heads, query_len, key_dim]
    k            contiguous [batch, kv_heads, capacity, key_dim], or pages [pages, page_size, kv_heads, key_dim]
    v            like k with value_dim columns; a view of the first columns of k where `v_in_k`
    lengths      int32 [batch], keys in the cache, those of the query tokens included; None: `capacity`
    block_table  int32 [batch, max_pages]: page of keys [i * page_size, (i + 1) * page_size); None: contiguous
    """

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor
    softmax_scale: float
    lengths: torch.Tensor | None = None
    block_table: torch.Tensor | None = None
    window: int | None = None
    sink_tokens: int = 0
    sink_logits: torch.Tensor | None = None
    k_scale: torch.Tensor | None = None
    v_scale: torch.Tensor | None = None
    v_in_k: bool = False

    @property
    def kv_heads(self) -> int:
        return self.k.shape[1 if self.block_table is None else 2]

    @property
    def rows(self) -> int:
        """Query heads of a KV group, times the query tokens."""
        return self.q.shape[1] // self.kv_heads * self.q.shape[2]

    @property
    def key_dim(self) -> int:
        return self.q.shape[3]

    @property
    def value_dim(self) -> int:
        return self.v.shape[3]

    @property
    def rest_dim(self) -> int:
        """Columns of K that follow those that are also V: the rotary part of MLA."""
        return self.key_dim - self.value_dim if self.v_in_k else 0

    @property
    def page_size(self) -> int:
        """0 for a contiguous cache."""
        return 0 if self.block_table is None else self.k.shape[1]

    @property
    def capacity(self) -> int:
        """The most keys that a sequence can have in the cache."""
        if self.block_table is None:
            return self.k.shape[2]
        return self.block_table.shape[1] * self.page_size

    @property
    def most_keys_read(self) -> int:
        """Keys that the longest possible sequence reads."""
        if self.window is None:
            return self.capacity
        return min(self.capacity, self.window + self.q.shape[2] - 1 + self.sink_tokens)


def check_decode(inputs: DecodeInputs) -> None:
    """Raises InvalidInputs unless the tensors agree with each other and with what the kernels support."""
    _check_shapes(inputs)
    _check_widths(inputs)
    _check_dtypes(inputs)
    _check_lengths(inputs)
    _check_options(inputs)


def _check_shapes(inputs: DecodeInputs) -> None:
    q, k, v = inputs.q, inputs.k, inputs.v
    if not (q.dim() == k.dim() == v.dim() == 4):
        raise InvalidInputs(
            "Q must be [batch, heads, query_len, head_dim], and K and V [batch, kv_heads, length, head_dim] or, with a "
            "block table, [pages, page_size, kv_heads, head_dim]."
        )
    if 0 in q.shape or 0 in k.shape:
        raise InvalidInputs("Q {q} and K {k} must have no empty dimension.", q=_shape(q), k=_shape(k))
    same_batch = inputs.block_table is not None or q.shape[0] == k.shape[0]
    if not same_batch or k.shape[:3] != v.shape[:3] or q.shape[3] != k.shape[3]:
        raise InvalidInputs(
            "Q {q}, K {k} and V {v} do not match: batch and head_dim must be equal, and K and V must have as many keys "
            "each.",
            q=_shape(q),
            k=_shape(k),
            v=_shape(v),
        )
    if q.shape[1] % inputs.kv_heads:
        raise InvalidInputs(
            "{heads} query heads cannot be divided among {kv_heads} KV heads: every KV head must serve the same number "
            "of query heads.",
            heads=q.shape[1],
            kv_heads=inputs.kv_heads,
        )
    if q.shape[2] > MAX_QUERY_LEN:
        raise InvalidInputs(
            "Decode takes at most {limit} query tokens, not {query_len}: use attention for a prompt.",
            limit=MAX_QUERY_LEN,
            query_len=q.shape[2],
        )


def _check_widths(inputs: DecodeInputs) -> None:
    limit = MAX_LATENT_DIM if inputs.v_in_k else MAX_HEAD_DIM
    rest = (inputs.rest_dim,) if inputs.v_in_k else (inputs.key_dim,)
    for width in (inputs.value_dim, *rest):
        if width % 16 or not 16 <= width <= limit:
            raise InvalidInputs(
                "The head dimensions of K and V must be multiples of 16 up to {limit}, not {width}.",
                limit=limit,
                width=width,
            )


def _check_dtypes(inputs: DecodeInputs) -> None:
    q, k, v = inputs.q, inputs.k, inputs.v
    if q.dtype not in DTYPES or k.dtype != v.dtype or k.dtype not in (q.dtype, FP8):
        raise InvalidInputs(
            "Q must be float32, float16 or bfloat16, and K and V must have its dtype or float8_e4m3fn, not {q}, {k}, "
            "{v}.",
            q=str(q.dtype),
            k=str(k.dtype),
            v=str(v.dtype),
        )
    others = (inputs.lengths, inputs.block_table, inputs.sink_logits, inputs.k_scale, inputs.v_scale)
    devices = [tensor.device for tensor in (q, k, v, *others) if tensor is not None]
    if any(device != q.device for device in devices):
        raise InvalidInputs(
            "All tensors must be on one device, not {devices}.", devices=", ".join(sorted({str(d) for d in devices}))
        )


def _check_lengths(inputs: DecodeInputs) -> None:
    lengths, table, batch = inputs.lengths, inputs.block_table, inputs.q.shape[0]
    if table is not None:
        if inputs.page_size not in PAGE_SIZES:
            raise InvalidInputs(
                "The page size must be one of {allowed}, not {page_size}.",
                allowed=", ".join(map(str, PAGE_SIZES)),
                page_size=inputs.page_size,
            )
        if table.dtype != torch.int32 or table.dim() != 2 or table.shape[0] != batch or table.stride(1) != 1:
            raise InvalidInputs(
                "The block table must be int32 [batch, max_pages] with contiguous rows, not {dtype} {shape}.",
                dtype=str(table.dtype),
                shape=_shape(table),
            )
    if not 0 < inputs.capacity <= _MAX_CAPACITY:
        raise InvalidInputs(
            "A sequence can have 1 to {limit} keys in the cache, not {keys}.", limit=_MAX_CAPACITY, keys=inputs.capacity
        )
    if lengths is None:
        return
    if lengths.dtype != torch.int32 or lengths.shape != (batch,) or not lengths.is_contiguous():
        raise InvalidInputs(
            "The lengths must be a contiguous int32 [batch], not {dtype} {shape}.",
            dtype=str(lengths.dtype),
            shape=_shape(lengths),
        )
    # On a GPU, reading them would wait for it. There the kernel takes a length out of range as the nearest one inside.
    if lengths.device.type == "cpu" and bool(((lengths < 0) | (lengths > inputs.capacity)).any()):
        raise InvalidInputs(
            "The lengths must be from 0 to {capacity}, the capacity of the cache, not from {least} to {most}.",
            capacity=inputs.capacity,
            least=int(lengths.min()),
            most=int(lengths.max()),
        )


def _check_options(inputs: DecodeInputs) -> None:
    check_scale(inputs.softmax_scale)
    if inputs.window is not None and not 1 <= inputs.window <= _MAX_CAPACITY:
        raise InvalidInputs(
            "window must be from 1 to {limit}, or None for no window, not {window}.",
            limit=_MAX_CAPACITY,
            window=inputs.window,
        )
    if not 0 <= inputs.sink_tokens <= _MAX_CAPACITY:
        raise InvalidInputs(
            "sink_tokens must be from 0 to {limit}, not {sink_tokens}.",
            limit=_MAX_CAPACITY,
            sink_tokens=inputs.sink_tokens,
        )
    sinks = inputs.sink_logits
    if sinks is not None and (sinks.dtype not in DTYPES or sinks.shape != (inputs.q.shape[1],) or sinks.stride(0) != 1):
        raise InvalidInputs(
            "sink_logits must be contiguous floats [heads], one per query head, not {dtype} {shape}.",
            dtype=str(sinks.dtype),
            shape=_shape(sinks),
        )
    for name, scale in (("k_scale", inputs.k_scale), ("v_scale", inputs.v_scale)):
        if scale is None:
            continue
        if scale.dtype != torch.float32 or scale.dim() > 1 or scale.numel() not in (1, inputs.kv_heads):
            raise InvalidInputs(
                "{name} must be positive float32, one number or one per KV head, not {dtype} {shape}.",
                name=name,
                dtype=str(scale.dtype),
                shape=_shape(scale),
            )


def _shape(tensor: torch.Tensor) -> str:
    return str(list(tensor.shape))
