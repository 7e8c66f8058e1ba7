"""Trains the small model that comes with the program and writes it into resources/models: `make model`.

The weights are rounded to bfloat16, which halves the file. `training.json` beside them records what they were trained
with and on, and their loss on held-out texts before and after rounding. The same machine with the same versions
gives the same weights.
"""

from __future__ import annotations

import json
import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from core.contracts.text import Text
from core.hardware.host import cpu_name
from core.language_model.cache import write_digests
from core.language_model.evaluation import TextLoss, windows_loss
from core.language_model.libraries import library_versions
from core.language_model.model import parameter_count
from core.language_model.model_config import STANDARD, ModelConfig
from core.language_model.pretrain import ProgressCallback, pretrain
from core.language_model.shipped import COMMAND, FOLDER, origin
from core.language_model.small_model import write_model
from core.language_model.torch_state import torch_threads
from core.language_model.windows import held_out_windows
from core.language_model.world import World

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

HELD_OUT_DOCUMENTS = 200
_PRINTED_EVERY = 50
_THREADS = 1
"""One, so that the weights do not depend on the number of cores."""


def ship(folder: Path, config: ModelConfig = STANDARD, progress: ProgressCallback | None = None) -> dict[str, Any]:
    """Train the config's model, replace the folder by it, and return the record without the losses of the steps."""
    trained = pretrain(config, progress, _THREADS)
    before = held_out_loss(trained.model, trained.tokenizer, trained.world)
    round_to_bfloat16(trained.model)
    after = held_out_loss(trained.model, trained.tokenizer, trained.world)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    trained.model.to(torch.bfloat16)
    facts = {
        **origin(config),
        "command": COMMAND,
        "versions": {"python": platform.python_version(), "numpy": version("numpy"), **library_versions()},
        "cpu": cpu_name(),
        "threads": _THREADS,
        "parameters": parameter_count(trained.model),
        "held_out": {
            "documents": HELD_OUT_DOCUMENTS,
            "tokens": after.tokens,
            "loss_float32": before.loss,
            "loss_bfloat16": after.loss,
        },
    }
    write_model(folder, trained, config, facts)
    write_digests(folder)
    return facts


def held_out_loss(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, world: World) -> TextLoss:
    """The loss on paragraphs that no training read, computed with one thread."""
    with torch_threads(_THREADS):
        return windows_loss(model, held_out_windows(world, tokenizer, HELD_OUT_DOCUMENTS))


def round_to_bfloat16(model: nn.Module) -> None:
    """Round the parameters to values that bfloat16 can represent. They stay float32, and so do the buffers."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.bfloat16())


def _print_progress(done: float, total: float, phase: Text) -> None:
    if done % _PRINTED_EVERY == 0:
        print(f"{done:.0f}/{total:.0f}: {phase}", flush=True)


if __name__ == "__main__":
    print(json.dumps(ship(FOLDER, progress=_print_progress), indent=1))
