"""What a run traced of decode: bytes per cached token against the formula, and the difference from MHA's output."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.contracts.text import Text, sentences, tr
from core.format import format_quantity, quantity
from core.topics.attention_heads.result import AttentionHeadsResult, TracedDecode
from gui.charts.row_chart_spec import Band, Cell, Column, Ink, LegendKey, Row, RowSpec, Segment

EMPTY = tr("Run (F5) to trace the decode kernel: the bytes that each attention reads of the cache, and its errors.")
_CACHE, _OTHER, _DIFFERENCE = Ink("series.2", 0.85), Ink("series.6", 0.6), Ink("series.4")


def decode_rows(decodes: Sequence[TracedDecode]) -> RowSpec | None:
    """One row per attention; None without traces."""
    if not decodes:
        return None
    has_difference = any(decode.from_mha is not None for decode in decodes)
    columns = [
        Column((str(tr("bytes per cached token")), str(tr("bytes per token"))), unit="bytes", share=1.2),
        Column((str(tr("FLOP per byte")), "FLOP/B"), share=0.8),
    ]
    if has_difference:
        columns.append(Column((str(tr("difference from MHA")), str(tr("vs MHA"))), unit="%", share=0.8))
    legend = [
        LegendKey(str(tr("KV cache")), _CACHE),
        LegendKey(str(tr("other bytes")), _OTHER),
        LegendKey(str(tr("formula")), Ink("warn"), "tick"),
    ]
    rows = tuple(_row(decode, with_difference=has_difference) for decode in decodes)
    return RowSpec(tuple(columns), (Band(rows),), (tuple(legend),))


def _row(decode: TracedDecode, *, with_difference: bool) -> Row:
    per_token, other = decode.cache_bytes / decode.tokens, decode.other_bytes / decode.tokens
    bar = Segment(per_token, _CACHE), Segment(other, _OTHER)
    cells = [
        Cell((bar,), limit=decode.formula_bytes / decode.tokens, texts=(format_quantity(per_token, "bytes"),)),
        Cell(mark=decode.intensity, ink=Ink("series.0"), texts=(format_quantity(decode.intensity),)),
    ]
    if with_difference:
        cells.append(_difference_cell(decode))
    return Row(decode.key, tuple(cells), describe(decode), key=decode.key)


def _difference_cell(decode: TracedDecode) -> Cell:
    if decode.from_mha is None or not math.isfinite(decode.from_mha):
        return Cell(texts=("—",), text_ink=Ink("muted"))
    share = 100 * decode.from_mha
    return Cell(((Segment(share, _DIFFERENCE),),), texts=(format_quantity(share, "%"),))


def describe(decode: TracedDecode) -> str:
    """The read-out of one attention."""
    lines = [
        tr(
            "{key}: one token of one sequence in one layer, {tokens:,} cached tokens",
            key=decode.key,
            tokens=decode.tokens,
        ),
        tr(
            "cache read: {traced:,} B (formula: {formula:,} B)", traced=decode.cache_bytes, formula=decode.formula_bytes
        ),
        tr("other bytes: {bytes:,} B, with {splits} splits", bytes=decode.other_bytes, splits=decode.splits),
        tr("{intensity} FLOP per byte", intensity=quantity(decode.intensity)),
    ]
    if decode.rms_error is not None and decode.allowed_rms_error is not None:
        lines.append(
            tr(
                "RMS error {error:.2e} (allowed {allowed:.2e})",
                error=decode.rms_error,
                allowed=decode.allowed_rms_error,
            )
        )
    if decode.from_mha is not None:
        lines.append(tr("output differs from MHA's by {share:.3g}% (relative RMS)", share=100 * decode.from_mha))
    return "\n".join(map(str, lines))


def notes(result: AttentionHeadsResult | None) -> tuple[Text, ...]:
    """What the run found beside the traces, from the longest wording to the shortest: MLA's two forms, and prefill."""
    if result is None:
        return ()
    found = []
    if result.mla is not None:
        found.append(
            tr(
                "MLA absorbed and expanded differ by {difference:.1e} in float64 (CPU).",
                difference=result.mla.difference,
            )
        )
    if result.prefill is not None:
        found.append(
            tr(
                "Prefill of {tokens:,} tokens ({key}) requests {bytes}.",
                tokens=result.prefill.tokens,
                key=result.prefill.key,
                bytes=quantity(result.prefill.requested_bytes, "bytes"),
            )
        )
    return tuple(sentences(*found[:count]) for count in range(len(found), 0, -1))
