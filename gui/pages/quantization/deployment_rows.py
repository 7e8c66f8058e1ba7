"""Rows about formats in practice: the bytes of a whole model's weights, and the loss that a format adds to a model."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.contracts.result import Provenance
from core.contracts.text import Text, tr
from core.format import format_quantity, quantity
from core.topics.quantization.labels import model_label
from core.topics.quantization.plan import GpuMemory, ModelMemory
from core.topics.quantization.result import REFERENCE, OutputLoss
from gui.charts.row_chart_spec import TEXT, Band, Cell, Column, Ink, LegendKey, Line, Row, RowSpec, Segment
from gui.charts.ticks import short_quantity
from gui.pages.quantization.view_data import label

NO_BUDGET = tr("The weights of a whole model appear here once the parameters are valid.")
NO_LOSSES = tr("Run (F5) to measure how much each format adds to the loss of a small trained model.")
_LINEAR, _OTHER = Ink("series.0", 0.8), Ink("series.6", 0.6)
_WORSE, _NO_WORSE = Ink("series.0"), Ink("good")


def budget_rows(models: Sequence[ModelMemory], memories: Sequence[GpuMemory] = ()) -> RowSpec:
    """One row per format, with the format as key; the memories of GPUs in the axis' range are lines across the rows."""
    # The axis reaches the longest bar and the smallest memory, to show what fits.
    longest = max([model.bytes for model in models] + [memory.bytes for memory in memories[:1]], default=1.0)
    lines = tuple(Line(m.bytes, short_quantity(m.bytes / 1e9)) for m in memories if m.bytes <= longest)
    column = Column(
        name=str(tr("size of the weights")),
        unit="bytes",
        limits=(0.0, longest),
        lines=lines,
        lines_name=str(tr("GPU, GB")),
    )
    legend = [LegendKey(str(tr("linear layers")), _LINEAR), LegendKey(str(tr("the rest, in 16 bits")), _OTHER)]
    if lines:
        legend.append(LegendKey(str(tr("memory of GPUs")), Ink("warn"), "tick"))
    rows = tuple(
        Row(_model_label(model), (_budget_cell(model),), _describe_model(model, models[0], memories), key=_key(model))
        for model in models
    )
    return RowSpec((column,), (Band(rows),), (tuple(legend),))


def _key(model: ModelMemory) -> str:
    return "" if model.format is None else model.format.value


def _model_label(model: ModelMemory) -> str:
    return "bf16" if model.format is None else label(model.format.value)


def _describe_model(model: ModelMemory, first: ModelMemory, memories: Sequence[GpuMemory]) -> str:
    """The read-out of one format, compared with the `first`."""
    lines = [
        tr(
            "{format}: {bits:.4g} bits per parameter of the linear layers",
            format=_model_label(model),
            bits=model.bits_per_parameter,
        ),
        tr("weights: {size} ({bytes:,.0f} B)", size=quantity(model.bytes, "bytes"), bytes=model.bytes),
        tr(
            "linear layers {linear}, the rest {other}",
            linear=quantity(model.linear_bytes, "bytes"),
            other=quantity(model.other_bytes, "bytes"),
        ),
    ]
    if model is not first:
        lines.append(tr("{share:.1%} of {format}", share=model.bytes / first.bytes, format=_model_label(first)))
    fitting = next((memory for memory in memories if memory.bytes >= model.bytes), None)
    if fitting is not None:
        lines.append(
            tr(
                "smallest GPU memory that fits: {size} ({gpus})",
                size=quantity(fitting.bytes, "bytes"),
                gpus=fitting.label,
            )
        )
    elif memories:
        lines.append(
            tr("more than the {size} of {gpus}", size=quantity(memories[-1].bytes, "bytes"), gpus=memories[-1].label)
        )
    return "\n".join(map(str, lines))


def _budget_cell(model: ModelMemory) -> Cell:
    bar = Segment(model.linear_bytes, _LINEAR), Segment(model.other_bytes, _OTHER)
    amount = format_quantity(model.bytes, "bytes")
    return Cell((bar,), texts=(f"{amount} · {format_quantity(model.bits_per_parameter, 'bits')}", amount))


