"""The card about memory: what the KV cache takes beside the weights, and the longest context for each batch."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import Signal

from core import language
from core.contracts.text import tr, tr_in
from core.format import quantity
from core.language_model.folder_config import MAX_CONTEXT
from core.topics.attention_heads.plan import Plan
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.charts.series import Series
from gui.pages.attention_heads import memory_rows
from gui.pages.attention_heads.wording import context
from gui.widgets.switcher import Switcher

MEMORY, CONTEXTS = range(2)
_SIDE, _EDGE = 1.15, 1.6
"""Space around the curve, as factors."""
_NONE_FITS = tr(
    "Even the weights do not fit into the memory of the GPU, so no context does: use more GPUs (tensor parallelism), a "
    "lower precision of the weights, or a larger GPU."
)
_NO_CONTEXT_FITS = tr(
    "Beside weights, activations and reserve, not even one token fits: use more GPUs or a larger one."
)
_NO_LIMIT = tr("No limit: the cache of this model stops growing at the windows of its layers, and fits for each batch.")


class MemoryView(Switcher):
    """Draws only the visible picture. `batch_picked` carries the batch of the curve that was clicked."""

    batch_picked = Signal(int)

    def __init__(self) -> None:
        self.memory = RowChart(memory_rows.EMPTY, tr("KV cache and memory"))
        self.contexts = LineChart(
            memory_rows.EMPTY,
            Axis(tr("batch (sequences)"), steps="powers", log=True),
            Axis(tr("context (tokens)"), log=True),
            selected_label=tr("chosen batch"),
        )
        super().__init__(
            [
                ("memory", tr_in("attention heads", "Memory"), self.memory),
                ("contexts", tr("Longest context"), self.contexts),
            ],
            "memory_view",
        )
        self._plan: Plan | None = None
        self._language = language.current()
        self.switched.connect(lambda _: self._draw())
        self.contexts.chart.clicked.connect(self._on_click)

    def draw(self, plan: Plan) -> None:
        self._plan = plan
        if self._language != language.current():  # the hidden picture has texts of the former language too
            self._language = language.current()
            self._draw_picture(plan, CONTEXTS - self.index)
        self._draw()

    def _draw(self) -> None:
        if self._plan is not None:
            self._draw_picture(self._plan, self.index)

    def _draw_picture(self, plan: Plan, index: int) -> None:
        if index == MEMORY:
            self.memory.set_rows(memory_rows.memory_rows(plan))
        else:
            self._draw_contexts(plan)

    def _draw_contexts(self, plan: Plan) -> None:
        capacity = plan.capacity
        if not np.any(capacity.contexts > 0):
            self.contexts.show_empty(_NO_CONTEXT_FITS if capacity.use.weights_fit else _NONE_FITS)
            return
        if np.all(capacity.contexts >= MAX_CONTEXT):
            self.contexts.show_empty(_NO_LIMIT)
            return
        series = context_series(plan)
        tops = [one.y[np.isfinite(one.y)] for one in series]
        known = np.concatenate(tops)
        limits = (max(1.0, float(known.min()) / _EDGE), float(known.max()) * _EDGE)
        ends = (float(capacity.batches[0]) / _SIDE, _SIDE * float(max(capacity.batches[-1], plan.params.batch)))
        self.contexts.set_series(series, x_range=ends, y_range=limits, read=lambda batch: describe_batch(plan, batch))
        self.contexts.select_x(float(plan.params.batch))

    def _on_click(self, x: float, _y: float) -> None:
        """Pick the batch of the curve that is nearest to a click, where there is one."""
        plan = self._plan
        if plan is not None and not self.contexts.is_empty:
            batches = plan.capacity.batches
            self.batch_picked.emit(int(batches[np.argmin(np.abs(np.log10(batches) - x))]))


def context_series(plan: Plan) -> list[Series]:
    """The longest context that fits, NaN where none or any does; the model's own limit; what is chosen."""
    capacity, params = plan.capacity, plan.params
    batches = capacity.batches.astype(np.float64)
    contexts = np.where((capacity.contexts > 0) & (capacity.contexts < MAX_CONTEXT), capacity.contexts, np.nan)
    series = [Series(str(tr("longest context that fits")), batches, contexts, 2, "line", filled=True)]
    longest = plan.model.max_context
    ends = np.array([batches[0], max(batches[-1], float(params.batch))])
    if longest is not None:
        series.append(Series(str(tr("made for")), ends, np.full(2, float(longest)), 6, "dashed"))
    chosen = Series(
        str(tr("chosen")),
        np.array([float(params.batch)]),
        np.array([float(params.context)]),
        1 if capacity.use.fits else 4,
        "marks",
    )
    return [*series, chosen]


def describe_batch(plan: Plan, batch: float) -> str | None:
    """The read-out at a batch: that of the nearest size of the curve."""
    capacity, params = plan.capacity, plan.params
    index = int(np.argmin(np.abs(np.log(capacity.batches) - math.log(max(batch, 1e-9)))))
    lines = [
        tr(
            "batch {batch:,}: {context}",
            batch=int(capacity.batches[index]),
            context=context(float(capacity.contexts[index])),
        ),
        tr("chosen: batch {batch:,}, {context:,} tokens", batch=params.batch, context=params.context),
    ]
    if plan.model.max_context is not None:
        lines.append(tr("{name} was made for {tokens:,} tokens", name=plan.model.name, tokens=plan.model.max_context))
    lines.append(tr("free memory per GPU: {free}", free=quantity(max(0.0, capacity.use.free), "bytes")))
    return "\n".join(map(str, lines))
