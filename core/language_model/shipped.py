"""The small model that comes with the program: a folder of resources/models, complete and of this version, or not used.

`python -m core.language_model.ship` makes it. No torch.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.language_model.cache import is_whole
from core.language_model.model_config import CODE_VERSION, STANDARD, ModelConfig
from core.language_model.text import HELD_OUT_TEXTS, TRAINING_TEXTS, documents
from core.language_model.world import World, build_world

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "models" / "small-model"
WEIGHTS, TRAINING = "model.safetensors", "training.json"
"""In the folder of every trained model. The second has its config, its losses and its training time."""

COMMAND = "python -m core.language_model.ship"
_HASHED_TEXTS = 200


def shipped_folder(config: ModelConfig, folder: Path = FOLDER) -> Path | None:
    """The folder of the model that comes with the program, in Hugging Face's layout with weights in bfloat16.

    None for every config except STANDARD. Raises TilescopeError with one sentence if files are missing or damaged, or
    if the config, the training code or the texts of the world are no longer those that the model was trained with.
    """
    if config != STANDARD:
        return None
    if not is_whole(folder):
        raise TilescopeError(
            tr(
                "The small model that comes with the program is missing or damaged, so one trained on this machine is "
                "used instead: restore the folder {folder}.",
                folder=str(folder),
            )
        )
    recorded = record(folder)
    if any(recorded.get(name) != value for name, value in origin(config).items()):
        raise TilescopeError(
            tr(
                "The small model that comes with the program was trained with other code or on other texts, so one "
                "trained on this machine is used instead: replace it with {command}.",
                command=COMMAND,
            )
        )
    return folder


def record(folder: Path = FOLDER) -> dict[str, Any]:
    """How the model in the folder was trained, and its loss. Raises OSError or ValueError if it cannot be read."""
    contents: dict[str, Any] = json.loads((folder / TRAINING).read_text(encoding="utf-8"))
    return contents


def weights_hash(folder: Path = FOLDER) -> str:
    """20 hexadecimal digits of the SHA-256 of the weights."""
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:20]


def origin(config: ModelConfig) -> dict[str, Any]:
    """What must be the same for a model to fit the program: its config, the version of the training code, its texts."""
    return {
        "recipe": asdict(config),
        "code_version": CODE_VERSION,
        "data_sha256": data_hash(build_world(config.seed, config.people)),
    }


def data_hash(world: World) -> str:
    """SHA-256 of the world's facts, its first training texts and its first held-out texts."""
    facts = [[fact.person.name, fact.relation.label, fact.value, fact.stated] for fact in world.facts]
    texts = [list(islice(documents(world, seed), _HASHED_TEXTS)) for seed in (TRAINING_TEXTS, HELD_OUT_TEXTS)]
    return hashlib.sha256(json.dumps([facts, texts]).encode()).hexdigest()
