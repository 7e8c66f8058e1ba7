"""The controls of 'Check all': what it would do, how far it is, and which runs failed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from core.contracts import registry
from core.contracts.text import EMPTY, Text, listed, tr, tr_in, tr_plural
from core.questions.wording import duration, durations
from gui.home.check_all import CheckAll, Failure, Phase
from gui.home.labels import wrapped
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel

if TYPE_CHECKING:
    from core.questions.check_all import PlannedRun

_STEPS = 1000
_MOST_LINES = 4
"""Of failed runs. Those with the same sentence share one."""


class CheckBar(QWidget):
    """`start_requested` carries whether questions that train models are meant too."""

    start_requested = Signal(bool)
    training_chosen = Signal(bool)

    def __init__(self, checking: CheckAll | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._checking = checking
        self._missing: tuple[PlannedRun, ...] | None = None
        self.button = QPushButton()
        self.button.clicked.connect(self._press)
        self.training = QCheckBox()
        show_text(self.training.setText, tr("with training"))
        show_text(self.training.setToolTip, tr("Also make the runs that train small models: they take minutes."))
        self.training.toggled.connect(self.training_chosen)
        self.text = FittedLabel(EMPTY)
        self.progress = QProgressBar()
        self.progress.setRange(0, _STEPS)
        self.progress.setTextVisible(False)
        self._lay_out()
        self.show_state()

    def show_missing(self, runs: Sequence[PlannedRun]) -> None:
        """What a press of the button would run."""
        self._missing = tuple(runs)
        self.show_state()

    def show_state(self) -> None:
        """Show how far the round is, or what could be done."""
        active = self._checking is not None and self._checking.active
        show_text(self.button.setText, tr("Stop checking") if active else tr("Check all"))
        tip = tr("Stop the runs in the background. What has been run stays.") if active else _WHAT_IT_DOES
        show_text(self.button.setToolTip, tip)
        self.button.setEnabled(active or (self._checking is not None and bool(self._missing)))
        self.training.setEnabled(not active)
        self.progress.setVisible(active)
        self.text.set_wordings(*(self._doing() if active else self._offer()))
        if active:
            self.progress.setValue(round(_STEPS * self._share()))

    def _press(self) -> None:
        if self._checking is not None and self._checking.active:
            self._checking.stop()
        else:
            self.start_requested.emit(self.training.isChecked())

    def _offer(self) -> tuple[Text, ...]:
        """What a press of the button would do, in longer and shorter wordings."""
        if self._missing is None:
            return (EMPTY,)
        if not self._missing:
            return (tr("All of them have a run on this machine."), EMPTY)
        times = [run.predicted_s for run in self._missing]
        known = sum(time for time in times if time is not None)
        count = tr_plural("{count} run is missing", "{count} runs are missing", count=len(times))
        whole = tr("{runs}: {time}.", runs=count, time=durations(known, times.count(None)))
        return (whole, tr("{runs}: {time}.", runs=count, time=duration(known)), count)

    def _doing(self) -> tuple[Text, ...]:
        """What goes on, in a long and a short wording."""
        assert self._checking is not None
        round_, current = self._checking.round, self._checking.current
        if self._checking.phase is Phase.PAUSED:
            return (tr("Paused while your run goes on."), tr_in("run", "paused"))
        if not round_.total:
            return (tr("Looking for what is missing"),)
        count = tr("{number} of {total}", number=len(round_.failures) + round_.done + 1, total=round_.total)
        left = tr("{time} left", time=durations(*self._checking.left_s))
        short = tr("{count}, {left}", count=count, left=left)
        if current is None:
            return (short, count)
        _, _, phase = self._checking.progress
        named = tr("{count}, {left} · {page}", count=count, left=left, page=registry.topic(current.page).title)
        long = tr("{named}: {phase}", named=named, phase=phase) if phase else named
        return (long, named, short, count)

    def _share(self) -> float:
        assert self._checking is not None
        round_ = self._checking.round
        done, total, _ = self._checking.progress
        part = min(1.0, done / total) if total > 0 and self._checking.phase is Phase.RUNNING else 0.0
        return (round_.done + len(round_.failures) + part) / round_.total if round_.total else 0.0

    def _lay_out(self) -> None:
        said = QVBoxLayout()
        said.setSpacing(3)
        said.addWidget(self.text)
        said.addWidget(self.progress)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(self.button)
        layout.addWidget(self.training)
        layout.addLayout(said, 1)


_WHAT_IT_DOES = tr(
    "Make the runs that are missing, one after another, in the background. You can use the pages meanwhile: your own "
    "runs come first."
)


class Failures(QFrame):
    """The runs that failed, each with its sentence. Hidden while there are none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "banner")
        self._text = wrapped()
        self._close = QPushButton()
        show_text(self._close.setText, tr("Dismiss"))
        self._close.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 5, 5, 5)
        layout.addWidget(self._text, 1)
        layout.addWidget(self._close)
        self.hide()

    @property
    def sentence(self) -> str:
        """What is shown, '' when hidden."""
        return "" if self.isHidden() else self._text.text()

    def show_failures(self, failures: Sequence[Failure]) -> None:
        """One line per sentence, with the pages whose runs ended so."""
        pages: dict[str, list[Text]] = {}
        texts: dict[str, Text] = {}
        for each in failures:
            texts[str(each.sentence)] = each.sentence
            named = pages.setdefault(str(each.sentence), [])
            title = registry.topic(each.run.page).title
            if title not in named:
                named.append(title)
        lines = [tr("{pages}: {sentence}", pages=listed(pages[key]), sentence=text) for key, text in texts.items()]
        more = len(lines) - _MOST_LINES
        if more > 0:
            lines = [*lines[:_MOST_LINES], tr_plural("and {count} more", "and {count} more", count=more)]
        show_text(self._text.setText, reduce(_below, lines) if lines else EMPTY)
        self.setVisible(bool(failures))


def _below(first: Text, second: Text) -> Text:
    return Text("{first}\n{second}", (("first", first), ("second", second)))
