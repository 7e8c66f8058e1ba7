"""Saves a report as CSV, JSON or Markdown, completely or not at all. No torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from core.checkpoint.export import SUFFIXES, TITLE, exported
from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.text import tr
from core.files import open_regular, reason_of, write_whole
from core.language import LANGUAGES
from core.paths import expanded
from core.topics.quantization.labels import DISTRIBUTION_LABELS
from core.topics.quantization.result import QuantizationResult
from core.units import unit_label

_MAX_FIRST_BYTES = 256

TABLES = (
    *("messages", "totals", "roles", "layers", "tensors", "storage", "skipped"),
    *("version_totals", "versions", "shapes", "experts", "outputs", "output_pairs"),
)
"""The tables of a JSON report. A CSV holds 'tensors', Markdown a selection for reading."""

_LABELS = {
    "report": tr("report"),
    "checkpoint": tr("checkpoint"),
    "block size": tr("block size"),
    "double quantization": tr("double quantization"),
    "weights.elements": tr("weights"),
    "weights.bytes": tr("stored size"),
    "weights.nonfinite": tr("NaN or inf weights"),
    "weights.kurtosis": tr("kurtosis"),
    "report.tensors": tr("tensors"),
    "report.resumed_tensors": tr("tensors measured by an earlier run"),
    "report.read_bytes": tr("bytes read"),
    "report.bytes_per_s": tr("bytes per second"),
    "provenance": tr("provenance"),
    "device": tr("device"),
}
"""What Markdown calls the entries about a report; CSV and JSON keep the ids."""


def check_report_path(path: str) -> None:
    """Raises InvalidParams if a report cannot be saved at `path`, or would replace a file that is not a report."""
    file = expanded(path, "report")
    if file.suffix.lower() not in SUFFIXES:
        text = tr(
            "report = {file} has an unknown ending: use one of {endings}.", file=str(file), endings=", ".join(SUFFIXES)
        )
        raise InvalidParams(text, "report")
    try:
        if file.is_dir():
            text = tr("{folder} is a folder: give the path of a file for the report.", folder=str(file))
            raise InvalidParams(text, "report")
        if not file.parent.is_dir():
            text = tr("There is no folder {folder}: create it, or save the report elsewhere.", folder=str(file.parent))
            raise InvalidParams(text, "report")
        if file.exists() and not _is_report(file):
            text = tr("{file} exists and is not a report, so it is not replaced: give another name.", file=str(file))
            raise InvalidParams(text, "report")
    except OSError as error:
        text = tr(
            "{file} cannot be used for the report ({reason}): give another path.",
            file=str(file),
            reason=reason_of(error),
        )
        raise InvalidParams(text, "report") from error
    if not os.access(file.parent, os.W_OK):
        text = tr("{folder} is not writable: save the report elsewhere.", folder=str(file.parent))
        raise InvalidParams(text, "report")


def save_report(path: str, result: QuantizationResult) -> None:
    """Write the report of a run, complete or stopped early, in place of an earlier one. Raises TilescopeError if that
    fails; the earlier report is then unchanged."""
    file = expanded(path, "report")
    text = report_text(file.suffix.lower(), result)
    try:
        write_whole(file, text.encode())
    except OSError as error:
        raise TilescopeError(
            tr(
                "The report could not be saved as {file} ({reason}): save it elsewhere.",
                file=str(file),
                reason=reason_of(error),
            )
        ) from error


def report_text(suffix: str, result: QuantizationResult) -> str:
    """The report of a run as the contents of a file with the ending `suffix`, one of SUFFIXES."""
    rows = {name: getattr(result, name) for name in TABLES}
    return exported(suffix, _about(result), {**rows, "tensors": result.tensors.rows}, _LABELS)


def _about(result: QuantizationResult) -> dict[str, Any]:
    params = result.params
    about: dict[str, Any] = {
        "report": result.topic,
        "checkpoint": params.checkpoint
        or tr(
            "none: weights of the {distribution} distribution, seed {seed}",
            distribution=DISTRIBUTION_LABELS[params.distribution],
            seed=params.seed,
        ),
        "block size": params.block_size,
        "double quantization": tr("scales in groups of {size}", size=params.nested_block)
        if params.double_quantization
        else tr("no"),
    }
    for name, metric in result.metrics.items():
        if name.startswith(("report.", "weights.")):
            about[name] = f"{metric.value:g} {unit_label(metric.unit)}".strip()
    about["provenance"] = tr("errors measured (CPU), bits and quantized bytes modelled")
    return {**about, "device": result.environment.device, **result.environment.versions}


def _is_report(path: Path) -> bool:
    with open_regular(path) as file:
        first_bytes = file.read(_MAX_FIRST_BYTES)
    return not first_bytes or first_bytes.startswith(_first_bytes(path.suffix.lower()))


def _first_bytes(suffix: str) -> tuple[bytes, ...]:
    """The possible first bytes of a report: a Markdown title is in one of the languages."""
    if suffix == ".md":
        return tuple(f"# {TITLE.in_language(code)}".encode() for code in LANGUAGES)
    return (b"tensor,",) if suffix == ".csv" else (b'{\n  "report": "quantization"',)
