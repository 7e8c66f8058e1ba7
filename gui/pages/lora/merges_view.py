"""What merging leaves of LoRA's update in each matrix, and what comes back of saved adapters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from core.contracts.text import Text, sentences, tr, verbatim
from core.format import format_quantity
from core.topics.lora.merges import MERGES, MatrixMerge, Merge, SavedAdapter
from core.topics.lora.result import RUN_LABELS, LoraResult
from gui.charts.ticks import short_quantity
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.record_model import Column
from gui.widgets.record_table import RecordTable

_EMPTY = tr("Run (F5). After training, what merging and saving do to the adapters appears here.")
_READING = tr(
    "Size of the rounding divided by that of the update, per matrix (root mean squares). From 100% (red) rounding "
    "swallows the update."
)
_SHORT_READING = tr("Rounding divided by update; red from 100%")


@dataclass(frozen=True)
class MergedMatrix:
    """A matrix, as the page calls it, with its merges."""

    name: str
    title: Text
    merges: Mapping[Merge, MatrixMerge]

    @property
    def update(self) -> float:
        return next(iter(self.merges.values())).update


def merged_matrices(result: LoraResult | None) -> list[MergedMatrix]:
    """One row per matrix, in the order of the result."""
    rows: dict[str, dict[Merge, MatrixMerge]] = {}
    for merge in () if result is None else result.merges:
        rows.setdefault(merge.name, {})[merge.merge] = merge
    titles = {} if result is None else {matrix.name: matrix.title for matrix in result.matrices}
    return [MergedMatrix(name, titles.get(name, verbatim(name)), merges) for name, merges in rows.items()]


def saved_sentence(saved: SavedAdapter) -> Text:
    """What a saved adapter is, and what comes back."""
    came_back = tr(
        "{run}, saved and loaded: {size}, {tensors} tensors ({empty} of rank 0), logits off by {error:.2g} (relative).",
        run=RUN_LABELS[saved.run],
        size=short_quantity(saved.bytes, "bytes"),
        tensors=saved.tensors,
        empty=saved.empty_tensors,
        error=saved.max_error,
    )
    return sentences(came_back, saved.resumes)


def _column(merge: Merge) -> Column[MergedMatrix]:
    def of(row: MergedMatrix) -> MatrixMerge | None:
        return row.merges.get(merge)

    def tip(row: MergedMatrix) -> str:
        found = of(row)
        if found is None:
            return ""
        return str(
            tr(
                "Rounding {rounding:.3g}, update {update:.3g}. {arrives:.0%} of the update arrive; {unchanged:.0%} of "
                "the weights stay as they were.",
                rounding=found.rounding,
                update=found.update,
                arrives=found.arrives,
                unchanged=found.unchanged,
            )
        )

    return Column(
        merge.value,
        merge.label,
        merge.detail,
        lambda row: None if (found := of(row)) is None else found.rounding_share,
        lambda share: format_quantity(100 * share, "%"),
        tip=tip,
        tone=lambda row: "bad" if (found := of(row)) is not None and found.is_swallowed else "",
    )


_COLUMNS: tuple[Column[MergedMatrix], ...] = (
    Column(
        "name",
        tr("Matrix"),
        tr("The adapted matrix"),
        lambda row: str(row.title),
        number=False,
        tip=attrgetter("name"),
    ),
    Column(
        "update",
        tr("Update"),
        tr("Root mean square of LoRA's update, s B A"),
        attrgetter("update"),
        lambda value: f"{value:.3g}",
    ),
    *(_column(merge) for merge in MERGES),
)


class MergesView(QWidget):
    """A table of matrices, and below it what comes back of the saved adapters."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.reading, self.saved = FittedLabel(), QLabel()
        self.saved.setProperty("role", "small")
        self.saved.setWordWrap(True)
        self.table = RecordTable(_COLUMNS, attrgetter("name"), _EMPTY)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 2, 6, 0)
        column.setSpacing(4)
        column.addWidget(self.reading)
        column.addWidget(self.table, 1)
        column.addWidget(self.saved)

    def draw(self, result: LoraResult | None) -> bool:
        """Show a run. Returns whether it has merges or saved adapters."""
        rows, saved = merged_matrices(result), () if result is None else result.saved
        self.table.set_rows(rows)
        self.reading.set_wordings(*((_READING, _SHORT_READING) if rows else ()))
        self.reading.setVisible(bool(rows))
        show_text(self.saved.setText, sentences(*map(saved_sentence, saved)))
        self.saved.setVisible(bool(saved))
        return bool(rows or saved)
