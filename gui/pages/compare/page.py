"""The page of compare: bars at one point, curves over the sweep, and what each number is worth."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from core.csv_text import to_csv
from core.recordings import document
from core.recordings.rows import rows_of
from core.recordings.run import FamilyRun
from core.run_files import SavedRun
from core.topics.compare.params import OWN_FILE, CompareParams
from core.topics.compare.plan import Plan
from core.topics.compare.recorded_sizes import params_with_sizes_of
from core.topics.compare.result import CompareResult
from gui.charts.row_chart import RowChart
from gui.page.card_spec import CardSpec, Strip
from gui.page.export import write_numbers
from gui.page.file_writing import FileWriter
from gui.page.page import Page
from gui.page.selection import Selection
from gui.page.state import PageState
from gui.pages.compare import key_metrics
from gui.pages.compare.bar_rows import bar_rows, key_of
from gui.pages.compare.curves_view import CurvesView
from gui.pages.compare.details_view import DetailsView
from gui.pages.compare.samples_strip import SamplesStrip
from gui.pages.compare.shown import RUN, Shown, device_line, newest_index, parameter_help, point_title
from gui.pages.compare.toolbar import CSV, CompareBar
from gui.widgets.badged_metrics import BadgedMetrics
from gui.widgets.scroll import VerticalScroll
from gui.zoom import Px

_BARS_HELP = tr(
    "Median time with every sample as a dot, and the error against float64 with what is allowed, at one point of the "
    "sweep. Only what is right has a time. Each device has an axis of its own: recordings stand below, under theirs. "
    "Left and Right change the point. Click a row, or pick it with arrows and Return, to see its samples."
)
_CURVES_HELP = tr(
    "The same over the sweep, on logarithmic axes; points appear while the run goes on. Time and error are measured, "
    "bytes traced. Modelled times are bands: nobody ran the kernels on that GPU, and launches are not in them. Click a "
    "point to see its bars."
)
_DETAILS_HELP = tr(
    "Every point and implementation; what the compiler says of the Triton kernels; what changed from a run A to a run "
    "B, with a verdict on noise; and recordings, which you can drop on the page. Click a heading to sort."
)
_BARS_PX, _DETAILS_PX = Px(320), Px(210)


class ComparePage(Page[Plan, CompareResult]):
    """Selection kinds: point (its place in the sweep), outcome ('run/IMPL', or 'a/IMPL' and '0/IMPL' of others),
    curves_view, outcomes_view."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self.pinned: FamilyRun | None = None
        self.key_metrics, self.bar = BadgedMetrics(), CompareBar()
        self.bars = RowChart(tr("The implementations appear here once the parameters are valid."), tr("Bars"))
        self.samples, self.curves, self.details = SamplesStrip(), CurvesView(), DetailsView()
        self._writer = FileWriter(self)
        return (
            Strip(self.key_metrics),
            Strip(self.bar),
            CardSpec(
                "bars", _stacked(VerticalScroll(self.bars), self.samples), tr("One point"), _BARS_HELP, width=13,
                height=3, minimum_px=_BARS_PX,
            ),
            CardSpec("curves", self.curves, tr("Sweep"), _CURVES_HELP, column=1, width=12, height=3,
                     minimum_px=_BARS_PX),
            CardSpec("outcomes", self.details, tr("Details"), _DETAILS_HELP, row=1, height=2, minimum_px=_DETAILS_PX),
        )  # fmt: skip

    def link(self) -> None:
        self.bar.index_chosen.connect(self._choose_point)
        self.bar.pin_requested.connect(self._pin)
        self.bar.save_requested.connect(self.save)
        self.bars.picked.connect(self._pick)
        self.samples.closed.connect(lambda: self.selection.update(outcome=None))
        self.curves.index_picked.connect(self._choose_point)
        self.curves.drawn.connect(self.cards["curves"].set_provenance)
        self.details.drawn.connect(self.cards["outcomes"].set_provenance)
        self.details.outcome_picked.connect(
            lambda index, impl: self.selection.update(point=index, outcome=key_of(RUN, impl))
        )
        self.details.recordings.file_requested.connect(self._ask_file)
        self.details.recordings.folder_requested.connect(self._ask_folder)
        self.details.recordings.sizes_wanted.connect(
            lambda run: self.form.propose(params_with_sizes_of(run, self._params))
        )

    # What is shown.

    def show_started(self, phase: Text | str) -> None:
        """A run is followed from point to point until the user chooses one."""
        super().show_started(phase)
        self.selection.update(point=None)

    def draw(self, state: PageState[Plan, CompareResult]) -> None:
        if state.plan.problem:
            self.form.show_problem(state.plan.problem, state.plan.blames)
        elif state.plan.recorded_problem:
            self.form.show_problem(state.plan.recorded_problem, "recordings")

    def select(self, selection: Selection) -> None:
        """Show the selected point and outcome everywhere. Setters emit nothing, so there is no loop."""
        shown = self.shown
        if shown is None:
            return
        titles = [point_title(shown.plan, planned.case) for planned in shown.plan.points]
        self.bar.show_points(titles, shown.index, parameter_help(shown.plan))
        self.bar.show_run(has_run=shown.run is not None, pinned=self.pinned is not None)
        self.bar.write_summary(*summary(shown))
        self.key_metrics.set_groups(key_metrics.groups(shown))
        self.curves.draw(shown)
        self.details.draw(shown)
        self._draw_bars(shown)

    def step(self, delta: int) -> None:
        self.bar.step(delta)

    def dismiss(self) -> bool:
        """Escape closes the samples if there is nothing else to close."""
        if super().dismiss():
            return True
        if self.selection.selection.get("outcome") is None:
            return False
        self.selection.update(outcome=None)
        return True

    @property
    def shown(self) -> Shown | None:
        """What the pictures draw; None before the first plan."""
        state = self.state
        if state is None:
            return None
        run = None if state.fitting is None else state.fitting.run
        chosen, count = self.selection.selection.get("point"), len(state.plan.points)
        index = chosen if isinstance(chosen, int) and chosen < count else newest_index(state.plan, run)
        return Shown(state.plan, run, self.pinned, index)

    def _draw_bars(self, shown: Shown) -> None:
        picked = self.selection.selection.get("outcome")
        key = picked if isinstance(picked, str) else None
        source_key, _, impl = (key or "").partition("/")
        source = shown.source(source_key)
        self.bars.set_rows(bar_rows(shown))
        if self.bars.minimumHeight() != self.bars.readable_px:
            self.bars.setMinimumHeight(self.bars.readable_px)
        self.bars.choose(key)
        self.samples.draw(shown, source, impl)
        self.details.select(shown.index, impl or None)
        drawn = [each for each in shown.sources if shown.point(each.run) is not None]
        self.cards["bars"].set_provenance(drawn[0].provenance if drawn else None)

    # What the user does.

    def save(self, suffix: str, path: Path) -> None:
        """Save the run as a table or as a recording, beside the GUI thread."""
        shown = self.shown
        run = None if shown is None else shown.run
        if run is None:
            return
        if suffix == CSV:
            text = to_csv(rows_of([run]))  # in the current language, which belongs to this thread
            self._writer.write(path, lambda: write_numbers(str(path), text))
        else:
            self._writer.write(path, lambda: document.write(path, [run]))

    def open_recordings(self, path: str) -> None:
        """Show the recordings of a file or a folder: the form follows, and with it the plan, which reads them."""
        self.form.propose(self._params.changed(recordings=path))

    def open_dropped(self, path: str) -> bool:
        """A Python file is compared; anything else is opened as a recording, or as a folder of them."""
        if path.endswith(".py"):
            self.form.propose(self._params.changed(family=OWN_FILE, file=path))
        else:
            self.open_recordings(path)
        return True

    @property
    def _params(self) -> CompareParams:
        params = self.params
        assert isinstance(params, CompareParams)
        return params

    def _choose_point(self, index: int) -> None:
        self.selection.update(point=index)

    def _pick(self, key: str) -> None:
        """A second click closes the samples."""
        again = self.selection.selection.get("outcome") == key
        self.selection.update(outcome=None if again else key)

    def _pin(self, on: bool) -> None:
        shown = self.shown
        self.pinned = shown.run if on and shown is not None else None
        self.details.forget_pair()
        self.select(self.selection.selection)
        self.pin_requested.emit(on)

    def show_pinned(self, saved: SavedRun | None, plan: Plan | None = None) -> None:
        self.pinned = saved.result.run if saved is not None and isinstance(saved.result, CompareResult) else None
        self.details.forget_pair()
        super().show_pinned(saved, plan)

    def _ask_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, str(tr("Open a recording")), "", str(tr("Recordings (*.json)")))
        if path:
            self.open_recordings(path)

    def _ask_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, str(tr("Open a folder of recordings")))
        if path:
            self.open_recordings(path)


def summary(shown: Shown) -> tuple[Text | str, ...]:
    """Where the run was made; before it, what it will do. The longest wording first."""
    if shown.run is not None:
        return device_line(shown.run), shown.run.device.label
    family = shown.plan.family
    return ("",) if family is None else (family.summary or family.label, "")


def _stacked(bars: QWidget, samples: QWidget) -> QWidget:
    content = QWidget()
    column = QVBoxLayout(content)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(2)
    column.addWidget(bars, 1)
    column.addWidget(samples)
    return content
