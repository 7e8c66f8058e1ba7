"""What a model answers before and after training: one row per prompt, marked right or wrong, one answer in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHeaderView, QWidget

from core.contracts.text import EMPTY, Text, tr
from gui import theme
from gui.translation import plain_tip, show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.keyboard_nav import PICKS
from gui.widgets.table_view import TableOrSentence, TableView
from gui.zoom import Px

_LINE_PX, _MOST_LINES, _MARK_EDGE_PX = Px(16), 3, Px(14)
_ALL_TEXTS, _BEFORE, _READABLE_PX, _LEAST_PX = 4, 2, Px(84), Px(60)
RIGHT, WRONG, UNKNOWN = "✓", "✗", "·"
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Variant:
    """A source of answers: a method, or the model before it. `title` heads its answers, `short` its column of marks, or
    `brief` if names would leave no room for answers; `about` is a line about its answers, for read-outs."""

    key: str
    title: Text | str
    short: Text | str
    brief: str = ""
    about: Text | str = EMPTY


BEFORE = Variant(
    "before",
    tr("Before"),
    tr("Before"),
    "0",
    about=tr("It has not learned the task: it continues the text, even from the middle of a word."),
)
"""The model before any method has trained it."""


@dataclass(frozen=True)
class Sample:
    """One prompt, the expected answer, and the answer of each variant; None if there is none yet.

    `group` says why the prompt is in the table, such as 'unseen person'; '' for no group.
    """

    prompt: str
    expected: str
    answers: Mapping[str, str | None]
    group: Text | str = ""

    def mark(self, key: str) -> str:
        """RIGHT, WRONG or UNKNOWN: an answer is right if it is the expected one, ignoring spaces at both ends."""
        answer = self.answers.get(key)
        if answer is None:
            return UNKNOWN
        return RIGHT if answer.strip() == self.expected.strip() else WRONG


class SamplesTable(TableOrSentence):
    """Columns: the prompt, the expected answer, the answers of the first variant (before) and of the chosen one, then
    one narrow column of marks per variant.

    `variant_picked` carries the key of a variant whose marks or heading were clicked; `row_picked` the index of a
    sample that the user went to. Programmatic selection emits no signal.
    """

    variant_picked = Signal(str)
    row_picked = Signal(int)

    def __init__(self, empty: Text | str, parent: QWidget | None = None) -> None:
        model = _SamplesModel()
        super().__init__(_SamplesView(model), empty, parent)
        self.model = model
        self.view: _SamplesView
        show_text(self.view.setAccessibleName, tr("Answers: Return on a mark shows those of its method"))
        self.view.variant_picked.connect(self.variant_picked)
        self.view.row_reached.connect(self.row_picked)

    @property
    def samples(self) -> tuple[Sample, ...]:
        return self.model.samples

    @property
    def chosen(self) -> str:
        """The key of the variant whose answers are shown in full."""
        return self.model.chosen

    def set_samples(self, variants: Sequence[Variant], samples: Sequence[Sample], chosen: str = "") -> None:
        """Show these; without samples, a sentence. The first variant is the model before. The selection stays."""
        if (tuple(variants), tuple(samples)) != (self.model.variants, self.model.samples):
            row, scrolled = self.view.currentIndex().row(), self.view.verticalScrollBar().value()
            with self.view.without_signals():
                self.model.set_rows(tuple(variants), tuple(samples))
            self.view.fit()
            if 0 <= row < len(samples):
                self.select_row(row)
            self.view.verticalScrollBar().setValue(scrolled)
        self.choose(chosen or self.chosen)
        self._show_table(bool(samples))

    def data_table(self) -> DataTable | None:
        """One row per sample, with the answer of every variant."""
        if self.is_empty:
            return None
        samples = self.samples
        return table_of(
            {
                "group": [str(sample.group) for sample in samples],
                "prompt": [sample.prompt for sample in samples],
                "expected": [sample.expected for sample in samples],
                **{
                    variant.key: [sample.answers.get(variant.key) for sample in samples]
                    for variant in self.model.variants
                },
            }
        )

    def retranslate(self) -> None:
        self.model.announce_texts()
        self.view.fit()

    def choose(self, key: str) -> None:
        """Show the answers of a variant in full; an unknown key changes nothing. Emits no signal."""
        if key != self.model.chosen and any(variant.key == key for variant in self.model.variants):
            self.model.choose(key)
            self.view.fit()

    def select_row(self, row: int) -> None:
        """Mark a sample; -1 marks none. Emits no signal."""
        if row != self.view.currentIndex().row():
            with self.view.without_signals():
                self.view.setCurrentIndex(self.model.index(row, 0))


class _SamplesModel(QAbstractTableModel):
    """Columns of text, then one of marks for each variant."""

    def __init__(self) -> None:
        super().__init__()
        self.variants: tuple[Variant, ...] = ()
        self.samples: tuple[Sample, ...] = ()
        self.chosen = ""
        self.is_brief = False
        self.shown: tuple[Variant, ...] = ()
        """The variants whose answers are shown in full: the first, and the chosen one."""

    @property
    def texts(self) -> int:
        """How many columns hold text."""
        return 2 + len(self.shown)

    def _take_shown(self) -> None:
        chosen = tuple(variant for variant in self.variants[1:] if variant.key == self.chosen)
        self.shown = self.variants[:1] + chosen

    def set_rows(self, variants: tuple[Variant, ...], samples: tuple[Sample, ...]) -> None:
        self.beginResetModel()
        self.variants, self.samples = variants, samples
        if all(variant.key != self.chosen for variant in variants):
            self.chosen = variants[-1].key if variants else ""
        self._take_shown()
        self.endResetModel()

    def choose(self, key: str) -> None:
        """Reset the model only if the number of columns changes: otherwise the selected row stays."""
        whole = (key == self.variants[0].key) != (self.chosen == self.variants[0].key)
        if whole:
            self.beginResetModel()
        self.chosen = key
        self._take_shown()
        if whole:
            self.endResetModel()
        else:
            self.announce_texts()

    def announce_texts(self) -> None:
        """Every text of the table is another one; rows and columns are the same."""
        if self.samples:
            last = self.index(len(self.samples) - 1, self.columnCount() - 1)
            self.dataChanged.emit(self.index(0, 0), last)
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, self.columnCount() - 1)

    def mark_head(self, variant: Variant) -> str:
        return str(variant.brief if self.is_brief and variant.brief else variant.short)

    def variant_of(self, column: int) -> Variant | None:
        """Whose answers or marks a column holds."""
        if column >= self.texts:
            return self.variants[column - self.texts]
        return self.shown[column - 2] if column >= 2 else None

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.samples)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() or not self.variants else self.texts + len(self.variants)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is not Qt.Orientation.Horizontal or section >= self.columnCount():
            return None
        variant = self.variant_of(section)
        marks = section >= self.texts
        if role == Qt.ItemDataRole.DisplayRole:
            if variant is None:
                return str((tr("Prompt"), tr("Expected"))[section])
            return self.mark_head(variant) if marks else str(variant.title)
        if role == Qt.ItemDataRole.ToolTipRole and variant is not None:
            right = sum(sample.mark(variant.key) == RIGHT for sample in self.samples)
            text = tr(
                "{variant}: {right} of {total} right. Click to read the answers.",
                variant=variant.title,
                right=right,
                total=len(self.samples),
            )
            return f"{text}\n{variant.about}" if variant.about else str(text)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignHCenter if marks else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        sample, column = self.samples[index.row()], index.column()
        variant, marks = self.variant_of(column), column >= self.texts
        if role == Qt.ItemDataRole.DisplayRole:
            if variant is None:
                return (sample.prompt, sample.expected)[column]
            return sample.mark(variant.key) if marks else _shown(sample.answers.get(variant.key))
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._read(sample, variant))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignHCenter if marks else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.FontRole:
            return theme.ui_font("title" if marks else "small", bold=marks)
        if role == Qt.ItemDataRole.ForegroundRole and variant is not None:
            now = theme.current()
            colours = {RIGHT: now.good, WRONG: now.bad, UNKNOWN: now.faint}
            return QColor(colours[sample.mark(variant.key)])
        return None

    def _read(self, sample: Sample, variant: Variant | None) -> str:
        prompt, expected = tr("prompt: {text}", text=sample.prompt), tr("expected: {text}", text=sample.expected)
        head = "\n".join(str(part) for part in (sample.group, prompt, expected) if part)
        if variant is None:
            return head
        answer = sample.answers.get(variant.key)
        text = f"{head}\n{_judged(sample.mark(variant.key), variant.title, answer or '')}"
        return f"{text}\n{variant.about}" if variant.about else text


class _SamplesView(TableView):
    """Answers wrap; marks are as narrow as their headings. Left and Right stay with the table."""

    variant_picked = Signal(str)

    def __init__(self, model: _SamplesModel) -> None:
        super().__init__(model)
        self._samples = model
        self.setWordWrap(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.horizontalHeader()
        header.setMinimumSectionSize(20)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self._on_column)
        self.clicked.connect(lambda index: self._on_column(index.column()))

    def fit(self) -> None:
        """Columns of marks take the width of their headings, texts share the rest. Rows are as high as their longest
        text, up to a limit: the read-out shows all of it.
        """
        model, metrics = self._samples, QFontMetrics(theme.ui_font("body", bold=True))
        if not model.variants:
            return
        for brief in (False, True):
            model.is_brief = brief
            marks = [metrics.horizontalAdvance(model.mark_head(one)) + _MARK_EDGE_PX for one in model.variants]
            room = self.viewport().width() - sum(marks)
            if room >= _READABLE_PX * model.texts:
                break
        for column, width in enumerate(marks, start=model.texts):
            self.setColumnWidth(column, width)
        # If answers would be too narrow to read, the first variant shows only its mark; the read-out has its answer.
        narrow = model.texts == _ALL_TEXTS and room < _READABLE_PX * _ALL_TEXTS
        self.setColumnHidden(_BEFORE, narrow)
        shown = [column for column in range(model.texts) if not (narrow and column == _BEFORE)]
        heads = {column: str(model.headerData(column, Qt.Orientation.Horizontal)) for column in shown}
        needs = {column: metrics.horizontalAdvance(head) + _MARK_EDGE_PX for column, head in heads.items()}
        widths = {column: max(_LEAST_PX, width) for column, width in _shares(room, needs).items()}
        for column, width in widths.items():
            self.setColumnWidth(column, width)
        self._fit_heights(widths)

    def _fit_heights(self, widths: Mapping[int, int]) -> None:
        model, metrics = self._samples, QFontMetrics(theme.ui_font("small"))
        for row in range(model.rowCount()):
            lines = 1
            for column, width in widths.items():
                text = str(model.data(model.index(row, column)))
                box = metrics.boundingRect(0, 0, max(20, width - 16), 10_000, int(Qt.TextFlag.TextWordWrap), text)
                lines = max(lines, -(-box.height() // metrics.lineSpacing()))
            self.setRowHeight(row, min(lines, _MOST_LINES) * _LINE_PX + 6)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if Qt.Key(event.key()) in PICKS and self.currentIndex().isValid():
            self._on_column(self.currentIndex().column())
        else:
            super().keyPressEvent(event)

    def _on_column(self, column: int) -> None:
        variant = self._samples.variant_of(column)
        if variant is not None:
            self.variant_picked.emit(variant.key)


def _shares(room: int, needs: Mapping[int, int]) -> dict[int, int]:
    """The same width for each column; a column that needs more for its heading takes it from the others."""
    share = room // len(needs)
    wide = {column: px for column, px in needs.items() if px > share}
    rest = (room - sum(wide.values())) // max(1, len(needs) - len(wide))
    return {column: wide.get(column, rest) if rest >= _LEAST_PX else share for column in needs}


def _judged(mark: str, title: Text | str, answer: str) -> Text:
    """A variant's answer, and whether it is right."""
    match mark:
        case "✓":
            return tr("{variant}, right: {answer}", variant=title, answer=answer)
        case "✗":
            return tr("{variant}, wrong: {answer}", variant=title, answer=answer)
        case _:
            return tr("{variant}, no answer yet", variant=title)


def _shown(answer: str | None) -> str:
    """An answer as its cell shows it; an empty one says so."""
    if answer is None:
        return "—"
    return answer.strip() or str(tr("(nothing)"))
