"""Reading and writing files for kernel-lab: sources, traces, numbers. Problems are one sentence (TilescopeError)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from core.contracts.errors import TilescopeError
from core.contracts.result import Result
from core.csv_text import to_csv
from core.topics.kernel_lab.model import Plan, resolved, shown
from core.trace.file import save
from core.trace.record import Launch
from gui.pages.kernel_lab import view_data
from gui.pages.kernel_lab.traffic_source import SourceFile, TrafficSource


def planned(plan: Plan | None) -> SourceFile | None:
    """The file of a plan as it is on disk, even where it is no valid Python; None where it cannot be read."""
    if plan is None or plan.path is None:
        return None
    text = plan.text
    if plan.source is None:
        try:
            text = plan.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
    return SourceFile(shown(plan.path), text, editable=True, shipped=view_data.is_shipped(plan.path))


def folder_of(plan: Plan | None) -> str:
    """Where a file dialog begins."""
    return "" if plan is None or plan.path is None else str(plan.path.parent)


def write(path: str, text: str) -> None:
    """Write a source file."""
    try:
        resolved(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise TilescopeError(f"{path} cannot be written: {error.strerror or error}.") from error


def read_trace(path: str) -> tuple[Result, list[Launch]]:
    """A trace that was exported, as a result with its launches."""
    return view_data.opened(Path(path))


def ask_where(parent: QWidget, path: str) -> str:
    """The path to save a source file as, '' where the person thought better of it."""
    name = path.replace("\\", "/").rpartition("/")[2]
    chosen, _ = QFileDialog.getSaveFileName(parent, "Save the kernel as", f"my_{name}", "Python (*.py)")
    return chosen if not chosen or chosen.endswith(".py") else f"{chosen}.py"


def may_leave(parent: QWidget, code: TrafficSource) -> bool:
    """Whether another file may take the place of the one that is edited. Asks where something would be lost."""
    if not code.modified:
        return True
    answer = QMessageBox.question(
        parent,
        "Unsaved changes",
        "The file in the editor has changes that are not saved. Open another one and lose them?",
        QMessageBox.StandardButton.Discard | QMessageBox.StandardButton.Cancel,
        QMessageBox.StandardButton.Cancel,
    )
    if answer is QMessageBox.StandardButton.Discard:
        code.revert()
        return True
    return False


def export_trace(parent: QWidget, launches: Sequence[Launch], source: str) -> None:
    """Ask for a name and write the trace as one file."""
    path, _ = QFileDialog.getSaveFileName(parent, "Export the trace", f"{_stem(source)}-trace.npz", "Trace (*.npz)")
    if path:
        save(Path(path), launches)


def export_csv(parent: QWidget, result: Result | None, table: str, source: str) -> None:
    """Ask for a name and write a table of the result as CSV."""
    if result is None:
        return
    path, _ = QFileDialog.getSaveFileName(parent, "Export numbers", f"{_stem(source)}-{table}.csv", "CSV (*.csv)")
    if path:
        try:
            Path(path).write_text(to_csv(result.tables.get(table, [])), encoding="utf-8")
        except OSError as error:
            raise TilescopeError(f"The numbers cannot be written to {path}: {error.strerror or error}.") from error


def _stem(source: str) -> str:
    return Path(source).stem or "kernel"
