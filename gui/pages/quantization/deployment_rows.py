"""What a format means in practice as rows: a whole model's weights in bytes, and the loss that it adds to a model."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.format import format_quantity
from core.topics.quantization.plan import GpuMemory, ModelMemory
from core.topics.quantization.result import REFERENCE, OutputLoss
from gui.charts.row_chart_spec import TEXT, Band, Cell, Column, Ink, LegendKey, Line, Row, RowSpec, Segment
from gui.charts.ticks import short_quantity
from gui.pages.quantization.view_data import LABELS

NO_BUDGET = "The weights of a whole model appear here once the parameters are valid."
NO_LOSSES = "Run (F5) to measure what each format adds to the loss of a small trained model."
_LINEAR, _OTHER = Ink("series.0", 0.8), Ink("series.6", 0.6)
_WORSE, _NO_WORSE = Ink("series.0"), Ink("good")


def budget_rows(models: Sequence[ModelMemory], memories: Sequence[GpuMemory] = ()) -> RowSpec:
    """One row per format, its key; the memories of GPUs that are on the axis are lines across them."""
    # To the longest bar, and to the smallest memory, so that one sees what fits.
    longest = max([model.bytes for model in models] + [memory.bytes for memory in memories[:1]], default=1.0)
    lines = tuple(Line(m.bytes, short_quantity(m.bytes / 1e9)) for m in memories if m.bytes <= longest)
    column = Column(name="bytes of weights", unit="bytes", limits=(0.0, longest), lines=lines, lines_name="GPU, GB")
    legend = [LegendKey("linear layers", _LINEAR), LegendKey("the rest, in 16 bits", _OTHER)]
    if lines:
        legend.append(LegendKey("memory of GPUs", Ink("warn"), "tick"))
    rows = tuple(
        Row(_model_label(model), (_budget_cell(model),), _describe_model(model, models[0], memories), key=_key(model))
        for model in models
    )
    return RowSpec((column,), (Band(rows),), (tuple(legend),))


def _key(model: ModelMemory) -> str:
    return "" if model.format is None else model.format.value


def _model_label(model: ModelMemory) -> str:
    return "bf16" if model.format is None else LABELS[model.format.value]


def _describe_model(model: ModelMemory, first: ModelMemory, memories: Sequence[GpuMemory]) -> str:
    """Everything known of one format, beside the `first`."""
    bits = format_quantity(model.bits_per_parameter, "bits", 4)
    lines = [
        f"{_model_label(model)}: {bits} per parameter of the linear layers",
        f"weights {format_quantity(model.bytes, 'bytes')} ({model.bytes:,.0f} B)",
        f"linear layers {format_quantity(model.linear_bytes, 'bytes')}, "
        f"the rest {format_quantity(model.other_bytes, 'bytes')}",
    ]
    if model is not first:
        lines.append(f"{model.bytes / first.bytes:.1%} of {_model_label(first)}")
    roomy = next((memory for memory in memories if memory.bytes >= model.bytes), None)
    if roomy is not None:
        lines.append(f"the smallest that holds them: {format_quantity(roomy.bytes, 'bytes')} ({roomy.label})")
    elif memories:
        lines.append(f"more than the {format_quantity(memories[-1].bytes, 'bytes')} of {memories[-1].label}")
    return "\n".join(lines)


def _budget_cell(model: ModelMemory) -> Cell:
    bar = Segment(model.linear_bytes, _LINEAR), Segment(model.other_bytes, _OTHER)
    amount = format_quantity(model.bytes, "bytes")
    return Cell((bar,), texts=(f"{amount} · {format_quantity(model.bits_per_parameter, 'bits')}", amount))


def loss_rows(losses: Sequence[OutputLoss]) -> RowSpec:
    """One row per format, its key, in a band per model; no band for one without a format beside its own weights."""
    legend = [LegendKey("added loss", _WORSE, "dot"), LegendKey("no worse", _NO_WORSE, "dot")]
    if any(loss.increase_stderr for loss in losses):
        legend.append(LegendKey("standard error", TEXT, "line"))
    bands = (
        _band([loss for loss in losses if loss.model == model]) for model in dict.fromkeys(o.model for o in losses)
    )
    column = Column(name="added loss, nats per token", texts_apart=True)
    return RowSpec((column,), tuple(band for band in bands if band.rows), (tuple(legend),))


def _band(losses: Sequence[OutputLoss]) -> Band:
    """One model: its weights as they are in the head, where that was measured, and its formats."""
    reference = next((loss for loss in losses if loss.format == REFERENCE), None)
    rows = tuple(
        Row(LABELS[loss.format], (_loss_cell(loss),), _describe_loss(loss, reference), key=loss.format)
        for loss in losses
        if loss.format != REFERENCE
    )
    return Band(rows, losses[0].model, () if reference is None else _heads(reference))


def _describe_loss(row: OutputLoss, reference: OutputLoss | None) -> str:
    """Everything known of one format, beside the weights as they are."""
    lines = [f"{row.model} in {LABELS[row.format]}, {format_quantity(row.bits_per_parameter, 'bits', 4)} per parameter"]
    if row.loss is None or row.perplexity is None or row.loss_increase is None:
        lines.append("its loss is not a number: the answers are lost")
    else:
        error = "" if row.increase_stderr is None else f" ± {row.increase_stderr:.2g} (standard error)"
        lines += [
            f"loss {format_quantity(row.loss, digits=5)} nats per token: {_signed(row.loss_increase)}{error}",
            f"perplexity {format_quantity(row.perplexity, '', 4)}",
        ]
    if reference is not None:
        perplexity = _quantity(reference.perplexity, 4)
        lines.append(f"as it is: loss {_quantity(reference.loss, 5)}, perplexity {perplexity}")
    lines.append(f"{row.tokens:,} tokens, {row.quantized_layers} linear layers quantized; measured (CPU)")
    return "\n".join(lines)


def _loss_cell(row: OutputLoss) -> Cell:
    increase, stderr = row.loss_increase, row.increase_stderr
    if increase is None:
        return Cell(texts=("no number",))
    value = _signed(increase)
    # Where there is little room the picture needs it more than the second number does, which the read-out has too.
    texts = (f"{value} ± {stderr:.1g}", value) if stderr is not None else (value,)
    ink = _WORSE if increase > (stderr or 0.0) else _NO_WORSE
    return Cell(mark=increase, ink=ink, error=stderr or 0.0, texts=texts)


def _heads(reference: OutputLoss) -> tuple[str, ...]:
    loss = f"loss {_quantity(reference.loss, 4)} as it is"
    perplexity = f"{loss}, perplexity {_quantity(reference.perplexity)}"
    return f"{perplexity}, {reference.tokens:,} tokens", perplexity, loss, ""


def _quantity(value: float | None, digits: int = 3) -> str:
    return format_quantity(math.nan if value is None else value, digits=digits)


def _signed(increase: float) -> str:
    sign = "+" if increase > 0 else "−" if increase < 0 else ""
    return sign + format_quantity(abs(increase))
