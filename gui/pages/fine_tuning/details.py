"""The details card: answers, masks, trained parameters by place, and a table of all numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from core import language
from core.contracts.result import Provenance
from core.contracts.text import Text, sentences, tr, tr_in
from core.format import format_quantity
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.plan import Plan
from core.topics.fine_tuning.result import FineTuningResult, MethodSummary
from gui.charts.ticks import short_quantity
from gui.charts.token_map import TokenMap
from gui.pages.fine_tuning import mask_pages, view_data
from gui.pages.fine_tuning.view_data import TrainedPart
from gui.translation import show_text
from gui.widgets.record_model import Column
from gui.widgets.record_table import RecordTable
from gui.widgets.samples_table import SamplesTable
from gui.widgets.switcher import Switcher

SAMPLES, MASK, VECTORS, METHODS_TABLE = range(4)
_BEFORE_SAMPLES = tr("Run (F5) to see the model's answers to held-out rows before and after training with each method.")


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _bytes(value: float) -> str:
    return short_quantity(value, "bytes")


def _yes_or_no(value: bool) -> str:
    return str(tr("yes") if value else tr("no"))


def _percent(share: float) -> str:
    return format_quantity(100 * share, "%")


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _field(
    name: str,
    title: Text,
    help: Text,
    write: Callable[[Any], str] = str,
    unit: str = "",
    number: bool = True,
    value: Callable[[MethodSummary], Any] | None = None,
) -> Column[MethodSummary]:
    return Column(name, title, help, value or attrgetter(name), write, unit, number)


def _text(name: str, title: Text, help: Text, value: Callable[[MethodSummary], Any]) -> Column[MethodSummary]:
    return _field(name, title, help, number=False, value=value)


def _part(name: str, title: Text, help: Text) -> Column[MethodSummary]:
    return _field(name, title, help, _bytes, "B", value=attrgetter(f"memory.{name}"))


METHOD_COLUMNS = (
    _text("label", tr("Method"), tr("The method"), lambda summary: view_data.label(summary.method)),
    _field("trainable_parameters", tr("Trainable"), tr("Trainable parameters"), _count),
    _field("share", tr("Share"), tr("Trainable share of all parameters"), _percent),
    _field("extra_parameters", tr("Added"), tr("Parameters added by the method"), _count),
    _field("held_out_loss", tr("Held-out"), tr("Loss on held-out rows, nats per token"), format_quantity, "nats"),
    _field(
        "final_loss",
        tr("Final loss"),
        tr("Training loss, mean of the last ten steps, nats per token"),
        format_quantity,
        "nats",
    ),
    _field("exact_match_unseen", tr("Unseen"), tr("Exact match on unseen people"), _percent),
    _field("exact_match_untold", tr("Unstated"), tr("Exact match on unstated facts"), _percent),
    _field("steps", tr("Steps"), tr("Completed steps"), _count),
    _field("steps_per_s", tr("Steps/s"), tr("Steps per second on this machine"), format_quantity, "1/s"),
    _field("learning_rate", tr("Rate"), tr("Peak learning rate"), format_quantity),
    _part("weights_bytes", tr("Weights"), tr("Bytes of weights")),
    _part("gradients_bytes", tr("Gradients"), tr("Bytes of gradients")),
    _part("optimizer_bytes", tr("Optimizer"), tr("Bytes of optimizer state")),
    _part("activations_bytes", tr("Activations"), tr("Bytes of activations kept for the backward pass")),
    _field(
        "frozen_unchanged",
        tr("Frozen equal"),
        tr("Whether the frozen parameters are bit-equal before and after training"),
        _yes_or_no,
        number=False,
    ),
    _text("memory_how", tr("Memory source"), tr("How the bytes were obtained"), lambda s: str(s.memory.how)),
    _text("runs_on", tr("4-bit by"), tr("The implementation of the 4-bit weights"), lambda s: str(s.runs_on)),
    _text("where", tr("Trains"), tr("Where the trainable parameters are"), lambda s: view_data.trains_where(s.method)),
    replace(
        _text("error", tr("Stopped"), tr("Why the method stopped early"), lambda s: str(s.error)),
        tone=lambda summary: "bad",
    ),
)
PART_COLUMNS: tuple[Column[TrainedPart], ...] = (
    Column("name", tr("Place"), tr("Where parameters are added or trained"), attrgetter("name"), number=False),
    Column("shape", tr("Shape"), tr("Shape of the added vectors"), attrgetter("shape"), _shape, number=False),
    Column("count", tr("Parameters"), tr("The number of parameters trained there"), attrgetter("count"), _count),
)


class VectorsView(QWidget):
    """The trained parameters of the selected method by place; for some methods also evidence about its gradients."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.where, self.evidence = QLabel(), QLabel()
        for label in (self.where, self.evidence):
            label.setProperty("role", "small")
            label.setWordWrap(True)
        self.table = RecordTable(PART_COLUMNS, attrgetter("place"), tr("The trained parameters are not known yet."))
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 2, 6, 0)
        column.setSpacing(4)
        column.addWidget(self.where)
        column.addWidget(self.table, 1)
        column.addWidget(self.evidence)

    def draw(self, plan: Plan, run: FineTuningResult | None, method: str) -> bool:
        """Show a method. Returns whether the numbers were measured."""
        chosen = METHODS[MethodId(method)]
        show_text(self.where.setText, tr("{method} trains {where}.", method=chosen.label, where=chosen.where))
        parts, measured = view_data.trained_parts(plan, run, method)
        self.table.set_rows(parts)
        evidence = sentences(view_data.objective_sentence(run, method), view_data.gradients_sentence(run, method))
        show_text(self.evidence.setText, evidence)
        self.evidence.setVisible(bool(evidence))
        return measured


