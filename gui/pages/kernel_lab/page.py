"""The view of kernel-lab: a file of kernels, its source with traffic per line, and everything its launches touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QStackedWidget

from core.contracts.claims import Finding
from core.contracts.params import Params
from core.contracts.result import Provenance, Result
from core.contracts.result_builder import from_partial
from core.topics.kernel_lab.model import Plan, shown
from core.trace.order import Moment
from core.trace.record import Launch
from gui.page.form.text_fields import dropped_file
from gui.page.page import Page
from gui.page.selection import Selection
from gui.pages.kernel_lab import files, view_data
from gui.pages.kernel_lab.findings import Findings
from gui.pages.kernel_lab.launch_views import LaunchViews
from gui.pages.kernel_lab.toolbar import Toolbar, Welcome
from gui.pages.kernel_lab.traffic_source import SourceFile, TrafficSource
from gui.widgets.latest_work import LatestWork
from gui.widgets.switcher import Switcher

_UPPER_PX = 300
_OPEN_FILTER = "Kernels and traces (*.py *.npz);;Python (*.py);;Saved traces (*.npz)"
_SOURCE_HELP = (
    "Bytes that each line moves, in the gutter; the warmer the line, the more. Lines at fault are red. Click a line to "
    "light its accesses everywhere; edit it and press Ctrl+S to save and trace again."
)
_MAP_HELP = (
    "Every load and store of the launch: x is the order of accesses, program after program; y the address, the tensors "
    "stacked. Click an access to find its line and program; the wheel zooms, a drag pans, a double click shows all."
)
_TENSOR_HELP = "How often each element of a tensor is read or written, by all programs or by the one that is picked."
_PROGRAM_HELP = (
    "The grid of the launch: click a program to follow it everywhere. Reuse: the share of requests that a cache of "
    "that size would serve. Working set: distinct bytes, as the accesses go on."
)
_FINDINGS_HELP = (
    "Accesses beyond a tensor and bytes that two programs write. With a run pinned as A, the next one is compared with "
    "it: bytes per tensor and per line."
)


class KernelLabPage(Page):
    """Selection kinds: file, line, function, tensor, program, access (its order in the program), launch."""

    def build(self) -> None:
        self._plan: Plan | None = None
        self._result: Result | None = None
        self._shows_trace_file = False
        self._launches: list[Launch] = []
        self._decoding = LatestWork(self)
        self._decoding.done.connect(self._show_launches)
        self._decoding.failed.connect(self.show_error)
        examples = view_data.examples()
        self.toolbar, self.welcome = Toolbar(examples), Welcome(examples)
        self.code, self.findings = TrafficSource(), Findings()
        self.views = LaunchViews()
        self.map_stack = QStackedWidget()
        self.map_stack.addWidget(self.welcome)
        self.map_stack.addWidget(self.views.map)
        self.program_views = Switcher(
            [("Programs", self.views.grid), ("Reuse", self.views.reuse), ("Working set", self.views.working_set)]
        )
        self.add_strip(self.toolbar)
        self.source_card = self.add_plot(self.code, 0, 0, "Source and traffic", _SOURCE_HELP, width=6, height=13)
        self.map_card = self.add_plot(self.map_stack, 0, 1, "Memory access", _MAP_HELP, width=6, height=13)
        self.tensor_card = self.add_plot(self.views.heatmap, 1, 0, "Tensor", _TENSOR_HELP, width=8, height=10)
        self.program_card = self.add_plot(self.program_views, 1, 1, "Programs", _PROGRAM_HELP, width=7, height=10)
        self.findings_card = self.add_plot(self.findings, 1, 2, "Findings", _FINDINGS_HELP, width=9, height=10)
        self.source_card.setMinimumHeight(_UPPER_PX)
        self._link()

    # What the controller calls

    def show_plan(self, plan: Plan, params: Params) -> None:
        """Show the file as it is on disk, unless somebody is editing it."""
        moved_on = self._plan is None or self._plan.path != plan.path
        self._plan = plan
        self._shows_trace_file &= not moved_on
        if plan.problem:
            self.form.show_fault(plan.problem, plan.blames)
        else:
            self.form.clear_fault()
        self.toolbar.show_file(self._shown_path)
        self.toolbar.set_functions([function.name for function in plan.candidates], plan.function)
        if moved_on or not self.code.modified:
            self._show_files()
            if moved_on:
                self.code.bring_front(self._shown_path)

    def show_partial(self, payload: dict[str, Any]) -> None:
        """The numbers come before the trace."""
        result = from_partial(payload)
        self.toolbar.summary.setText(view_data.summary(result))
        self.code.set_notes(view_data.line_notes(result))
        self.findings.show_faults(result)

    def present(self, result: Result, findings: Mapping[str, Finding]) -> None:
        """The Source tab wants one source per kernel; the result has one per file."""
        self._arrived = result
        super().present(replace(result, sources=view_data.kernel_sources(result)), findings)

    def show_result(self, result: Result) -> None:
        """A finished run: its numbers at once, its trace as soon as it is decoded."""
        result, self._shows_trace_file = self._arrived, False
        self._show_numbers(result)
        self._decoding.request(lambda: view_data.launches_in(result))

    def clear_result(self) -> None:
        self._result, self._shows_trace_file = None, False
        self._decoding.forget()
        self._show_launches([])
        self.map_stack.setCurrentWidget(self.welcome)
        self.code.set_notes({})
        self.findings.clear()
        self.toolbar.set_launches([])
        self.toolbar.summary.clear()
        self.selection.clear()
        self._badge()
        self._show_files()

    def set_stale(self, stale: bool) -> None:
        """The source is the file's, whatever ran."""
        for card in (self.map_card, self.tensor_card, self.program_card, self.findings_card):
            card.set_stale(stale and self._result is not None)

    def select(self, selection: Selection) -> None:
        """Show the selection in every view. Each setter is silent when nothing changes, so nothing loops."""
        file, line = selection.get("file"), selection.get("line")
        file = str(file) if file is not None else None
        line = line if isinstance(line, int) else None
        self.code.pick(file, line)
        self.findings.pick_line(file, line)
        self.views.select(selection)

    def dismiss(self) -> bool:
        """Escape also takes the selection back."""
        if super().dismiss():
            return True
        selected = self.selection.selection
        self.selection.replace(Selection.of(launch=selected.get("launch")))
        return bool(selected.updated(launch=None))

    @property
    def drawing(self) -> bool:
        return self._decoding.busy or not self.views.idle

    @property
    def launch(self) -> int:
        """The number of the launch that the plots show."""
        return self.selection.selection.index("launch", 0)

    @property
    def pinned(self) -> Result | None:
        """The run that is A."""
        return self.findings.pinned

    # Files

    def open(self, path: str) -> None:
        """Open a Python file, to be run when asked, or a trace, shown at once."""
        if path.lower().endswith(".npz"):
            self._open_trace(path)
        elif files.may_leave(self, self.code):
            self._shows_trace_file = False
            self.form.propose(self.form.params.changed(file=shown(path), function=""))
            self._show_files()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        path = dropped_file(event.mimeData())
        if path is not None and path.lower().endswith((".py", ".npz")):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = dropped_file(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.open(path)

    def _ask_and_open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a kernel or a trace", files.folder_of(self._plan), _OPEN_FILTER
        )
        if path:
            self.open(path)

    def _open_trace(self, path: str) -> None:
        result, launches = files.read_trace(path)
        self._decoding.forget()
        self.present(result, {})
        self._decoding.forget()
        self._shows_trace_file = True
        self._show_launches(launches)
        self.toolbar.show_file("")
        self.run_bar.show_ended(result.environment.device.capitalize(), completed=True)

    def _save(self, path: str, text: str) -> None:
        files.write(path, text)
        self.code.mark_saved(path, text)
        self.params_changed.emit(self.form.params)
        self.run_bar.request_run()

    def _save_as(self, path: str, text: str) -> None:
        chosen = files.ask_where(self, path)
        if chosen:
            files.write(chosen, text)
            self.code.revert()
            self.form.propose(self.form.params.changed(file=shown(chosen)))
            self.run_bar.request_run()

    def _show_files(self) -> None:
        """The file of the parameters, then the others of a run of that file; or the files of an opened trace."""
        result = self._result
        ran = [] if result is None else view_data.source_files(result, self._launches)
        if self._shows_trace_file:
            self.code.set_files(ran)
            return
        mine = files.planned(self._plan)
        others = ran if mine is None or any(file.path == mine.path for file in ran) else []
        shown_files: list[SourceFile] = [] if mine is None else [mine]
        self.code.set_files([*shown_files, *(file for file in others if mine is None or file.path != mine.path)])

    @property
    def _shown_path(self) -> str:
        return "" if self._plan is None or self._plan.path is None else shown(self._plan.path)

    # Results

    def _show_numbers(self, result: Result) -> None:
        if self._result is None or _what_ran(self._result) != _what_ran(result):
            self.selection.clear()
        self._result = result
        self.map_stack.setCurrentWidget(self.views.map)
        self.toolbar.set_launches(view_data.launch_labels(result))
        self.toolbar.summary.setText(view_data.summary(result))
        self.code.set_notes(view_data.line_notes(result))
        self.findings.show_run(result)
        for row in result.tables.get("log", []):
            self.append_log(f"{row['stream']}: {row['text'].rstrip()}")
        self._badge()

    def _show_launches(self, launches: list[Launch]) -> None:
        """The trace is there: draw the launch that was shown, where there still is one."""
        self._launches = launches
        self._show_files()
        launch = min(max(0, self.launch), max(0, len(launches) - 1))
        self.selection.update(launch=launch if launches else None)
        self.toolbar.launch.setCurrentIndex(launch)
        self._show_launch(launch)

    def _show_launch(self, launch: int) -> None:
        self.views.set_launch(self._launches[launch] if self._launches else None)
        if self._result is not None:
            self.findings.show_launch(self._result, launch)
        self.select(self.selection.selection)

    def _badge(self) -> None:
        provenance = None if self._result is None else Provenance.TRACED
        for card in (self.source_card, self.map_card, self.tensor_card, self.program_card, self.findings_card):
            card.set_provenance(provenance)

    def _pin(self, on: bool) -> None:
        self.findings.pin(self._result if on else None)
        pinned = self.findings.pinned is not None
        self.toolbar.pin.setChecked(pinned)
        self.toolbar.pin.setText("A pinned" if pinned else "Pin as A")

    # Links

    def _link(self) -> None:
        bar = self.toolbar
        bar.example_chosen.connect(self.open)
        self.welcome.example_chosen.connect(self.open)
        bar.open_requested.connect(self._ask_and_open)
        bar.function_chosen.connect(lambda name: self.form.propose(self.form.params.changed(function=name)))
        bar.launch_chosen.connect(self._on_launch)
        bar.pin_requested.connect(self._pin)
        bar.trace_export_requested.connect(lambda: files.export_trace(self, self._launches, self._shown_path))
        bar.csv_export_requested.connect(lambda table: files.export_csv(self, self._result, table, self._shown_path))
        self.code.line_picked.connect(self._on_line)
        self.code.save_requested.connect(self._save)
        self.code.save_as_requested.connect(self._save_as)
        self.source.line_picked.connect(self._on_kernel_line)
        self.findings.picked.connect(self._on_finding)
        self.views.moment_picked.connect(self._on_moment)
        self.views.program_picked.connect(self._on_program)
        self.views.tensor_picked.connect(lambda tensor: self.selection.update(tensor=tensor))
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Open), self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self._ask_and_open)
        self.setAcceptDrops(True)

    def _on_launch(self, index: int) -> None:
        if 0 <= index < len(self._launches):
            self.selection.update(launch=index, program=None, access=None, tensor=None)
            self._show_launch(index)

    def _on_line(self, file: str, line: int) -> None:
        """A source line was clicked: light its accesses, and the tensor that it moves."""
        result = self._result
        if result is None:
            self.selection.update(file=file, line=line)
            return
        tensor = view_data.tensor_at(result, file, line, self.launch)
        kept = self.selection.selection.get("tensor")
        self.selection.update(
            file=file,
            line=line,
            function=view_data.function_at(result, file, line),
            tensor=tensor if tensor is not None else kept,
            access=None,
        )

    def _on_kernel_line(self, function: str, line: int) -> None:
        file = None if self._result is None else view_data.file_of(self._result, function)
        if file is not None:
            self._on_line(file, line)

    def _on_moment(self, moment: Moment, tensor: str) -> None:
        """An access was clicked on the map: show its line, program and tensor."""
        access = moment.access
        function = None if self._result is None else view_data.function_at(self._result, access.file, access.line)
        buffers = self._launches[self.launch].buffers
        self.selection.update(
            program=moment.program,
            access=access.order,
            file=access.file,
            line=access.line,
            function=function,
            tensor=tensor or buffers[access.buffer].name,
        )

    def _on_program(self, program: int) -> None:
        self.selection.update(program=program if program >= 0 else None, access=None)

    def _on_finding(self, kinds: dict[str, Any]) -> None:
        """A row of a list was clicked: go to its launch, its line, then to what else it names."""
        launch = kinds.get("launch", self.launch)
        if launch != self.launch:
            self.toolbar.launch.setCurrentIndex(launch)
            self._on_launch(launch)
        if "line" in kinds:
            self._on_line(kinds["file"], kinds["line"])
        self.selection.update(**{kind: kinds[kind] for kind in ("program", "tensor") if kind in kinds})


def _what_ran(result: Result) -> tuple[object, object]:
    """The file and function of a run: a selection means the same in two runs of the same."""
    return result.params.get("file"), result.params.get("function")
