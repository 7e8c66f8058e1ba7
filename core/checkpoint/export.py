"""Writes a checkpoint report as CSV, JSON or Markdown: pure functions on rows, which are dataclasses."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.checkpoint.quantized.storage import storage_label
from core.checkpoint.report import LayerTotals, TensorErrors, Totals, worst_rows
from core.checkpoint.roles import ROLE_LABELS, Role
from core.contracts.text import Text, tr, tr_in
from core.csv_text import to_csv
from core.format import format_quantity

SUFFIXES = (".csv", ".json", ".md")

_MARKUP = re.compile(
    r"[\\`*\[\]>|~$]"  # code, emphasis, links, quotations, cells, formulas
    r"|(?<![^\W_])_|_(?![^\W_])"  # emphasis too, but not between letters and digits
    r"|^[#+=-]|(?<=\d)[.)](?= |$)"  # headings and lists
    r"|:(?=//)|(?<=www)\."  # addresses
)

Tables = Mapping[str, Sequence[Any]]
"""Rows by the name of their table: 'messages', 'totals', 'layers', 'tensors', 'skipped'. JSON takes others too."""

_SHOWN = ("snr_db", "block_snr_db", "relative_rmse", "max_abs_error", "bits_per_parameter")
_HEADINGS = (
    tr("SNR (dB)"),
    tr("median block (dB)"),
    tr("relative RMSE"),
    tr("largest error"),
    tr("bits per parameter"),
)
_SEVERITIES = {"notice": tr("Notice:"), "warning": tr("Warning:")}
_NO_LABELS: Mapping[str, Text] = {}

TITLE = tr("Quantization report")


def as_json(about: Mapping[str, Any], tables: Tables) -> str:
    """One object: what was measured and how (`about`), and the tables by name. NaN and inf become null."""
    plain = {
        name: [{key: _json(value) for key, value in vars(row).items()} for row in rows] for name, rows in tables.items()
    }
    return json.dumps({**{key: _json(value) for key, value in about.items()}, **plain}, indent=2, allow_nan=False)


def as_markdown(about: Mapping[str, Any], tables: Tables, labels: Mapping[str, Text] = _NO_LABELS) -> str:
    """A document for reading: messages first, then what was measured, totals, layers, the worst tensors and the skipped
    ones. `labels` are the names of the keys of `about`, for those that are not their own label."""
    rows = tables.get("tensors", ())
    parts = [f"# {TITLE}"]
    for message in tables.get("messages", ()):
        parts.append(f"> **{_SEVERITIES[message.severity]}** {_text(message.text)}")
    parts.append(_list((labels.get(name) or name, value) for name, value in about.items()))
    totals = _table((tr("format"), tr("size")), tables.get("totals", ()), _total)
    parts += [_heading(tr("Weight matrices")), totals]
    apart = [row for row in tables.get("roles", ()) if row.role != Role.MATRIX]
    if apart:
        parts += [_heading(tr("Apart from the totals")), _table((tr("tensors"), tr("format")), apart, _apart)]
    layers = _table((tr("layer"), tr("format")), tables.get("layers", ()), _layer)
    parts += [_heading(tr("Layers")), layers]
    for name in dict.fromkeys(row.format for row in rows):
        worst = _table((tr("tensor"), tr("shape"), tr("max / σ")), worst_rows(rows, name), _tensor)
        parts += [_heading(tr("Worst tensors in {format}", format=name)), worst]
    if storage := tables.get("storage", ()):
        shares = [
            (storage_label(row.format), f"{100 * row.share:.3g}% ({format_quantity(row.bytes, 'bytes')})")
            for row in storage
        ]
        parts += [_heading(tr("Stored as")), _list(shares)]
    if skipped := tables.get("skipped", ()):
        parts += [_heading(tr("Not measured")), _list((tensor.tensor, tensor.why) for tensor in skipped)]
    return "\n\n".join(part for part in parts if part) + "\n"


def exported(suffix: str, about: Mapping[str, Any], tables: Tables, labels: Mapping[str, Text] = _NO_LABELS) -> str:
    """The text of a file with the ending `suffix`, one of SUFFIXES.

    A CSV holds the tensors. Every row repeats what was measured and how, and the messages: a CSV has no other place for
    them that every program reads. If no tensor was measured but there are messages, one row without a tensor holds
    them.
    """
    if suffix == ".csv":
        messages = [f"{message.severity}: {message.text}" for message in tables.get("messages", ())]
        rows = [dict(vars(row)) for row in tables.get("tensors", ())] or [{"tensor": ""}] * bool(messages)
        every = {**about, "messages": " ".join(messages)}
        return to_csv([{name: _harmless(value) for name, value in {**row, **every}.items()} for row in rows])
    return as_json(about, tables) if suffix == ".json" else as_markdown(about, tables, labels)


def _heading(text: Text) -> str:
    return f"## {text}"


def _list(items: Iterable[tuple[Any, Any]]) -> str:
    entries = (tr("{name}: {value}", name=_text(name), value=_text(value)) for name, value in items)
    return "\n".join(f"- {entry}" for entry in entries)


def _text(value: Any) -> str:
    """Plain text on one line, without markup: names come from the author of the checkpoint."""
    text = _MARKUP.sub(r"\\\g<0>", " ".join(str(value).split()))
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _json(value: Any) -> Any:
    if isinstance(value, Text):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _harmless(value: Any) -> Any:
    """A spreadsheet runs text that begins like a formula; an apostrophe in front keeps it text."""
    value = _json(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _table(first: Sequence[Text], rows: Sequence[Any], cells: Any) -> str:
    if not rows:
        return ""
    heads = [str(head) for head in (*first, *_HEADINGS)]
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    lines += ["| " + " | ".join((*cells(row), *(_shown(getattr(row, name)) for name in _SHOWN))) + " |" for row in rows]
    return "\n".join(lines)


def _total(row: Totals) -> tuple[str, ...]:
    return row.format, format_quantity(row.quantized_bytes, "bytes")


def _apart(row: Totals) -> tuple[str, ...]:
    return _text(ROLE_LABELS[row.role]), row.format


def _layer(row: LayerTotals) -> tuple[str, ...]:
    return (str(tr_in("layer", "none")) if row.layer < 0 else str(row.layer)), row.format


def _tensor(row: TensorErrors) -> tuple[str, ...]:
    return _text(row.tensor), row.shape, _shown(row.max_over_sigma)


def _shown(value: float | None) -> str:
    return "—" if value is None else format_quantity(value)
