"""Two runs of the same cases: what changed from A to B, and what got slower or was lost."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from core.contracts.text import Text, tr, tr_plural
from core.families.axes import case_text
from core.format import format_quantity
from core.hardware.noise import Verdict
from core.recordings.changes import Change, NotComparable, Regressions, changes, regressions
from core.recordings.run import FamilyRun
from gui.pages.compare.shown import moment
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.record_model import Column
from gui.widgets.record_table import RecordTable

_NO_PAIR = tr(
    "Two runs are compared here. Pin a run as A and run again, or select two recordings in the tab beside this one."
)
_NOTHING_SHARED = tr("A and B have no case and implementation in common.")
_NO_TIMES = tr("They have no times in common: errors and bytes are compared.")
_NO_REGRESSION = tr("Nothing got slower beyond noise, and nothing was lost.")
_TONES = {Verdict.SLOWER: "bad", Verdict.FASTER: "good"}


@dataclass(frozen=True)
class Pair:
    """Two runs of one operation, A before B, with their names."""

    a: FamilyRun
    b: FamilyRun


@dataclass(frozen=True)
class ChangeRow:
    """One change with the values that were swept."""

    title: str
    change: Change


class ChangesView(QWidget):
    """`regressions_only` leaves out what is no slower."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pair: Pair | None = None
        self.summary, self.only = FittedLabel(), QCheckBox()
        show_text(self.only.setText, tr("regressions only"))
        self.table: RecordTable[ChangeRow] = RecordTable(
            COLUMNS, lambda row: (case_text(row.change.case), row.change.impl), _NO_PAIR, hides_empty=True
        )
        self.only.toggled.connect(lambda _: self._write())
        line = QHBoxLayout()
        line.setContentsMargins(2, 0, 2, 0)
        line.addWidget(self.summary, 1)
        line.addWidget(self.only)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(line)
        column.addWidget(self.table, 1)

    def show_pair(self, pair: Pair | None) -> None:
        """Compare these; None says how to get two runs."""
        if pair is not None and self.pair is not None and pair.a is self.pair.a and pair.b is self.pair.b:
            return
        if pair is None and self.pair is None:
            return
        self.pair = pair
        self._write()

    def retranslate(self) -> None:
        """Write the sentences anew."""
        self._write()

    def _write(self) -> None:
        pair = self.pair
        self.only.setEnabled(pair is not None)
        if pair is None:
            self.summary.set_wordings("")
            self.table.set_rows([], _NO_PAIR)
            return
        found, problem = _regressions(pair)
        rows = list(changes(pair.a, pair.b))
        empty = _NOTHING_SHARED
        if self.only.isChecked() and found is not None:
            rows, empty = [*found.slower, *found.lost], _NO_REGRESSION
        self.summary.set_wordings(*summary(pair, found, problem))
        self.table.set_rows([ChangeRow(_title(pair, change), change) for change in rows], empty)


def summary(pair: Pair, found: Regressions | None, problem: Text | None) -> tuple[Text, ...]:
    """Which runs are compared, and how many got worse; the longest wording first."""
    pair_text = tr("A {a}, B {b}", a=moment(pair.a), b=moment(pair.b))
    if found is None:
        verdict = problem or _NOTHING_SHARED
    elif not found.compared and not found.lost:
        verdict = _NO_TIMES
    else:
        verdict = tr_plural(
            "{count} of {compared} times is slower by more than {least:.0%} and noise, {lost} are lost.",
            "{count} of {compared} times are slower by more than {least:.0%} and noise, {lost} are lost.",
            count=len(found.slower),
            compared=found.compared,
            least=found.threshold - 1,
            lost=len(found.lost),
        )
    return tr("{pair}. {verdict}", pair=pair_text, verdict=verdict), verdict


def _regressions(pair: Pair) -> tuple[Regressions | None, Text | None]:
    """What got worse, or why times are not compared."""
    try:
        return regressions(pair.a, pair.b), None
    except NotComparable as error:
        return None, error.text


def _title(pair: Pair, change: Change) -> str:
    """The values that one of the runs swept; all of them if none did."""
    names = [name for name in dict.fromkeys((*pair.a.swept, *pair.b.swept)) if name in change.case]
    return case_text({name: change.case[name] for name in names} if names else change.case)


def _verdict(row: ChangeRow) -> Text | None:
    if row.change.lost:
        return tr("lost")
    return None if row.change.time is None else row.change.time.verdict.label


def _tone(row: ChangeRow) -> str:
    if row.change.lost:
        return "bad"
    return "" if row.change.time is None else _TONES.get(row.change.time.verdict, "")


def _interval(row: ChangeRow) -> str | None:
    time = row.change.time
    if time is None:
        return None
    if time.verdict is Verdict.UNKNOWN:
        return format_quantity(time.ratio, "x")
    return f"{time.ratio:.2f}× ({time.low:.2f}–{time.high:.2f})"


def _ratio(row: ChangeRow) -> float:
    return 0.0 if row.change.time is None else row.change.time.ratio


COLUMNS: tuple[Column[ChangeRow], ...] = (
    Column("case", tr("Point"), tr("The swept values"), lambda row: row.title, number=False),
    Column("impl", tr("Implementation"), tr("The implementation"), lambda row: row.change.b.label, number=False,
           order=lambda row: str(row.change.b.label)),
    Column("a", "A", tr("Median time in A"), lambda row: row.change.a.time_ms,
           lambda value: format_quantity(value, "ms"), unit="ms"),
    Column("b", "B", tr("Median time in B"), lambda row: row.change.b.time_ms,
           lambda value: format_quantity(value, "ms"), unit="ms"),
    Column("ratio", tr("B over A"), tr("How many times as long B takes, with the interval around it"), _interval,
           number=False, mono=True, order=_ratio, tone=_tone),
    Column("verdict", tr("Verdict"), tr("Whether the times differ by more than noise"), _verdict, number=False,
           order=lambda row: str(_verdict(row)), tone=_tone),
    Column("error", tr("Error"), tr("RMS error of B over that of A"), lambda row: row.change.error_ratio,
           lambda value: format_quantity(value, "x"), unit="x"),
    Column("bytes", tr("Bytes"), tr("Traced bytes of B over those of A"), lambda row: row.change.byte_ratio,
           lambda value: format_quantity(value, "x"), unit="x"),
    Column("reason", tr("Remark"), tr("Why B has no time"), lambda row: row.change.lost_reason or None, number=False,
           order=lambda row: str(row.change.lost_reason), stretch=True),
)  # fmt: skip
