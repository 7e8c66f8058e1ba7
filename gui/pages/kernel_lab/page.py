"""The kernel-lab page: a file of kernels, its source with traffic per line, and the memory that its launches touch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QStackedWidget

from core.contracts.errors import TilescopeError
from core.contracts.result import Provenance
from core.contracts.text import tr
from core.run_files import SavedRun
from core.topics.kernel_lab import analysis
from core.topics.kernel_lab.plan import Plan
from core.topics.kernel_lab.result import KernelLabResult
from core.trace.order import Moment
from core.trace.record import Launch
from core.user_code.paths import shown
from gui.page.card_spec import CardSpec, Strip
from gui.page.file_work import FileWork
from gui.page.file_writing import FileWriter
from gui.page.page import Page
from gui.page.selection import Selection
from gui.page.state import PageState
from gui.pages.kernel_lab import files, view_data
from gui.pages.kernel_lab.finding_view import FindingView
from gui.pages.kernel_lab.findings import Findings
from gui.pages.kernel_lab.launch_views import LaunchViews
from gui.pages.kernel_lab.toolbar import Toolbar, Welcome
from gui.pages.kernel_lab.traced_run import TracedRun
from gui.pages.kernel_lab.traffic_source import TrafficSource
from gui.translation import show_text
from gui.widgets.switcher import Switcher
from gui.zoom import Px

_UPPER_PX = Px(300)
_OPEN_FILTER = tr("Kernels and traces (*.py *.npz);;Python (*.py);;Saved traces (*.npz)")
_SOURCE_HELP = tr(
    "The gutter shows the bytes that each line moves; warmer lines move more. Lines with a fault are red. Click a line "
    "to highlight its accesses in every view. Edit the code and press Ctrl+S to save and trace again."
)
_MAP_HELP = tr(
    "Every load and store of the launch: x is the order of accesses, program by program; y is the address, with the "
    "tensors stacked. Click an access to find its line and program. The wheel zooms, dragging pans, a double click "
    "shows everything."
)
_TENSOR_HELP = tr(
    "Accesses: how often each element of a tensor is read or written, by all programs or by the selected one. Finding: "
    "the memory around a finding, with the bounds of the tensor and the places that it is about."
)
_PROGRAM_HELP = tr(
    "Grid: the programs of the launch; click a program to highlight it in every view. Reuse: the hit rate of a cache "
    "of each size. Working set: distinct bytes over the course of the accesses."
)
_FINDINGS_HELP = tr(
    "Traffic per source line of a launch, totals over all launches, and what is wrong with the kernels; Show me, or "
    "Enter, shows a finding in every view. Pin a run as A to compare the next run with it: bytes per tensor and per "
    "line."
)


class KernelLabPage(Page[Plan, KernelLabResult]):
    """Selection kinds: file, line, function, tensor, program, access (its order in the program), launch,
    finding (its place in the result), findings_view, programs_view, tensor_view."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self._path: Path | None = None
        self.run = TracedRun(self)
        self._opening = FileWork(self._show_not_opened, self)
        self._writer = FileWriter(self)
        examples = view_data.examples()
        self.toolbar, self.welcome = Toolbar(examples), Welcome(examples)
        self.code, self.findings = TrafficSource(), Findings()
        self.views = LaunchViews()
        self.finding = FindingView()
        self.tensor_views = Switcher(
            [("heatmap", tr("Accesses"), self.views.heatmap), ("finding", tr("Finding"), self.finding)], "tensor_view"
        )
        self.map_stack = QStackedWidget()
        self.map_stack.addWidget(self.welcome)
        self.map_stack.addWidget(self.views.map)
        self.program_views = Switcher(
            [
                ("grid", tr("Grid"), self.views.grid),
                ("reuse", tr("Reuse"), self.views.reuse),
                ("working-set", tr("Working set"), self.views.working_set),
            ],
            "programs_view",
        )
        return (
            Strip(self.toolbar),
            CardSpec(
                "source", self.code, tr("Source and traffic"), _SOURCE_HELP, width=21, height=13, minimum_px=_UPPER_PX
            ),
            CardSpec("map", self.map_stack, tr("Memory accesses"), _MAP_HELP, 0, 1, width=20, height=13),
            CardSpec("tensor", self.tensor_views, tr("Tensor"), _TENSOR_HELP, 1, 0, width=15, height=10),
            CardSpec("programs", self.program_views, tr("Programs"), _PROGRAM_HELP, 1, 1, width=20, height=10),
            CardSpec("findings", self.findings, tr("Findings"), _FINDINGS_HELP, 1, 2, width=18, height=10),
        )

    def draw(self, state: PageState[Plan, KernelLabResult]) -> None:
        plan = state.plan
        is_other_file, self._path = self._path != plan.path, plan.path
        if plan.problem:
            self.form.show_problem(plan.problem, plan.blames)
        else:
            self.form.clear_problem()
        self.toolbar.show_file("" if self._opened is not None else self._shown_path)
        self.toolbar.set_functions([function.name for function in plan.candidates], plan.function)
        self._show_files(state, is_other_file)
        self._write_badges(state)

    def _write_badges(self, state: PageState[Plan, KernelLabResult]) -> None:
        """The trace may belong to an earlier run than the numbers, since it arrives last in a run."""
        run = self.run.result
        provenance, outdated = (
            (None, False) if run is None else (Provenance.TRACED, not run.is_run_of(state.form_params))
        )
        for key in ("map", "tensor", "programs", "findings"):
            self.cards[key].set_provenance(provenance, outdated=outdated)

    def _show_files(self, state: PageState[Plan, KernelLabResult], is_other_file: bool) -> None:
        """Show the form's file, from disk unless the user is editing it, or the files of the opened trace."""
        opened = self._opened
        shown_files = files.source_files(state.plan, state.result) if opened is None else files.traced_files(opened)
        edited = {file.path: file for file in self.code.files} if self.code.modified and not is_other_file else {}
        self.code.set_files([edited.get(file.path, file) for file in shown_files])
        if is_other_file:
            self.code.bring_front(self._shown_path)
        self.cards["source"].set_provenance(Provenance.TRACED if self.code.has_notes else None)

    def draw_result(self, result: KernelLabResult | None) -> None:
        """Show the numbers first; the trace arrives later and is decoded off the GUI thread."""
        if result is None:
            self._forget_run()
            return
        self.toolbar.summary.set_wordings(view_data.summary(result), "")
        self.code.set_notes(view_data.line_notes(result))
        if result.trace is None:
            self.findings.show_faults(result)
            return
        if result is self.run.result:
            self._redraw_texts(result)
            return
        if not self.run.take(result):
            self.selection.clear()
        self.map_stack.setCurrentWidget(self.views.map)
        self.toolbar.set_launches(view_data.launch_labels(result))
        self.findings.show_run(result)
        for printed in result.log:
            self.append_log(f"{printed.stream}: {printed.text.rstrip()}")

    def _redraw_texts(self, result: KernelLabResult) -> None:
        """The run that is shown, in another language."""
        self.findings.list_run(result)
        self.findings.show_launch(result, self.launch)
        self.views.redraw_texts()
        self.finding.redraw_texts()

    def _forget_run(self) -> None:
        self.run.forget()
        self.selection.clear()
        self._show_launches([])
        self.map_stack.setCurrentWidget(self.welcome)
        self.code.set_notes({})
        self.findings.clear()
        self.toolbar.set_launches([])
        self.toolbar.summary.set_wordings()

    def select(self, selection: Selection) -> None:
        """Show the selection in every view. A setter emits nothing if nothing changes, so no loop arises."""
        file, line = selection.get("file"), selection.get("line")
        file = str(file) if file is not None else None
        line = line if isinstance(line, int) else None
        self.code.pick(file, line)
        number = selection.get("finding")
        self.findings.pick(file, line, number if isinstance(number, int) else None)
        self.views.select(selection)
        self.finding.show_finding(self.run.launches, self.run.finding(selection.index("finding")))

    def dismiss(self) -> bool:
        """Escape also clears the selection."""
        if super().dismiss():
            return True
        selected = self.selection.selection
        self.selection.replace(Selection.of(launch=selected.get("launch")))
        return bool(selected.updated(launch=None))

    @property
    def drawing(self) -> bool:
        return self.run.busy or self._opening.busy or not self.views.idle or self.finding.busy

    @property
    def launch(self) -> int:
        """The index of the launch that the plots show."""
        return self.selection.selection.index("launch", 0)

    @property
    def _opened(self) -> KernelLabResult | None:
        """The opened trace, until the form names another file or function."""
        result = None if self.state is None else self.state.fitting
        return result if result is not None and result.trace_file else None

    @property
    def _shown_path(self) -> str:
        return "" if self._path is None else shown(self._path)

    # Files

    def open(self, path: str) -> None:
        """Open a Python file, which runs on request, or a trace, which is shown at once."""
        if path.lower().endswith(".npz"):
            self._open_trace(path)
        elif files.may_leave(self, self.code):
            if self._opened is not None:
                self.withdraw()
            self.form.propose(self.form.params.changed(file=shown(path), function=""))

    def open_dropped(self, path: str) -> bool:
        """A Python file or a trace."""
        is_ours = path.lower().endswith((".py", ".npz"))
        if is_ours:
            self.open(path)
        return is_ours

    def _ask_and_open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, str(tr("Open a kernel or a trace")), files.folder_of(self._path), str(_OPEN_FILTER)
        )
        if path:
            self.open(path)

    def _open_trace(self, path: str) -> None:
        params = self.form.params
        self._opening.read(lambda: analysis.opened(Path(path), params), self._show_opened)

    def _show_opened(self, result: KernelLabResult) -> None:
        if files.may_leave(self, self.code):
            self.present(result, {})
            self.run_bar.show_ended(tr("Opened from {file}", file=result.trace_file), completed=True)

    def _show_not_opened(self, error: Exception) -> None:
        text = (
            error.text
            if isinstance(error, TilescopeError)
            else tr("This file is not a trace ({error}): open an .npz file that Tilescope exported.", error=str(error))
        )
        self.show_error(text)

    def _save(self, path: str, text: str) -> None:
        def done(_: None) -> None:
            self.code.mark_saved(path, text)
            self.params_changed.emit(self.form.params)
            self.run_bar.request_run()

        self._writer.write(path, lambda: files.write(path, text), done)

    def _save_as(self, path: str, text: str) -> None:
        def done(_: None) -> None:
            if self.code.text_of(path) != text:
                return  # edited while it was saved: what was typed since then is only here
            self.code.revert()
            self.form.propose(self.form.params.changed(file=shown(chosen)))
            self.run_bar.request_run()

        chosen = files.ask_where(self, path)
        if chosen:
            self._writer.write(chosen, lambda: files.write(chosen, text), done)

    # Results

    def _show_launches(self, launches: list[Launch]) -> None:
        """Show the decoded trace, at the launch that was shown before if it still exists."""
        launch = min(max(0, self.launch), max(0, len(launches) - 1))
        self.selection.update(launch=launch if launches else None)
        self.toolbar.launch.setCurrentIndex(launch)
        self._show_launch(launch)

    def _show_launch(self, launch: int) -> None:
        result = self.run.result
        views = {} if result is None else result.views
        self.views.set_launch(self.run.launch(launch), views.get(launch))
        if result is not None:
            self.findings.show_launch(result, launch)
        self.select(self.selection.selection)

    def show_pinned(self, saved: SavedRun | None, plan: Plan | None = None) -> None:
        super().show_pinned(saved, plan)
        self._show_pin(saved.result if saved is not None and isinstance(saved.result, KernelLabResult) else None)

    def _pin(self, on: bool) -> None:
        """A trace from a file can be pinned too, although it is no run."""
        self._show_pin(self.run.result if on else None)
        if self._opened is None:
            self.pin_requested.emit(on)

    def _show_pin(self, result: KernelLabResult | None) -> None:
        self.findings.pin(result)
        is_pinned = self.findings.pinned is not None
        self.toolbar.pin.setChecked(is_pinned)
        show_text(self.toolbar.pin.setText, tr("A pinned") if is_pinned else tr("Pin as A"))

    # Links

    def link(self) -> None:
        bar = self.toolbar
        self.run.decoded.connect(self._show_launches)
        self.run.failed.connect(self.show_error)
        bar.example_chosen.connect(self.open)
        self.welcome.example_chosen.connect(self.open)
        bar.open_requested.connect(self._ask_and_open)
        bar.function_chosen.connect(lambda name: self.form.propose(self.form.params.changed(function=name)))
        bar.launch_chosen.connect(self._on_launch)
        bar.pin_requested.connect(self._pin)
        bar.trace_export_requested.connect(
            lambda: files.export_trace(self._writer, self, self.run.launches, self._shown_path)
        )
        bar.csv_export_requested.connect(
            lambda table: files.export_csv(self._writer, self, self.run.result, table, self._shown_path)
        )
        self.code.line_picked.connect(self._on_line)
        self.code.save_requested.connect(self._save)
        self.code.save_as_requested.connect(self._save_as)
        self.source.line_picked.connect(self._on_kernel_line)
        self.findings.picked.connect(self._on_finding)
        self.findings.config_chosen.connect(lambda number: self.form.propose(self.form.params.changed(config=number)))
        self.views.moment_picked.connect(self._on_moment)
        self.views.program_picked.connect(self._on_program)
        self.views.tensor_picked.connect(lambda tensor: self.selection.update(tensor=tensor))
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Open), self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self._ask_and_open)

    def _on_launch(self, index: int) -> None:
        if self.run.launch(index) is not None:
            self.selection.update(launch=index, program=None, access=None, tensor=None, finding=None)
            self._show_launch(index)

    def _on_line(self, file: str, line: int) -> None:
        """A source line was clicked: highlight its accesses and its tensor."""
        tensor = self.selection.selection.get("tensor")
        self.selection.update(**self.run.kinds_of_line(file, line, self.launch, tensor))

    def _on_kernel_line(self, function: str, line: int) -> None:
        file = None if self.run.result is None else self.run.result.file_of(function)
        if file is not None:
            self._on_line(file, line)

    def _on_moment(self, moment: Moment, tensor: str) -> None:
        """An access was clicked on the map: show its line, program and tensor."""
        self.selection.update(**self.run.kinds_of_moment(moment, self.launch, tensor))

    def _on_program(self, program: int) -> None:
        self.selection.update(program=program if program >= 0 else None, access=None)

    def _on_finding(self, kinds: dict[str, Any]) -> None:
        """A row of a list was clicked: select its launch, its line, then its program, its tensor and the finding."""
        launch = kinds.get("launch", self.launch)
        if launch != self.launch:
            self.toolbar.launch.setCurrentIndex(launch)
            self._on_launch(launch)
        if "line" in kinds:
            self._on_line(kinds["file"], kinds["line"])
        self.selection.update(**{kind: kinds[kind] for kind in ("program", "tensor", "finding") if kind in kinds})
        if "finding" in kinds:
            self.selection.update(access=self.run.access_of_finding(kinds["finding"]))
            self.tensor_views.show_named("finding")
