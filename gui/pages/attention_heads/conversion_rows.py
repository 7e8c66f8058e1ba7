"""What a conversion to fewer KV heads costs: losses by setting, errors by layer and head, and curves of the tuning."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from core.contracts.text import Text, tr, tr_plural
from core.format import format_quantity, quantity
from core.topics.attention_heads.conversion_result import ConversionResult, ConversionStudy, Grouping
from gui.charts.row_chart_spec import Band, Cell, Column, Ink, LegendKey, Row, RowSpec
from gui.charts.row_grid import ColourScale, RowGrid
from gui.charts.series import Series

_POOLED, _TUNED = Ink("series.4"), Ink("good")
GROUPINGS: Mapping[Grouping, Text] = {
    Grouping.UNCHANGED: tr("unchanged"),
    Grouping.NEIGHBOURS: tr("neighbours"),
    Grouping.SIMILAR: tr("similar"),
    Grouping.RANDOM: tr("random"),
}
_SERIES = {Grouping.UNCHANGED: 6, Grouping.NEIGHBOURS: 0, Grouping.SIMILAR: 2, Grouping.RANDOM: 1}


def setting_name(result: ConversionResult) -> Text:
    """'2 KV heads, most similar'; with one KV head all groupings are the same."""
    if result.kv_heads == 1 and result.grouping is not Grouping.UNCHANGED:
        return tr("1 KV head")
    return tr_plural(
        "{count} KV head, {grouping}",
        "{count} KV heads, {grouping}",
        count=result.kv_heads,
        grouping=GROUPINGS[result.grouping],
    )


def _short_name(result: ConversionResult) -> Text:
    if result.grouping is Grouping.UNCHANGED:
        return GROUPINGS[result.grouping]
    if result.kv_heads == 1:
        return tr("1 KV head")
    return tr("{kv_heads} · {grouping}", kv_heads=result.kv_heads, grouping=GROUPINGS[result.grouping])


def loss_rows(study: ConversionStudy) -> RowSpec | None:
    """One row per setting: the loss that pooling adds, and what is left of it after tuning."""
    if not study.results or study.loss_before is None:
        return None
    columns = (
        Column(
            (str(tr("added loss after pooling, nats")), str(tr("pooled, nats")), str(tr("pooled"))),
            texts_apart=True,
        ),
        Column((str(tr("after tuning too, nats")), str(tr("tuned, nats")), str(tr("tuned"))), texts_apart=True),
    )
    rows = tuple(_loss_row(result, study) for result in study.results)
    legend = (
        LegendKey(str(tr("after pooling")), _POOLED, "dot"),
        LegendKey(str(tr("after {steps} steps of tuning", steps=study.steps)), _TUNED, "dot"),
        LegendKey(str(tr("standard error")), Ink("text"), "line"),
    )
    return RowSpec(columns, (Band(rows),), (legend,))


def title(study: ConversionStudy) -> tuple[Text, ...]:
    """Which model was converted, and its loss before, from the longest wording to the shortest."""
    loss = _number(study.loss_before, 4)
    return (
        tr(
            "{model}: loss {loss} with {kv_heads} KV heads, {tokens:,} held-out tokens",
            model=study.model,
            loss=loss,
            kv_heads=study.kv_heads,
            tokens=study.tokens,
        ),
        tr("{model}: loss {loss} before", model=study.model, loss=loss),
        tr("loss {loss} before", loss=loss),
    )


def _loss_row(result: ConversionResult, study: ConversionStudy) -> Row:
    before = study.loss_before
    cells = (
        _increase(result.loss_after, before, result.increase_stderr, _POOLED),
        _increase(result.loss_tuned, before, result.tuned_increase_stderr, _TUNED),
    )
    alone = result.kv_heads == 1 and result.grouping is not Grouping.UNCHANGED
    name = tr("all in one") if alone else GROUPINGS[result.grouping]
    group = tr_plural("{count} KV head", "{count} KV heads", count=result.kv_heads)
    return Row(str(name), cells, describe(result, study), key=key_of(result), group=str(group))


def _increase(loss: float | None, before: float | None, stderr: float | None, ink: Ink) -> Cell:
    if loss is None or before is None:
        return Cell(texts=("—",), text_ink=Ink("muted"))
    value = _signed(loss - before)
    texts = (f"{value} ± {stderr:.1g}", value) if stderr else (value,)
    return Cell(mark=loss - before, ink=ink, error=stderr or math.nan, texts=texts)


def key_of(result: ConversionResult) -> str:
    return f"{result.kv_heads} {result.grouping.value}"


def describe(result: ConversionResult, study: ConversionStudy) -> str:
    """The read-out of one setting."""
    lines = [setting_name(result)]
    if result.grouping is Grouping.UNCHANGED:
        lines.append(tr("no heads are pooled: tuned as a control"))
    if result.loss_after is None:
        lines.append(tr("The loss is NaN or inf: the outputs are unusable."))
    else:
        lines.append(
            tr(
                "loss after pooling {loss}, before {before}",
                loss=_number(result.loss_after, 5),
                before=_number(study.loss_before, 5),
            )
        )
    if result.loss_tuned is not None:
        lines.append(tr("after {steps} steps of tuning {loss}", steps=study.steps, loss=_number(result.loss_tuned, 5)))
    lines += [
        tr(
            "energy of K and V lost: {share:.1%}",
            share=float(np.mean(result.energy_lost)) if result.energy_lost.size else 0.0,
        ),
        tr(
            "K and V projections: {after:,} parameters, before {before:,}",
            after=result.kv_parameters,
            before=study.kv_parameters,
        ),
    ]
    return "\n".join(map(str, lines))


def error_grid(study: ConversionStudy) -> RowGrid | None:
    """One row per setting and layer, one column per query head: how far its output is from that before."""
    results = [
        result for result in study.results if result.grouping is not Grouping.UNCHANGED and result.head_error.size
    ]
    if not results:
        return None
    values = 100 * np.concatenate([result.head_error for result in results]).astype(np.float64)
    layers, heads = results[0].head_error.shape

    def read(row: int, column: int) -> str:
        return describe_head(results[row // layers], row % layers, column)

    return RowGrid(
        values=values,
        names=tuple(str(tr("layer {layer}", layer=layer + 1)) for _ in results for layer in range(layers)),
        groups=tuple(str(_short_name(result)) for result in results for _ in range(layers)),
        scale=_scale(values),
        x_name=str(tr("query head")),
        x_range=(0.0, float(heads)),
        x_ticks=_head_ticks(heads),
        read=read,
    )


def describe_head(result: ConversionResult, layer: int, head: int) -> str:
    """The read-out of one head in one layer, both counted from 0."""
    lines = [
        tr("{setting}: layer {layer}, head {head}", setting=setting_name(result), layer=layer + 1, head=head + 1),
        tr("error of its output: {share:.1f}%", share=100 * float(result.head_error[layer, head])),
        tr(
            "with unchanged inputs: {share:.1f}%, so earlier layers add the rest",
            share=100 * float(result.head_error_alone[layer, head]),
        ),
        tr("reads KV head {kv_head}", kv_head=int(result.group_of_head[layer, head]) + 1),
    ]
    return "\n".join(map(str, lines))


def _head_ticks(heads: int) -> tuple[tuple[float, str], ...]:
    stride = max(1, -(-heads // 16))
    return tuple((head + 0.5, str(head + 1)) for head in range(0, heads, stride))


def _scale(values: np.ndarray) -> ColourScale:
    known = values[np.isfinite(values)]
    high = float(known.max()) if known.size and known.max() > 0 else 1.0
    ticks = tuple((share * high, f"{share * high:.3g}%") for share in (1.0, 0.5, 0.0))
    tip = tr("RMS of the difference of a head's output, relative to the RMS of the output.")
    return ColourScale("inferno", (0.0, high), ticks, str(tr("relative RMS error")), str(tip))


def tuning_series(study: ConversionStudy) -> list[Series]:
    """The loss of each training batch. One colour per grouping; fewer KV heads than the most are fainter lines."""
    most = max((result.kv_heads for result in study.results if result.kv_heads < study.kv_heads), default=0)
    series = []
    for result in study.results:
        if result.curve.size == 0:
            continue
        style = "line" if result.kv_heads >= most else "dashed"
        steps = np.arange(1, result.curve.size + 1)
        name = str(_short_name(result))
        series.append(Series(name, steps, result.curve.astype(np.float64), _SERIES[result.grouping], style))  # type: ignore[arg-type]
    return series


def _number(value: float | None, digits: int = 3) -> str:
    return format_quantity(math.nan if value is None else value, digits=digits)


def _signed(value: float) -> str:
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return f"{sign}{quantity(abs(value))}"
