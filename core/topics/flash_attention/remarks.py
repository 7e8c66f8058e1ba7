"""What is unusual about a shape: a head that tiles have to pad, and lengths that differ under a causal mask."""

from __future__ import annotations

from collections.abc import Iterator

from core.contracts.result import Message
from core.contracts.text import Text, tr
from core.format import quantity
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.plan import Plan, plan


def remarks(params: FlashAttentionParams) -> tuple[Message, ...]:
    """The remarks of the page, as the command line prints them, too."""
    return tuple(Message("notice", text) for text in remarks_on(plan(params)))


def remarks_on(planned: Plan) -> Iterator[Text]:
    """One sentence or more for each unusual thing."""
    params = planned.params
    if params.tile_dim != params.head_dim:
        yield tr(
            "Tiles are {tile_dim} wide, a power of two, and a head has {head_dim} elements: the padding costs "
            "{ratio:.2f} times the FLOPs ({flops} instead of {needed} for the tiles that flash visits) and {sram} of "
            "SRAM per program. It costs no HBM traffic: padding is neither read nor written.",
            tile_dim=params.tile_dim,
            head_dim=params.head_dim,
            ratio=params.tile_dim / params.head_dim,
            flops=quantity(planned.flops.flash_tiles, "FLOP"),
            needed=quantity(planned.flops.flash_tiles * params.head_dim // params.tile_dim, "FLOP"),
            sram=quantity(planned.padding_bytes, "bytes"),
        )
    if params.causal and params.key_len > params.seq_len:
        yield tr(
            "There are {keys:,} keys and {queries:,} queries: the causal mask aligns both ends (bottom-right), so the "
            "last query sees every key, as with a KV cache. is_causal=True of SDPA would align them top-left.",
            keys=params.key_len,
            queries=params.seq_len,
        )
    if params.causal and params.key_len < params.seq_len:
        hidden = params.seq_len - params.key_len
        yield tr(
            "There are {queries:,} queries and {keys:,} keys: the causal mask aligns both ends (bottom-right), so the "
            "first {hidden:,} queries see no key. Their output is 0 and their log-sum-exp -inf, and {tiles:,} of "
            "{total:,} tiles of queries visit no tile of keys. is_causal=True of SDPA would align them top-left.",
            queries=params.seq_len,
            keys=params.key_len,
            hidden=hidden,
            tiles=planned.idle_q_blocks,
            total=planned.tiles.shape[0],
        )
