"""Public models: their published configurations, in resources/model_configs, parsed like the user's own."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from core.contracts.errors import UnknownName
from core.contracts.text import listed, quoted, tr
from core.model_configs.facts import ModelFacts
from core.model_configs.parsing import parse_config

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "model_configs"


def preset_ids() -> tuple[str, ...]:
    """The ids of all presets, in alphabetical order. Each is also the name of its file."""
    return _IDS


@cache
def preset(preset_id: str) -> ModelFacts:
    """The facts of one public model. Raises UnknownName, listing the presets that exist."""
    if preset_id not in _IDS:
        raise UnknownName(
            tr("There is no model {name}: the models are {known}.", name=quoted(preset_id), known=listed(_IDS))
        )
    config = json.loads((FOLDER / f"{preset_id}.json").read_text("utf-8"))
    return parse_config(config, name=config["_name"], source=config["_source"])


_IDS = tuple(sorted(file.stem for file in FOLDER.glob("*.json")))
