"""A report as a file: CSV, JSON or Markdown, whole or not at all. No torch."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.checkpoint.export import SUFFIXES, exported
from core.contracts.errors import InvalidParams, TilescopeError
from core.paths import expanded
from core.topics.quantization.result import QuantizationResult

TABLES = ("messages", "totals", "layers", "tensors", "skipped", "outputs", "output_pairs")
"""What a JSON report holds besides what it is about; a CSV holds 'tensors', Markdown what is there to be read."""

_FIRST_BYTES = {".csv": b"tensor,", ".json": b'{\n  "report": "quantization"', ".md": b"# Quantization report"}


def check_report_path(path: str) -> None:
    """Raises InvalidParams where a report cannot be saved at `path`, or would replace what is no report."""
    file = expanded(path, "report")
    if file.suffix.lower() not in SUFFIXES:
        raise InvalidParams(f"report = {file} has no known ending: use one of {', '.join(SUFFIXES)}.", "report")
    try:
        if file.is_dir():
            raise InvalidParams(f"{file} is a folder: give a file in it for the report.", "report")
        if not file.parent.is_dir():
            raise InvalidParams(f"There is no folder {file.parent}: make it, or save the report elsewhere.", "report")
        if file.exists() and not _is_report(file):
            raise InvalidParams(
                f"{file} exists and is no earlier report, so it is not replaced: give another name.", "report"
            )
    except OSError as error:
        raise InvalidParams(f"{file} cannot be used for the report: {error.strerror or error}.", "report") from error
    if not os.access(file.parent, os.W_OK):
        raise InvalidParams(f"{file.parent} cannot be written: save the report elsewhere.", "report")


def save_report(path: str, result: QuantizationResult) -> None:
    """Write the report of a run, complete or stopped early, in place of an earlier one. Raises TilescopeError with one
    sentence where that fails; then what was there before is as it was."""
    file = expanded(path, "report")
    text = report_text(file.suffix.lower(), result)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8", newline="")
        temporary.replace(file)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise TilescopeError(
            f"The report could not be saved as {file} ({error.strerror or error}): give another place."
        ) from error


def report_text(suffix: str, result: QuantizationResult) -> str:
    """The report of a run as the contents of a file that ends in `suffix`, one of SUFFIXES."""
    rows = {name: getattr(result, name) for name in TABLES}
    return exported(suffix, _about(result), {**rows, "tensors": result.tensors.rows})


def _about(result: QuantizationResult) -> dict[str, Any]:
    params = result.params
    about: dict[str, Any] = {
        "report": result.topic,
        "checkpoint": params.checkpoint or f"drawn: {params.distribution}, seed {params.seed}",
        "block size": params.block_size,
        "double quantization": f"scales in groups of {params.nested_block}" if params.double_quantization else "no",
    }
    for name, metric in result.metrics.items():
        if name.startswith(("report.", "weights.")):
            about[name] = f"{metric.value:g} {metric.unit}".strip()
    about["provenance"] = "errors measured (CPU), bits and quantized bytes modelled"
    return {**about, "device": result.environment.device, **result.environment.versions}


def _is_report(path: Path) -> bool:
    beginning = _FIRST_BYTES[path.suffix.lower()]
    with path.open("rb") as file:
        first_bytes = file.read(len(beginning))
    return first_bytes == beginning or not first_bytes