def loss_rows(losses: Sequence[OutputLoss]) -> RowSpec:
    """One row per format, with the format as key, in a band per model. A model without quantized losses has no band."""
    legend = [LegendKey(str(tr("added loss")), _WORSE, "dot"), LegendKey(str(tr("no worse")), _NO_WORSE, "dot")]
    if any(loss.increase_stderr for loss in losses):
        legend.append(LegendKey(str(tr("standard error")), TEXT, "line"))
    bands = (
        _band([loss for loss in losses if loss.model == model]) for model in dict.fromkeys(o.model for o in losses)
    )
    column = Column(name=str(tr("added loss, nats per token")), texts_apart=True)
    return RowSpec((column,), tuple(band for band in bands if band.rows), (tuple(legend),))


def _band(losses: Sequence[OutputLoss]) -> Band:
    """One model: its unquantized loss in the head, if it was measured, and its formats."""
    reference = next((loss for loss in losses if loss.format == REFERENCE), None)
    rows = tuple(
        Row(label(loss.format), (_loss_cell(loss),), _describe_loss(loss, reference), key=loss.format)
        for loss in losses
        if loss.format != REFERENCE
    )
    return Band(rows, str(model_label(losses[0].model)), () if reference is None else _heads(reference))


def _describe_loss(row: OutputLoss, reference: OutputLoss | None) -> str:
    """The read-out of one format, compared with the unquantized weights."""
    lines = [
        tr(
            "{model} in {format}, {bits:.4g} bits per parameter",
            model=model_label(row.model),
            format=label(row.format),
            bits=row.bits_per_parameter,
        )
    ]
    if row.loss is None or row.perplexity is None or row.loss_increase is None:
        lines.append(tr("The loss is NaN or inf: the outputs are unusable."))
    else:
        lines += [
            _describe_increase(row.loss, row.loss_increase, row.increase_stderr),
            tr("perplexity {perplexity}", perplexity=_quantity(row.perplexity, 4)),
        ]
    if reference is not None:
        lines.append(
            tr(
                "unquantized: loss {loss}, perplexity {perplexity}",
                loss=_quantity(reference.loss, 5),
                perplexity=_quantity(reference.perplexity, 4),
            )
        )
    lines.append(
        tr(
            "{tokens:,} tokens, {layers} linear layers and {experts:,} matrices of experts quantized; {provenance}",
            tokens=row.tokens,
            layers=row.quantized_layers,
            experts=row.quantized_experts,
            provenance=Provenance.MEASURED_CPU.label,
        )
        if row.quantized_experts
        else tr(
            "{tokens:,} tokens, {layers} linear layers quantized; {provenance}",
            tokens=row.tokens,
            layers=row.quantized_layers,
            provenance=Provenance.MEASURED_CPU.label,
        )
    )
    return "\n".join(map(str, lines))


def _describe_increase(loss: float, increase: float, stderr: float | None) -> Text:
    values = {"loss": _quantity(loss, 5), "increase": _signed(increase)}
    if stderr is None:
        return tr("loss {loss} nats per token: {increase}", **values)
    return tr("loss {loss} nats per token: {increase} ± {stderr:.2g} (standard error)", stderr=stderr, **values)


def _loss_cell(row: OutputLoss) -> Cell:
    increase, stderr = row.loss_increase, row.increase_stderr
    if increase is None:
        return Cell(texts=(str(tr("NaN or inf")),))
    value = _signed(increase)
    # If there is little room, the picture needs it more than the standard error, which is in the read-out too.
    texts = (f"{value} ± {stderr:.1g}", value) if stderr is not None else (value,)
    ink = _WORSE if increase > (stderr or 0.0) else _NO_WORSE
    return Cell(mark=increase, ink=ink, error=stderr or 0.0, texts=texts)


def _heads(reference: OutputLoss) -> tuple[str, ...]:
    """Wordings from the longest to the shortest."""
    values = {"loss": _quantity(reference.loss, 4), "perplexity": _quantity(reference.perplexity)}
    wordings = (
        tr("unquantized: loss {loss}, perplexity {perplexity}, {tokens:,} tokens", tokens=reference.tokens, **values),
        tr("unquantized: loss {loss}, perplexity {perplexity}", **values),
        tr("unquantized: loss {loss}", loss=values["loss"]),
    )
    return *map(str, wordings), ""


def _quantity(value: float | None, digits: int = 3) -> str:
    return format_quantity(math.nan if value is None else value, digits=digits)


def _signed(increase: float) -> str:
    sign = "+" if increase > 0 else "−" if increase < 0 else ""
    return sign + format_quantity(abs(increase))
