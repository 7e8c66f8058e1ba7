"""What is said, who sees whom, what is added, and every number: the tables and the mask under the diagram."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import itemgetter
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from core.contracts.result import Provenance, Result, Row
from core.format import format_quantity
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.model.plan import Plan
from gui.charts.ticks import short_quantity
from gui.charts.token_map import TokenMap
from gui.pages.fine_tuning import mask_pages, view_data
from gui.widgets.record_model import Column
from gui.widgets.record_table import RecordTable
from gui.widgets.samples_table import BEFORE, Sample, SamplesTable, Variant
from gui.widgets.switcher import Switcher

SAMPLES, MASK, VECTORS, METHODS_TABLE = range(4)
_BEFORE_SAMPLES = "Run (F5) to see what the model says to held-out rows before and after each method."


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _bytes(value: float) -> str:
    return short_quantity(value, "bytes")


def _yes(same: bool) -> str:
    return "yes" if same else "no"


def _percent(share: float) -> str:
    return format_quantity(100 * share, "%")


def _field(
    name: str, title: str, help: str, write: Callable[[Any], str] = str, unit: str = "", number: bool = True
) -> Column[Row]:
    return Column(name, title, help, itemgetter(name), write, unit, number)


def _text(name: str, title: str, help: str) -> Column[Row]:
    return _field(name, title, help, number=False)


METHOD_COLUMNS = (
    _text("label", "Method", "Method"),
    _field("trainable_parameters", "Trainable", "Parameters that train", _count),
    _field("share", "Share", "Trainable of all parameters", _percent),
    _field("extra_parameters", "Added", "Parameters that the method adds", _count),
    _field("held_out_loss", "Held-out", "Loss on held-out rows, nats per token", format_quantity, "nats"),
    _field(
        "final_loss", "Final loss", "Training loss, mean of the last ten steps, nats per token", format_quantity, "nats"
    ),
    _field("exact_match_unseen", "Unseen", "Exact match, unseen people", _percent),
    _field("exact_match_untold", "Untold", "Exact match, untold facts", _percent),
    _field("steps", "Steps", "Steps done", _count),
    _field("steps_per_s", "Steps/s", "Steps per second on this machine", format_quantity, "1/s"),
    _field("learning_rate", "Rate", "Highest learning rate", format_quantity),
    _field("weights_bytes", "Weights", "Bytes of weights", _bytes, "B"),
    _field("gradients_bytes", "Gradients", "Bytes of gradients", _bytes, "B"),
    _field("optimizer_bytes", "Optimizer", "Bytes of the optimizer's state", _bytes, "B"),
    _field("activations_bytes", "Activations", "Bytes of activations kept for backward", _bytes, "B"),
    _field("frozen_unchanged", "Frozen same", "Are frozen parameters to the bit what they were?", _yes, number=False),
    _text("memory_how", "Memory is", "How the bytes were obtained"),
    _text("runs_on", "4 bits by", "What did the 4-bit work"),
    _text("where", "Trains", "Where the trainable parameters are"),
    replace(_text("error", "Stopped", "Why it stopped early"), tone=lambda row: "bad"),
)
VECTOR_COLUMNS = (
    _text("name", "Place", "Where it is added or trained"),
    _text("shape", "Shape", "Shape of what is added"),
    _field("count", "Parameters", "How many numbers train there", _count),
)


class VectorsView(QWidget):
    """What the chosen method trains, place by place; for QLoRA also what its gradients passed through."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.where, self.through = QLabel(), QLabel()
        for text in (self.where, self.through):
            text.setProperty("role", "small")
            text.setWordWrap(True)
        self.table = RecordTable(VECTOR_COLUMNS, itemgetter("place"), "This method trains nothing that is known yet.")
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 2, 6, 0)
        column.setSpacing(4)
        column.addWidget(self.where)
        column.addWidget(self.table, 1)
        column.addWidget(self.through)

    def draw(self, plan: Plan, result: Result | None, method: str) -> bool:
        """Show a method; says whether what is shown was measured."""
        self.where.setText(f"{view_data.label(method)} trains {METHODS[MethodId(method)].where.in_language('en')}.")
        rows, measured = vector_rows(plan, result, method)
        self.table.set_rows(rows)
        sentences = objective_sentence(result, method), through_sentence(result, method)
        self.through.setText(" ".join(filter(None, sentences)))
        self.through.setVisible(any(sentences))
        return measured


