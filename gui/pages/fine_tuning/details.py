"""Answers, masks, what is trained where, and every number: what stands behind the buttons beside the costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from core.contracts.result import Provenance
from core.format import format_quantity
from core.topics.fine_tuning.plan import Plan
from core.topics.fine_tuning.result import FineTuningResult, MethodSummary
from gui.charts.ticks import short_quantity
from gui.charts.token_map import TokenMap
from gui.pages.fine_tuning import mask_pages, view_data
from gui.pages.fine_tuning.view_data import TrainedPart
from gui.widgets.record_model import Column
from gui.widgets.record_table import RecordTable
from gui.widgets.samples_table import SamplesTable
from gui.widgets.switcher import Switcher

SAMPLES, MASK, VECTORS, METHODS_TABLE = range(4)
_BEFORE_SAMPLES = "Run (F5) to see what the model answers to held-out rows before and after each method."


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _bytes(value: float) -> str:
    return short_quantity(value, "bytes")


def _yes(same: bool) -> str:
    return "yes" if same else "no"


def _percent(share: float) -> str:
    return format_quantity(100 * share, "%")


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _field(
    name: str,
    title: str,
    help: str,
    write: Callable[[Any], str] = str,
    unit: str = "",
    number: bool = True,
    value: Callable[[MethodSummary], Any] | None = None,
) -> Column[MethodSummary]:
    return Column(name, title, help, value or attrgetter(name), write, unit, number)


def _text(name: str, title: str, help: str, value: Callable[[MethodSummary], Any]) -> Column[MethodSummary]:
    return _field(name, title, help, number=False, value=value)


def _part(name: str, title: str, help: str) -> Column[MethodSummary]:
    return _field(name, title, help, _bytes, "B", value=attrgetter(f"memory.{name}"))


_LOSS = "nats per token"
METHOD_COLUMNS = (
    _text("label", "Method", "Method", lambda summary: view_data.label(summary.method)),
    _field("trainable_parameters", "Trainable", "Parameters that train", _count),
    _field("share", "Share", "Trainable of all parameters", _percent),
    _field("extra_parameters", "Added", "Parameters that the method adds", _count),
    _field("held_out_loss", "Held-out", f"Loss on held-out rows, {_LOSS}", format_quantity, "nats"),
    _field("final_loss", "Final loss", f"Training loss, mean of the last ten steps, {_LOSS}", format_quantity, "nats"),
    _field("exact_match_unseen", "Unseen", "Exact match, unseen people", _percent),
    _field("exact_match_untold", "Untold", "Exact match, untold facts", _percent),
    _field("steps", "Steps", "Steps done", _count),
    _field("steps_per_s", "Steps/s", "Steps per second on this machine", format_quantity, "1/s"),
    _field("learning_rate", "Rate", "Highest learning rate", format_quantity),
    _part("weights_bytes", "Weights", "Bytes of weights"),
    _part("gradients_bytes", "Gradients", "Bytes of gradients"),
    _part("optimizer_bytes", "Optimizer", "Bytes of the optimizer's state"),
    _part("activations_bytes", "Activations", "Bytes of activations kept for backward"),
    _field("frozen_unchanged", "Frozen same", "Are frozen parameters to the bit what they were?", _yes, number=False),
    _text("memory_how", "Memory is", "How the bytes were obtained", attrgetter("memory.how")),
    _text("runs_on", "4 bits by", "What did the 4-bit work", attrgetter("runs_on")),
    _text("where", "Trains", "Where the trainable parameters are", lambda s: view_data.trains_where(s.method)),
    replace(_text("error", "Stopped", "Why it stopped early", attrgetter("error")), tone=lambda summary: "bad"),
)
PART_COLUMNS: tuple[Column[TrainedPart], ...] = (
    Column("name", "Place", "Where it is added or trained", attrgetter("name"), number=False),
    Column("shape", "Shape", "Shape of what is added", attrgetter("shape"), _shape, number=False),
    Column("count", "Parameters", "How many numbers train there", attrgetter("count"), _count),
)


class VectorsView(QWidget):
    """What the chosen method trains, place by place; for QLoRA also what its gradients passed through."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.where, self.evidence = QLabel(), QLabel()
        for text in (self.where, self.evidence):
            text.setProperty("role", "small")
            text.setWordWrap(True)
        self.table = RecordTable(PART_COLUMNS, attrgetter("place"), "This method trains nothing that is known yet.")
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 2, 6, 0)
        column.setSpacing(4)
        column.addWidget(self.where)
        column.addWidget(self.table, 1)
        column.addWidget(self.evidence)

    def draw(self, plan: Plan, run: FineTuningResult | None, method: str) -> bool:
        """Show a method; says whether what is shown was measured."""
        self.where.setText(f"{view_data.label(method)} trains {view_data.trains_where(method)}.")
        parts, measured = view_data.trained_parts(plan, run, method)
        self.table.set_rows(parts)
        sentences = view_data.objective_sentence(run, method), view_data.gradients_sentence(run, method)
        self.evidence.setText(" ".join(filter(None, sentences)))
        self.evidence.setVisible(any(sentences))
        return measured


