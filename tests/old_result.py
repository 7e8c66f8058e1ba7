"""A result as older versions stored it, before results were typed: arrays and tables by name."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from core.contracts.params import Params


def old_bytes(
    topic: str,
    params: Params,
    *,
    metrics: Mapping[str, tuple[float, str, str]] | None = None,
    arrays: Mapping[str, np.ndarray] | None = None,
    tables: Mapping[str, list[dict[str, Any]]] | None = None,
) -> bytes:
    """`metrics` are (value, unit, provenance) by name."""
    header = {
        "topic": topic,
        "params": params.model_dump(mode="json"),
        "environment": {"device": "cpu", "backend": "Lanes (TTIR on CPU)", "versions": {"torch": "2.13.0"}},
        "metrics": {
            name: {"value": value, "unit": unit, "provenance": provenance, "note": ""}
            for name, (value, unit, provenance) in (metrics or {}).items()
        },
        "tables": dict(tables or {}),
    }
    buffer = io.BytesIO()
    members: dict[str, Any] = {f"array:{name}": array for name, array in (arrays or {}).items()}
    np.savez_compressed(buffer, __result__=np.array(json.dumps(header)), **members)
    return buffer.getvalue()
