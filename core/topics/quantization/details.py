"""What `run quantization --json` prints beside metrics and claims: the tables that the page shows."""

from __future__ import annotations

from typing import Any

from core.contracts import archive
from core.topics.quantization.result import QuantizationResult

_WORST = 20


def details(result: QuantizationResult) -> dict[str, Any]:
    """The totals, what is apart from them, the worst tensors of the chosen format, and what is stored and skipped."""
    tables = {
        "totals": result.totals,
        "roles": result.roles,
        "worst": result.tensors.worst(result.params.format, _WORST),
        "storage": result.storage,
        "version_totals": result.version_totals,
        "versions": result.versions,
        "shapes": result.shapes,
        "experts": result.experts,
        "skipped": result.skipped,
    }
    return {name: [archive.plain(row, text_of=str) for row in rows] for name, rows in tables.items()}