class DetailsView(Switcher):
    """What is behind the other buttons is drawn when it is looked at.

    `method_picked` and `place_picked` are what the user chose in any of them; `provenance_changed` carries where what
    is shown comes from, None for nothing.
    """

    method_picked = Signal(str)
    place_picked = Signal(str)
    provenance_changed = Signal(object)

    def __init__(self) -> None:
        self.samples = SamplesTable(_BEFORE_SAMPLES)
        self.mask = TokenMap()
        self.vectors = VectorsView()
        self.methods = RecordTable(METHOD_COLUMNS, attrgetter("method"), "Run (F5) to measure every method.")
        super().__init__(
            [("Samples", self.samples), ("Mask", self.mask), ("Vectors", self.vectors), ("Methods", self.methods)]
        )
        self._plan: Plan | None = None
        self._run: FineTuningResult | None = None
        self._method = ""
        self.samples.variant_picked.connect(self._on_variant)
        self.methods.picked.connect(lambda summary: self.method_picked.emit(summary.method.value))
        self.vectors.table.picked.connect(lambda part: self.place_picked.emit(part.place))
        self.mask.page_picked.connect(self.mask.show_page)
        self.mask.cell_picked.connect(lambda row, column: self.mask.select(max(row, 0), max(column, 0)))
        self.switched.connect(lambda _: self._draw())

    def draw(self, plan: Plan, run: FineTuningResult | None, method: str) -> None:
        """Show a plan and the last run, with one method in front."""
        self._plan, self._run, self._method = plan, run, method
        self._draw()

    def select_place(self, place: str | None) -> None:
        self.vectors.table.mark(place)

    def _draw(self) -> None:
        if self._plan is None:
            return
        measured = None if self._run is None else self._run.measured
        draw = (self._draw_samples, self._draw_mask, self._draw_vectors, self._draw_methods)[self.index]
        self.provenance_changed.emit(measured if draw(self._plan) else self._otherwise)

    @property
    def _otherwise(self) -> Provenance | None:
        """Where what is in front comes from, if not from the run: there are no answers without one."""
        return None if self.index == SAMPLES else Provenance.MODELLED

    def _draw_samples(self, plan: Plan) -> bool:
        variants, samples = view_data.answers(self._run)
        self.samples.set_samples(variants, samples, self._method)
        return bool(samples)

    def _draw_mask(self, plan: Plan) -> bool:
        self.mask.set_pages(mask_pages.pages(plan, self._run, self._method))
        return mask_pages.is_measured(self._run, self._method)

    def _draw_vectors(self, plan: Plan) -> bool:
        return self.vectors.draw(plan, self._run, self._method)

    def _draw_methods(self, plan: Plan) -> bool:
        measured = self._run is not None and self._run.has_summaries
        self.methods.set_rows([cost.summary for cost in view_data.costs(plan, self._run) if cost.summary is not None])
        self.methods.mark(self._method)
        return measured

    def _on_variant(self, key: str) -> None:
        """The answers before stand beside every method already."""
        if key in view_data.ORDER:
            self.method_picked.emit(key)
