"""What a call of the decode kernels reads and writes, in closed form. Pure: no torch, no triton, so that a plan may use
it. Traces of the kernels equal it to the byte.

Bytes are those that the programs request, before any cache. K and V are read once per KV group and tile of rows, and
only where some query token sees the key.
"""

from __future__ import annotations

from dataclasses import dataclass

_PART_BYTES = 4
_INT_BYTES = 4
_SCALE_BYTES = 4


@dataclass(frozen=True)
class DecodeCall:
    """One call of `decode_attention` or `decode_latent_attention`, and how it is launched.

    `lengths`: keys of each sequence. `row_tiles` = ceil(heads / kv_heads * query_len / block_rows). `value_dim` is that
    of the output; with `v_in_k` (a latent cache) V costs nothing beside K. `page_size` 0: a contiguous cache.
    """

    lengths: tuple[int, ...]
    heads: int
    kv_heads: int
    key_dim: int
    value_dim: int
    q_bytes: int
    """Bytes per element of Q and the output."""
    kv_bytes: int
    """Bytes per element of the cache."""
    splits: int
    row_tiles: int
    block_kv: int
    query_len: int = 1
    v_in_k: bool = False
    page_size: int = 0
    window: int | None = None
    sink_tokens: int = 0
    sink_logit_bytes: int = 0
    """Bytes per sink logit; 0 without sinks."""
    scales: int = 0
    """How many of k_scale and v_scale are given."""
    has_lengths: bool = True
    """False where `lengths` is not passed, since the cache is full."""

    @property
    def rows(self) -> int:
        """Rows of the output."""
        return len(self.lengths) * self.heads * self.query_len

    @property
    def readers(self) -> int:
        """Programs that read the same key, over all KV heads."""
        return self.kv_heads * self.row_tiles

    @property
    def programs(self) -> int:
        """Programs of the first kernel."""
        return len(self.lengths) * self.readers * self.splits

    def keys_read(self, length: int) -> int:
        """Keys of a sequence that some query token sees."""
        first = self._first_in_window(length)
        return length - first + min(self.sink_tokens, first)

    def tiles_read(self, length: int) -> int:
        """Tiles of block_kv keys that hold them."""
        tiles, sinks = _ceil(length, self.block_kv), _ceil(min(self.sink_tokens, length), self.block_kv)
        if self.window is None:
            return tiles
        return tiles - max(self._first_in_window(length) // self.block_kv - sinks, 0)

    def _first_in_window(self, length: int) -> int:
        return 0 if self.window is None else max(length - self.query_len - self.window + 1, 0)


@dataclass(frozen=True)
class DecodeTraffic:
    """Bytes by tensor. `parts` (the unmerged outputs and their log-sum-exps, float32) are written and read once each,
    and 0 with one split. `small` are lengths, scales and sink logits. `out` includes the log-sum-exp."""

    q: int
    k: int
    v: int
    block_table: int
    small: int
    parts: int
    out: int

    @property
    def cache(self) -> int:
        return self.k + self.v

    @property
    def read_bytes(self) -> int:
        return self.q + self.k + self.v + self.block_table + self.small + self.parts

    @property
    def written_bytes(self) -> int:
        return self.parts + self.out


def decode_traffic(call: DecodeCall) -> DecodeTraffic:
    """The bytes of both kernels of a call."""
    keys = sum(map(call.keys_read, call.lengths)) * call.readers
    if not call.page_size:
        pages = 0
    elif call.page_size >= call.block_kv:
        pages = sum(map(call.tiles_read, call.lengths)) * call.readers
    else:
        pages = keys
    per_program = _INT_BYTES * call.has_lengths + _SCALE_BYTES * call.scales
    return DecodeTraffic(
        q=call.splits * call.rows * call.key_dim * call.q_bytes,
        k=keys * call.key_dim * call.kv_bytes,
        v=0 if call.v_in_k else keys * call.value_dim * call.kv_bytes,
        block_table=pages * _INT_BYTES,
        small=call.programs * per_program + call.rows * call.sink_logit_bytes,
        parts=call.splits * call.rows * (call.value_dim + 1) * _PART_BYTES if call.splits > 1 else 0,
        out=call.rows * (call.value_dim * call.q_bytes + _PART_BYTES),
    )


def _ceil(a: int, b: int) -> int:
    return -(-a // b)
