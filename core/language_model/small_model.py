"""The small model as the pages get it: from the cache, or trained and put there. Workers only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.contracts.errors import TilescopeError
from core.language_model.cache import Cache, cache_folder
from core.language_model.libraries import library_versions, silent_transformers
from core.language_model.model import build_model, parameter_count
from core.language_model.model_config import STANDARD, ModelConfig, content_hash
from core.language_model.pretrain import Pretrained, ProgressCallback, pretrain
from core.language_model.tokenizer import as_fast_tokenizer
from core.language_model.world import World, build_world

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_WEIGHTS, _TOKENIZER, _TRAINING = "model.safetensors", "tokenizer.json", "training.json"


@dataclass(frozen=True)
class SmallModel:
    """A causal language model on the CPU in float32, in eval mode, and its tokenizer.

    `world` is None for a model that the user opened: then there is no task, and `losses` is empty. `losses` is
    [steps], nats per token. `seconds` is the wall time of its pretraining, on whichever day that was. `folder` holds
    the model in Hugging Face's layout, None where it could not be kept; then `notice` says why. The model is the
    caller's own: training it changes neither the cache nor another caller's.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    world: World | None
    losses: np.ndarray
    from_cache: bool
    seconds: float
    content_hash: str
    parameters: int
    folder: Path | None
    notice: str = ""


def small_model(
    config: ModelConfig = STANDARD, progress: ProgressCallback | None = None, cache: Cache | None = None
) -> SmallModel:
    """The small model: read from the cache in about a tenth of a second (and the import of transformers), or trained on
    the CPU in about a minute and kept for the next time.

    `progress(done, total, phase)` is called at every training step; it may raise, and then nothing is kept. Another
    seed: `dataclasses.replace(STANDARD, seed=...)`. Raises RunFailed when the loss is no longer a number.
    """
    cache = cache or Cache(cache_folder() / "language-models")
    name = content_hash(config, library_versions())
    entry = cache.find(name)
    if entry is not None:
        try:
            return _read(entry, config)
        except (OSError, ValueError, KeyError, RuntimeError):
            pass  # pruned by another process at this moment: trained again
    trained = pretrain(config, progress)
    try:
        folder, notice = cache.keep(name, lambda folder: _write(folder, trained, config)), ""
    except TilescopeError as error:
        folder, notice = None, f"The small model will be trained anew each time. {error.sentence}"
    return SmallModel(
        name=_name(config),
        model=trained.model,
        tokenizer=trained.tokenizer,
        world=trained.world,
        losses=trained.losses,
        from_cache=False,
        seconds=trained.seconds,
        content_hash=name,
        parameters=parameter_count(trained.model),
        folder=folder,
        notice=notice,
    )


def _write(folder: Path, trained: Pretrained, config: ModelConfig) -> None:
    """In Hugging Face's layout, so that other tools, and this one's checkpoint report, can open the folder."""
    from safetensors import SafetensorError

    with silent_transformers():
        try:
            trained.model.save_pretrained(folder)
        except SafetensorError as error:  # how a full disk is reported
            raise OSError(str(error)) from error
        trained.tokenizer.save_pretrained(folder)
    training = {"recipe": asdict(config), "seconds": trained.seconds, "losses": trained.losses.tolist()}
    (folder / _TRAINING).write_text(json.dumps(training))


def _read(folder: Path, config: ModelConfig) -> SmallModel:
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    training = json.loads((folder / _TRAINING).read_text())
    tokenizer = as_fast_tokenizer(Tokenizer.from_file(str(folder / _TOKENIZER)))
    model = build_model(config, len(tokenizer))
    missing, unexpected = model.load_state_dict(load_file(folder / _WEIGHTS), strict=False)
    if unexpected or set(missing) - {"lm_head.weight"}:  # the head is the embedding
        raise ValueError("these are the weights of another model")
    return SmallModel(
        name=_name(config),
        model=model,
        tokenizer=tokenizer,
        world=build_world(config.seed, config.people),
        losses=np.array(training["losses"], dtype=np.float32),
        from_cache=True,
        seconds=float(training["seconds"]),
        content_hash=folder.name,
        parameters=parameter_count(model),
        folder=folder,
    )


def _name(config: ModelConfig) -> str:
    return f"small model, seed {config.seed}"
