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

_BEGINNINGS = {".csv": b"tensor,", ".json": b'{\n  "report": "quantization"', ".md": b"# Quantization report"}


def check_report_path(path: str) -> None:
    """Raises InvalidParams where a report cannot be saved at `path`, or would replace what is no report."""
    given = expanded(path, "report")
    if given.suffix.lower() not in SUFFIXES:
        raise InvalidParams(f"report = {given} has no known ending: use one of {', '.join(SUFFIXES)}.", "report")
    try:
        if given.is_dir():
            raise InvalidParams(f"{given} is a folder: give a file in it for the report.", "report")
        if not given.parent.is_dir():
            raise InvalidParams(f"There is no folder {given.parent}: make it, or save the report elsewhere.", "report")
        if given.exists() and not _is_report(given):
            raise InvalidParams(
                f"{given} exists and is no earlier report, so it is not replaced: give another name.", "report"
            )
    except OSError as error:
        raise InvalidParams(f"{given} cannot be used for the report: {error.strerror or error}.", "report") from error
    if not os.access(given.parent, os.W_OK):
        raise InvalidParams(f"{given.parent} cannot be written: save the report elsewhere.", "report")


def save_report(path: str, result: QuantizationResult) -> None:
    """Write the report of a run, complete or stopped early, in place of an earlier one. Raises TilescopeError with one
    sentence where that fails; then what was there before is as it was."""
    given = expanded(path, "report")
    text = report_text(given.suffix.lower(), result)
    unfinished = given.with_name(f".{given.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8", newline="")
        unfinished.replace(given)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise TilescopeError(
            f"The report could not be saved as {given} ({error.strerror or error}): give another place."
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
    beginning = _BEGINNINGS[path.suffix.lower()]
    with path.open("rb") as file:
        begins = file.read(len(beginning))
    return begins == beginning or not begins
