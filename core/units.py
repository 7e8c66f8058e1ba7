"""The units that are words. A metric or a parameter names its unit by an id, the same in every language; symbols such
as 'ms' and 'B' are their own label."""

from __future__ import annotations

from collections.abc import Mapping

from core.contracts.text import Text, tr_in, verbatim

UNITS: Mapping[str, Text] = {
    "answers": tr_in("unit", "answers"),
    "batches": tr_in("unit", "batches"),
    "bits": tr_in("unit", "bits"),
    "blocks": tr_in("unit", "blocks"),
    "bytes": tr_in("unit", "bytes"),
    "cells": tr_in("unit", "cells"),
    "codes": tr_in("unit", "codes"),
    "elements": tr_in("unit", "elements"),
    "examples": tr_in("unit", "examples"),
    "heads": tr_in("unit", "heads"),
    "layers": tr_in("unit", "layers"),
    "nats": tr_in("unit", "nats"),
    "of the weights": tr_in("unit", "of the weights"),
    "pairs": tr_in("unit", "pairs"),
    "parameters": tr_in("unit", "parameters"),
    "rows": tr_in("unit", "rows"),
    "scales": tr_in("unit", "scales"),
    "sequences": tr_in("unit", "sequences"),
    "steps": tr_in("unit", "steps"),
    "steps/s": tr_in("unit", "steps/s"),
    "tiles": tr_in("unit", "tiles"),
    "tensors": tr_in("unit", "tensors"),
    "tokens": tr_in("unit", "tokens"),
    "triplets": tr_in("unit", "triplets"),
    "units": tr_in("unit", "units"),
    "weights": tr_in("unit", "weights"),
    "× own": tr_in("unit", "× own"),
}


def unit_label(unit: str) -> Text:
    """The unit as the user reads it."""
    return UNITS.get(unit) or verbatim(unit)
