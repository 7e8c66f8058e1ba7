"""What fewer KV heads save: curves relative to MHA, over the number of KV heads."""

from __future__ import annotations

import numpy as np

from core.contracts.text import tr
from core.format import quantity
from core.topics.attention_heads.plan import Plan
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.series import Series
from gui.charts.ticks import short_quantity
from gui.pages.attention_heads.wording import band

_NO_CURVES = tr("The curves appear here once the parameters are valid.")
_ONE_HEAD = tr("This model has one query head, so it can have one KV head only.")
_EDGE, _SIDE = 1.25, 1.06
"""Space around the points, as factors."""


def curves_chart() -> LineChart:
    return LineChart(
        _NO_CURVES,
        Axis(tr("KV heads"), steps="powers", log=True),
        Axis(tr("share of MHA's"), "%", "1-2-5", log=True),
    )


def draw_curves(chart: LineChart, plan: Plan) -> None:
    """Draw one line per quantity. The chosen number of KV heads is marked, if the attention has KV heads."""
    numbers = plan.by_kv_heads.kv_heads
    if numbers.size < 2:
        chart.show_empty(_ONE_HEAD)
        return
    series = curve_series(plan)
    values = np.concatenate([one.y for one in series])
    limits = (float(values.min()) / _EDGE, float(values.max()) * _EDGE)
    ends = (float(numbers[-1]) / _SIDE, float(numbers[0]) * _SIDE)
    chart.set_series(series, x_range=ends, y_range=limits, read=lambda kv_heads: describe(plan, kv_heads))
    chart.select_x(None if plan.attention.latent is not None else float(plan.attention.kv_heads))


def curve_series(plan: Plan) -> list[Series]:
    """From one KV head to all of them; MHA is 100%."""
    curve = plan.by_kv_heads
    x = curve.kv_heads[::-1].astype(np.float64)
    named = (
        (tr("cache"), curve.cache_bytes_per_token, 2),
        (tr("bytes read"), curve.read_bytes_per_token, 0),
        (tr("tokens/s"), curve.tokens_per_second[:, 0], 3),
        (tr("parameters"), curve.parameters, 6),
    )
    return [Series(str(name), x, (100 * values / values[0])[::-1], ink, "rings") for name, values, ink in named]


def nearest(plan: Plan, place: float) -> int:
    """The possible number of KV heads that is nearest to a place of the logarithmic axis."""
    numbers = plan.by_kv_heads.kv_heads
    return int(numbers[np.argmin(np.abs(np.log10(numbers) - place))])


def describe(plan: Plan, kv_heads: float) -> str:
    """The read-out of the nearest possible number of KV heads."""
    curve = plan.by_kv_heads
    index = int(np.argmin(np.abs(np.log10(curve.kv_heads) - np.log10(kv_heads))))
    low, high = (float(end) for end in curve.tokens_per_second[index])
    lines = [
        tr("{kv_heads} of {heads} KV heads", kv_heads=int(curve.kv_heads[index]), heads=int(curve.kv_heads[0])),
        tr("cache per token: {bytes}", bytes=quantity(float(curve.cache_bytes_per_token[index]), "bytes")),
        tr("read per generated token: {bytes}", bytes=quantity(float(curve.read_bytes_per_token[index]), "bytes")),
        tr("decode attention: {intensity} FLOP/B", intensity=quantity(float(curve.intensity[index]))),
        tr("{band} tokens/s", band=band(low, high)),
        tr("{parameters} parameters", parameters=short_quantity(float(curve.parameters[index]))),
    ]
    return "\n".join(map(str, lines))
