"""A log that the user opened: a trainer_state.json of transformers and TRL, or JSON lines. No torch."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.files import read_regular, reason_of
from core.paths import expanded
from core.topics.training.curves import Curves
from core.topics.training.remarks import NotFinite, Remark, remarks

MAX_BYTES = 64 << 20
MAX_ROWS = 200_000
MAX_METRICS = 500
_STEPS = ("step", "global_step", "_step")
_NOT_METRICS = frozenset((*_STEPS, "_timestamp", "_runtime"))
_PREFIX = "train/"


@dataclass(frozen=True)
class OwnLog:
    """`broken_lines` are lines that are no JSON object and were left out. `without_steps` says that the log names no
    steps, so its lines were counted."""

    path: str
    curves: Curves
    remarks: tuple[Remark, ...]
    broken_lines: int = 0
    without_steps: bool = False


def open_log(path: str) -> OwnLog:
    """Read a log. Raises InvalidParams, for `log`, if it cannot be read or is no log of a training."""
    file = expanded(path, "log")
    try:
        data = read_regular(file, MAX_BYTES)
    except OSError as error:
        raise InvalidParams(
            tr(
                "{file} cannot be opened ({reason}): choose a trainer_state.json or a log of JSON lines.",
                file=str(file),
                reason=reason_of(error),
            ),
            "log",
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_log(file) from error
    rows, broken = _rows(text)
    if len(rows) > MAX_ROWS:
        raise InvalidParams(
            tr(
                "{file} has {rows:,} entries, and at most {limit:,} can be shown: keep every tenth line.",
                file=str(file),
                rows=len(rows),
                limit=MAX_ROWS,
            ),
            "log",
        )
    without_steps = not any(name in row for row in rows for name in _STEPS)
    measured = list(_measured(rows, without_steps))
    names = {name for _, metrics in measured for name in metrics}
    if not names or len(names) > MAX_METRICS:
        raise _no_log(file)
    not_finite = next(
        (NotFinite(step, name) for step, metrics in measured for name, v in metrics.items() if not math.isfinite(v)),
        None,
    )
    curves = Curves.of(
        (step, {name: value if math.isfinite(value) else math.nan for name, value in metrics.items()})
        for step, metrics in measured
    )
    return OwnLog(str(file), curves, remarks(curves, not_finite), broken, without_steps)


def _rows(text: str) -> tuple[list[dict[str, Any]], int]:
    """The entries of the log, and the number of lines that are none."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return _lines(text)
    if isinstance(whole, dict) and isinstance(whole.get("log_history"), list):
        whole = whole["log_history"]
    entries = whole if isinstance(whole, list) else [whole]
    return [entry for entry in entries if isinstance(entry, dict)], 0


def _lines(text: str) -> tuple[list[dict[str, Any]], int]:
    rows: list[dict[str, Any]] = []
    broken = 0
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            broken += 1
    return rows, broken


def _measured(rows: Sequence[Mapping[str, Any]], without_steps: bool) -> Iterator[tuple[int, Mapping[str, float]]]:
    """Step and numbers of each entry. An entry without a step belongs to the one before it."""
    step = 0
    for position, row in enumerate(rows, 1):
        step = position if without_steps else _step_of(row, step)
        numbers = {
            name.removeprefix(_PREFIX): float(value)
            for name, value in row.items()
            if name not in _NOT_METRICS and type(value) in (int, float) and _fits(value)
        }
        if numbers:
            yield step, numbers


def _step_of(row: Mapping[str, Any], before: int) -> int:
    for name in _STEPS:
        value: Any = row.get(name)
        if type(value) in (int, float) and 0 <= value < 2**62:
            return int(value)
    return before


def _fits(value: float) -> bool:
    """Whether a number of the log is one of a float64; JSON has integers of any length."""
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _no_log(file: Path) -> InvalidParams:
    return InvalidParams(
        tr(
            "{file} is no log of a training: choose a trainer_state.json of TRL, or a file with a JSON object with "
            "numbers on every line.",
            file=str(file),
        ),
        "log",
    )
