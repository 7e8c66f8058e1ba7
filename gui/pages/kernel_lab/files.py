"""Reads and writes files for kernel-lab: sources, traces, numbers. Raises TilescopeError if that fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.csv_text import to_csv
from core.examples import is_shipped
from core.files import reason_of, write_whole
from core.topics.kernel_lab.plan import Plan
from core.topics.kernel_lab.result import KernelLabResult
from core.trace.file import save
from core.trace.record import Launch
from core.user_code.paths import resolved, shown
from gui.page.export import write_numbers
from gui.page.file_writing import FileWriter
from gui.pages.kernel_lab.traffic_source import SourceFile, TrafficSource


def planned(plan: Plan) -> SourceFile | None:
    """The file of a plan as it is on disk, even if it is not valid Python; None if it cannot be read."""
    if plan.path is None or (plan.source is None and not plan.text):
        return None
    return SourceFile(shown(plan.path), plan.text, editable=True, shipped=is_shipped(plan.path))


def traced_files(result: KernelLabResult | None) -> list[SourceFile]:
    """The files of a run as they were during the run."""
    return [] if result is None else [SourceFile(file.file, file.text, file.first_line) for file in result.files]


def source_files(plan: Plan, result: KernelLabResult | None) -> list[SourceFile]:
    """The file of the plan, then the other files of a run of that file."""
    plan_file, run_files = planned(plan), traced_files(result)
    if plan_file is None:
        return run_files
    others = [file for file in run_files if file.path != plan_file.path]
    return [plan_file, *others] if len(others) < len(run_files) else [plan_file]


def folder_of(path: Path | None) -> str:
    """The initial folder of a file dialog."""
    return "" if path is None else str(path.parent)


def write(path: str, text: str) -> None:
    """Write a source file."""
    try:
        write_whole(resolved(path), text.encode())
    except OSError as error:
        raise TilescopeError(
            tr("{path} cannot be written ({reason}): save it elsewhere.", path=path, reason=reason_of(error))
        ) from error


def ask_where(parent: QWidget, path: str) -> str:
    """Ask for the path to save a source file as; '' if the user cancels."""
    name = path.replace("\\", "/").rpartition("/")[2]
    chosen, _ = QFileDialog.getSaveFileName(parent, str(tr("Save the kernel as")), f"my_{name}", "Python (*.py)")
    return chosen if not chosen or chosen.endswith(".py") else f"{chosen}.py"


def may_leave(parent: QWidget, code: TrafficSource) -> bool:
    """Whether another file may replace the edited one. Asks the user if edits would be lost."""
    if not code.modified:
        return True
    answer = QMessageBox.question(
        parent,
        str(tr("Unsaved changes")),
        str(tr("The file in the editor has unsaved changes. Discard them and open another file?")),
        QMessageBox.StandardButton.Discard | QMessageBox.StandardButton.Cancel,
        QMessageBox.StandardButton.Cancel,
    )
    if answer is QMessageBox.StandardButton.Discard:
        code.revert()
        return True
    return False


def export_trace(writer: FileWriter, parent: QWidget, launches: Sequence[Launch], source: str) -> None:
    """Ask for a name and write the trace as one file, beside the window."""
    path, _ = QFileDialog.getSaveFileName(
        parent, str(tr("Export the trace")), f"{_stem(source)}-trace.npz", str(tr("Trace (*.npz)"))
    )
    if path:
        writer.write(path, lambda: save(path, launches))


def export_csv(writer: FileWriter, parent: QWidget, result: KernelLabResult | None, table: str, source: str) -> None:
    """Ask for a name and write a table of the result as CSV, beside the window."""
    if result is None:
        return
    path, _ = QFileDialog.getSaveFileName(
        parent, str(tr("Export numbers")), f"{_stem(source)}-{table}.csv", "CSV (*.csv)"
    )
    if path:
        writer.write(path, lambda: write_numbers(path, to_csv(result.rows(table))))


def _stem(source: str) -> str:
    return Path(source).stem or "kernel"
