"""The views of a checkpoint's report: which rows each shows, in which columns, and how they are counted."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from core.checkpoint.quantized.storage import StorageRow
from core.checkpoint.report import LayerTotals, SkippedTensor, Totals
from core.checkpoint.shape_errors import ExpertErrors, ShapeErrors
from core.checkpoint.tensor_table import TensorTable
from core.checkpoint.versions import VersionErrors, VersionTotals
from core.contracts.text import Text, tr
from gui.pages.quantization.report_columns import (
    SKIPPED_COLUMNS,
    STORAGE_COLUMNS,
    Row,
    layer_columns,
    role_columns,
    tensor_columns,
)
from gui.pages.quantization.shape_columns import BY_EXPERT, expert_columns, shape_columns
from gui.pages.quantization.version_columns import VERSION_COLUMNS, VERSION_TOTAL_COLUMNS
from gui.widgets.record_model import Column

Columns = tuple[Column[Row], ...]
Labels = Mapping[str, Text]


@dataclass(frozen=True, eq=False)
class ReportRows:
    """A report, complete or so far; without rows the state before a report."""

    tensors: TensorTable = field(default_factory=TensorTable)
    layers: Sequence[LayerTotals] = ()
    skipped: Sequence[SkippedTensor] = ()
    roles: Sequence[Totals] = ()
    storage: Sequence[StorageRow] = ()
    version_totals: Sequence[VersionTotals] = ()
    versions: Sequence[VersionErrors] = ()
    shapes: Sequence[ShapeErrors] = ()
    experts: Sequence[ExpertErrors] = ()


_NOTHING = tr("Nothing was measured in this format.")


@dataclass(frozen=True)
class View:
    """`rows` are those of a report in a format ('' for all); `key` identifies a row while the report grows; `counted`
    says how many of how many are shown. `by_format` says whether the format matters, and `mark` which attribute of a
    row tells the selected tensor: its name, its layer, or none."""

    title: Text
    columns: Callable[[Labels], Columns]
    rows: Callable[[ReportRows, str], Sequence[Row]]
    key: Callable[[Row], Hashable]
    counted: Callable[[int, int], Text]
    by_format: bool = True
    mark: str = "tensor"
    nothing: Text = _NOTHING


def _tensors(report: ReportRows, format_id: str) -> Sequence[Row]:
    return report.tensors.rows_in(format_id) if format_id else report.tensors.rows


def _worst(report: ReportRows, format_id: str) -> Sequence[Row]:
    formats = [format_id] if format_id else report.tensors.formats
    return [row for name in formats for row in report.tensors.worst(name)]


def _in_format(rows: Sequence[Totals], format_id: str) -> Sequence[Row]:
    return [row for row in rows if format_id in ("", row.format)]


def _of_tensors(shown: int, total: int) -> Text:
    return tr("{shown:,} of {total:,} tensors", shown=shown, total=total)


def _of_formats(shown: int, total: int) -> Text:
    return tr("{shown:,} of {total:,} formats", shown=shown, total=total)


_BY_TENSOR = attrgetter("tensor", "format")
_NO_VERSION = tr(
    "Give a quantized file of the same model, such as a GGUF, or types of GGUF among the formats measured, and run "
    "(F5)."
)

_NO_SHAPES = tr("The shapes of a checkpoint's tensors appear here after a run (F5).")

VIEWS = (
    View(tr("Tensors"), tensor_columns, _tensors, _BY_TENSOR, _of_tensors),
    View(
        tr("Layers"),
        layer_columns,
        lambda report, name: _in_format(report.layers, name),
        attrgetter("layer", "format"),
        lambda shown, total: tr("{shown:,} of {total:,} layers", shown=shown, total=total),
        mark="layer",
    ),
    View(tr("Worst"), tensor_columns, _worst, _BY_TENSOR, _of_tensors),
    View(
        tr("Skipped"),
        lambda _: SKIPPED_COLUMNS,
        lambda report, _: report.skipped,
        attrgetter("tensor"),
        _of_tensors,
        by_format=False,
        nothing=tr("Every tensor was measured."),
    ),
    View(
        tr("Roles"),
        role_columns,
        lambda report, name: _in_format(report.roles, name),
        attrgetter("role", "format"),
        lambda shown, total: tr("{shown:,} of {total:,} roles", shown=shown, total=total),
        mark="",
    ),
    View(
        tr("Stored as"),
        lambda _: STORAGE_COLUMNS,
        lambda report, _: report.storage,
        attrgetter("format"),
        _of_formats,
        by_format=False,
        mark="",
    ),
    View(
        tr("Shapes"),
        shape_columns,
        lambda report, _: report.shapes,
        attrgetter("tensor"),
        _of_tensors,
        by_format=False,
        nothing=_NO_SHAPES,
    ),
    View(
        tr("Experts"),
        expert_columns,
        lambda report, _: report.experts,
        BY_EXPERT,
        lambda shown, total: tr("{shown:,} of {total:,} experts", shown=shown, total=total),
        by_format=False,
        nothing=tr("No tensor of this report holds many experts."),
    ),
    View(
        tr("File and GGUF types"),
        lambda _: VERSION_TOTAL_COLUMNS,
        lambda report, _: report.version_totals,
        attrgetter("source", "format"),
        _of_formats,
        by_format=False,
        mark="",
        nothing=_NO_VERSION,
    ),
    View(
        tr("File and GGUF types, by tensor"),
        lambda _: VERSION_COLUMNS,
        lambda report, _: report.versions,
        attrgetter("tensor", "source", "format"),
        lambda shown, total: tr("{shown:,} of {total:,} rows", shown=shown, total=total),
        by_format=False,
        nothing=_NO_VERSION,
    ),
)