class DetailsView(Switcher):
    """Draws only the visible view.

    `method_picked` and `place_picked` report the user's selection in any view. `provenance_changed` carries the
    provenance of the visible numbers, None if there are none.
    """

    method_picked = Signal(str)
    place_picked = Signal(str)
    provenance_changed = Signal(object)

    def __init__(self) -> None:
        self.samples = SamplesTable(_BEFORE_SAMPLES)
        self.mask = TokenMap()
        self.vectors = VectorsView()
        self.methods = RecordTable(METHOD_COLUMNS, attrgetter("method"), tr("Run (F5) to measure all methods."))
        super().__init__(
            [
                ("samples", tr("Samples"), self.samples),
                ("mask", tr_in("attention", "Mask"), self.mask),
                ("vectors", tr("Vectors"), self.vectors),
                ("methods", tr("Methods"), self.methods),
            ],
            "details_view",
        )
        self._plan: Plan | None = None
        self._run: FineTuningResult | None = None
        self._method = ""
        self._language = language.current()
        self.samples.variant_picked.connect(self._on_variant)
        self.methods.picked.connect(lambda summary: self.method_picked.emit(summary.method.value))
        self.vectors.table.picked.connect(lambda part: self.place_picked.emit(part.place))
        self.mask.page_picked.connect(self.mask.show_page)
        self.mask.cell_picked.connect(lambda row, column: self.mask.select(max(row, 0), max(column, 0)))
        self.switched.connect(lambda _: self._draw())

    def draw(self, plan: Plan, run: FineTuningResult | None, method: str) -> None:
        """Show a plan and the last run with one selected method."""
        self._plan, self._run, self._method = plan, run, method
        self._draw()

    def select_place(self, place: str | None) -> None:
        self.vectors.table.mark(place)

    def _draw(self) -> None:
        if self._plan is None:
            return
        measured = None if self._run is None else self._run.measured
        views = (self._draw_samples, self._draw_mask, self._draw_vectors, self._draw_methods)
        if self._language != language.current():  # hidden views have texts of the former language too
            self._language = language.current()
            for draw in views:
                draw(self._plan)
        is_measured = views[self.index](self._plan)
        self.provenance_changed.emit(measured if is_measured else self._provenance_without_run)

    @property
    def _provenance_without_run(self) -> Provenance | None:
        """The provenance of the visible numbers if they are not from a run. Answers exist only with a run."""
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
        """Select the method. The answers before training are always visible, so they are not selectable."""
        if key in view_data.ORDER:
            self.method_picked.emit(key)
