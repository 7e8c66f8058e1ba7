"""How the page writes numbers that occur in several of its pictures."""

from __future__ import annotations

from core.contracts.text import Text, tr
from core.format import quantity
from core.language_model.folder_config import MAX_CONTEXT
from gui.charts.ticks import short_quantity


def band(low: float, high: float) -> Text:
    """A modelled speed is never one number."""
    return tr("{low} to {high}", low=_speed(low), high=_speed(high))


def _speed(tokens_per_second: float) -> str:
    """Two digits suffice for a band that is this wide, from 100 on whole numbers."""
    return f"{tokens_per_second:,.0f}" if tokens_per_second >= 100 else str(quantity(tokens_per_second, digits=2))


def context(tokens: float) -> Text:
    """A longest context, with what its ends mean."""
    if tokens >= MAX_CONTEXT:
        return tr("no limit")
    return tr("does not fit") if tokens < 1 else quantity(tokens, "tokens", 7)


def short_context(tokens: float) -> str:
    """The same in a narrow column: thousands as k, millions as M."""
    if tokens >= MAX_CONTEXT or tokens < 1:
        return str(context(tokens))
    if tokens < 10_000:
        return f"{tokens:,.0f}"
    return f"{tokens / 1e3:,.0f} k" if tokens < 1_000_000 else short_quantity(tokens)