class DetailsView(Switcher):
    """What is behind the other buttons is drawn when it is looked at.

    `method_picked`, `place_picked` and `sample_picked` are what the user chose in any of them; `provenance_changed`
    carries where what is shown comes from, None for nothing.
    """

    method_picked = Signal(str)
    place_picked = Signal(str)
    provenance_changed = Signal(object)

    def __init__(self) -> None:
        self.samples = SamplesTable(_BEFORE_SAMPLES)
        self.mask = TokenMap()
        self.vectors = VectorsView()
        self.methods = RecordTable(METHOD_COLUMNS, itemgetter("method"), "Run (F5) to measure every method.")
        super().__init__(
            [("Samples", self.samples), ("Mask", self.mask), ("Vectors", self.vectors), ("Methods", self.methods)]
        )
        self._plan: Plan | None = None
        self._result: Result | None = None
        self._method = ""
        self.samples.variant_picked.connect(self._on_variant)
        self.methods.picked.connect(lambda row: self.method_picked.emit(row["method"]))
        self.vectors.table.picked.connect(lambda row: self.place_picked.emit(row["place"]))
        self.mask.page_picked.connect(self.mask.show_page)
        self.mask.cell_picked.connect(lambda row, column: self.mask.select(max(row, 0), max(column, 0)))
        self.switched.connect(lambda _: self._draw())

    @property
    def shows_run(self) -> bool:
        """Whether what is in front is of a run."""
        if self.index == MASK:
            return mask_pages.is_measured(self._result, self._method)
        return self._result is not None and bool(
            self._result.tables.get(("samples", "", "vectors", "methods")[self.index])
        )

    def draw(self, plan: Plan, result: Result | None, method: str) -> None:
        """Show a plan and the last run, with one method in front."""
        self._plan, self._result, self._method = plan, result, method
        self._draw()

    def select_place(self, place: str | None) -> None:
        self.vectors.table.mark(place)

    def _draw(self) -> None:
        plan, result, method = self._plan, self._result, self._method
        if plan is None:
            return
        source: Provenance | None = None if result is None else view_data.provenance(result)
        if self.index == SAMPLES:
            variants, samples = answer_samples(result)
            self.samples.set_samples(variants, samples, method)
            source = source if samples else None
        elif self.index == MASK:
            pages = mask_pages.pages(plan, result, method)
            self.mask.set_pages(pages)
            source = source if mask_pages.is_measured(result, method) else Provenance.MODELLED
        elif self.index == VECTORS:
            measured = self.vectors.draw(plan, result, method)
            source = source if measured else Provenance.MODELLED
        else:
            source = self._draw_methods(plan, result, method)
        self.provenance_changed.emit(source)

    def _draw_methods(self, plan: Plan, result: Result | None, method: str) -> Provenance:
        rows = method_rows(result)
        self.methods.set_rows(rows or planned_rows(plan))
        self.methods.mark(method)
        return view_data.provenance(result) if rows and result is not None else Provenance.MODELLED

    def _on_variant(self, key: str) -> None:
        """What was said before stands beside every method already."""
        if key in view_data.ORDER:
            self.method_picked.emit(key)


def answer_samples(result: Result | None) -> tuple[list[Variant], list[Sample]]:
    """The held-out rows of a run with every answer; the numbers of the methods head their marks."""
    rows = [] if result is None else result.tables.get("samples", [])
    if not rows:
        return [], []
    methods = view_data.columns_of(rows)
    variants = [BEFORE]
    variants += [Variant(m, view_data.label(m), view_data.SHORT[m], str(view_data.ORDER.index(m) + 1)) for m in methods]
    samples = [
        Sample(row["row"], row["wanted"], {s.key: row.get(s.key) for s in variants}, row.get("split", ""))
        for row in rows
    ]
    return variants, samples


def method_rows(result: Result | None) -> list[Row]:
    """Rows with every column of the table; what a run does not say yet is None."""
    rows = [] if result is None else result.tables.get("methods", [])
    return [_whole(row) for row in rows]


def planned_rows(plan: Plan) -> list[Row]:
    """The same from shapes alone."""
    return [
        _whole(
            {
                "method": count.method.value,
                "label": count.label,
                "trainable_parameters": count.trainable_parameters,
                "share": count.share,
                "extra_parameters": count.extra_parameters,
                "weights_bytes": count.weights_bytes,
                "gradients_bytes": count.gradients_bytes,
                "optimizer_bytes": count.optimizer_bytes,
                "learning_rate": METHODS[count.method].learning_rate * plan.params.rate_factor,
                "where": METHODS[count.method].where.in_language("en"),
                "memory_how": "modelled",
            }
        )
        for count in plan.counts.values()
    ]


def vector_rows(plan: Plan, result: Result | None, method: str) -> tuple[list[Row], bool]:
    """What a method adds, by shape, where a run says it; else what trains at each place. Second: was it measured?"""
    rows = [] if result is None else result.tables.get("vectors", [])
    own = [row for row in rows if row["method"] == method]
    if own:
        return [{**row, "name": view_data.place_name(row["place"]), "shape": _shape(row["shape"])} for row in own], True
    places = [] if result is None else result.tables.get("places", [])
    measured = bool(places) and method in places[0]
    counts = {row["place"]: row[method] for row in places} if measured else plan.counts[MethodId(method)].trained_at
    return [
        {"place": place, "name": view_data.place_name(place), "shape": None, "count": count}
        for place, count in counts.items()
        if count
    ], measured


def through_sentence(result: Result | None, method: str) -> str:
    """Which gradients there were, where a run looked; '' where it did not."""
    rows = [] if result is None else result.tables.get("gradients_through", [])
    parts = [
        f"{row['what']}: {row['with_gradient']} of {row['tensors']} tensors have a gradient"
        + (f" (norm {format_quantity(row['norm'])})" if row["norm"] else "")
        for row in rows
        if row["method"] == method
    ]
    return f"Gradients after backward. {'; '.join(parts)}." if parts else ""


def objective_sentence(result: Result | None, method: str) -> str:
    """What a method with a prefix optimizes, by the model and by hand; '' where a run did not look."""
    rows = [] if result is None else result.tables.get("objective", [])
    row = next((row for row in rows if row["method"] == method), None)
    if row is None:
        return ""
    loss, by_hand, without = (view_data.number(row[name]) for name in ("loss", "by_hand", "without_prefix"))
    return (
        f"One held-out example: the loss is {loss:.4f} nats a token, −log p(y | prefix, x) by hand {by_hand:.4f}; with "
        f"the prefix taken off {without:.4f}."
    )


def _whole(row: Row) -> Row:
    return {column.name: row.get(column.name) for column in METHOD_COLUMNS} | {"method": row["method"]}


def _shape(shape: object) -> str:
    return str(shape).replace(" x ", " × ")
