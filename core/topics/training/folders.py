"""Where the stages keep their files, and which checkpoints are there. No torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.files import open_regular
from core.paths import data_folder, expanded
from core.topics.training.params import TrainingParams, stage_fields
from core.topics.training.stage_ids import with_needed

CHECKPOINT = "checkpoint.safetensors"
_MAX_HEADER_BYTES = 4 << 20
_DIGITS = 10


@dataclass(frozen=True)
class StageFolder:
    """The folder of one stage with one seed, and the step of the checkpoint in it: 0 if there is none."""

    path: Path
    step: int = 0


def stage_folder(params: TrainingParams, stage: str, seed: int, name: str = "") -> Path:
    """The folder of a stage, or of an experiment `name` with its settings.

    Raises InvalidParams if the user's folder cannot be a path.
    In the user's folder it is 'seed-0/sft'. In the folder of the user's data its name depends on all settings that the
    stage depends on, so that other settings begin anew and the same ones continue.
    """
    if params.folder.strip():
        return expanded(params.folder, "folder") / f"seed-{seed}" / (name or stage)
    return own_root() / f"{name or stage}-{seed}-{_digest(params, stage)}"


def own_root() -> Path:
    """Where the stages lie if the user names no folder."""
    return data_folder() / "training"


def found(params: TrainingParams, stage: str, seed: int) -> StageFolder:
    """The stage's folder with what is there."""
    path = stage_folder(params, stage, seed)
    return StageFolder(path, checkpoint_step(path / CHECKPOINT))


def checkpoint_step(path: Path) -> int:
    """The step of a checkpoint; 0 if there is none or it cannot be read."""
    try:
        with open_regular(path) as file:
            length = int.from_bytes(file.read(8), "little")
            header: Any = json.loads(file.read(min(length, _MAX_HEADER_BYTES)))
        return max(0, int(json.loads(header["__metadata__"]["tilescope"])["step"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0


def _digest(params: TrainingParams, stage: str) -> str:
    effective = params.effective
    settings = {
        name: {field: getattr(effective, field) for field in stage_fields(name, effective)}
        for name in with_needed(stage)
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:_DIGITS]
