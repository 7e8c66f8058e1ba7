"""The schemes side by side: the chosen attention, MHA, GQA, MQA and MLA in the same model."""

from __future__ import annotations

from typing import Any

from core.contracts.text import tr
from core.format import format_quantity, quantity
from core.language_model.folder_config import MAX_CONTEXT
from core.topics.attention_heads.decode_step import BAND_ENDS
from core.topics.attention_heads.params import GQA, MHA, MLA, MQA
from core.topics.attention_heads.plan import Plan
from core.topics.attention_heads.scheme_costs import SchemeCosts
from gui.charts.row_chart_spec import Band, Cell, Column, Ink, LegendKey, Row, RowSpec, Segment
from gui.charts.ticks import short_quantity
from gui.pages.attention_heads.wording import band, context, short_context

EMPTY = tr("The schemes appear here once the parameters are valid.")
_CACHE, _UP_TO, _BAND = Ink("series.2", 0.85), Ink("series.3", 0.3), Ink("series.3", 0.9)


def scheme_rows(plan: Plan) -> RowSpec:
    """One row per scheme, with its title as key; the chosen one first, unless it is one of the others."""
    columns = (
        Column(_titles(tr("cache per token"), tr("cache/token"), tr("cache")), share=1.2, has_axis=False),
        Column(_titles(tr("tokens/s")), share=1.25, has_axis=False),
        Column(_titles(tr("read per token"), tr("read/token"), tr("read")), share=0.9, has_axis=False),
        Column(_titles(tr("longest context"), tr("context")), share=0.8, has_axis=False),
        Column(_titles(tr("parameters"), tr("params")), share=0.8, has_axis=False),
    )
    legend = (
        LegendKey(str(tr("KV cache")), _CACHE),
        LegendKey(
            str(tr("tokens/s, {low:.0%} to {high:.0%} of the bound", low=BAND_ENDS[0], high=BAND_ENDS[1])), _BAND
        ),
    )
    return RowSpec(columns, (Band(tuple(map(_row, shown(plan)))),), (legend,))


def _titles(*wordings: Any) -> tuple[str, ...]:
    return tuple(map(str, wordings))


def shown(plan: Plan) -> tuple[SchemeCosts, ...]:
    """The chosen attention has a row of its own where none of the others is the same."""
    others = plan.schemes[1:]
    return others if any(_same(plan.chosen, other) for other in others) else plan.schemes


def changes(plan: Plan, title: str) -> dict[str, Any]:
    """The parameters that choose the scheme of a row; none for the chosen one."""
    if title == plan.chosen.title:
        return {}
    scheme = next((scheme for scheme in plan.schemes if scheme.title == title), plan.chosen)
    if scheme.kv_heads is None:
        return {"attention": MLA, "kv_heads": 0}
    by_title = {"MHA": MHA, "MQA": MQA}.get(title)
    if by_title is not None:
        return {"attention": by_title, "kv_heads": 0}
    return {"attention": GQA, "kv_heads": scheme.kv_heads}


def _same(scheme: SchemeCosts, other: SchemeCosts) -> bool:
    return (scheme.title, scheme.cache_bytes) == (other.title, other.cache_bytes)


def _row(scheme: SchemeCosts) -> Row:
    low, high = scheme.step.tokens_per_second
    cells = (
        Cell(((Segment(scheme.cache_bytes_per_token, _CACHE),),), texts=(_bytes(scheme.cache_bytes_per_token),)),
        Cell(((Segment(low, _UP_TO), Segment(high - low, _BAND)),), texts=_bands(low, high)),
        Cell(texts=(_bytes(scheme.step.bytes_per_token), format_quantity(scheme.step.bytes_per_token, "bytes", 2))),
        Cell(
            texts=(short_context(scheme.longest_context), "—" if scheme.longest_context < 1 else "∞"),
            text_ink=Ink("text" if scheme.longest_context else "bad"),
        )
        if scheme.longest_context < 1 or scheme.longest_context >= MAX_CONTEXT
        else Cell(texts=(short_context(scheme.longest_context),)),
        Cell(texts=(short_quantity(scheme.parameters.total),)),
    )
    return Row(scheme.title, cells, describe(scheme), key=scheme.title)


def _bytes(value: float) -> str:
    return format_quantity(value, "bytes")


def _bands(low: float, high: float) -> tuple[str, ...]:
    """Wordings, longest first. Two digits suffice for a band that is this wide."""
    if low < 10:
        return (f"{low:.2g}–{high:.2g}",)
    whole = f"{low:,.0f}–{high:,.0f}"
    digits = 1 if high < 10_000 else 0
    return (whole, f"{low / 1e3:,.{digits}f}–{high / 1e3:,.{digits}f} k") if low >= 1000 else (whole,)


def describe(scheme: SchemeCosts) -> str:
    """The read-out of one scheme."""
    step = scheme.step
    lines = [
        scheme.title,
        tr("cache per token: {bytes}", bytes=quantity(scheme.cache_bytes_per_token, "bytes")),
        tr("cache of all sequences: {bytes}", bytes=quantity(scheme.cache_bytes, "bytes")),
        tr("read per generated token: {bytes}", bytes=quantity(step.bytes_per_token, "bytes")),
        tr("decode attention: {intensity} FLOP/B", intensity=quantity(step.attention.intensity)),
        tr("{band} tokens/s", band=band(*step.tokens_per_second)),
        tr("longest context: {context}", context=context(scheme.longest_context)),
        tr("largest batch: {batch:,}", batch=scheme.largest_batch),
        tr(
            "{parameters:,} parameters, {attention:,} of them in attention",
            parameters=scheme.parameters.total,
            attention=scheme.parameters.attention,
        ),
    ]
    return "\n".join(map(str, lines))
