"""The small model that the pages use: it comes with the program, or is trained and cached. Workers only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text, sentences, tr, verbatim
from core.language_model.cache import Cache, cache_folder
from core.language_model.libraries import library_versions, silent_transformers
from core.language_model.model import build_model, parameter_count
from core.language_model.model_config import STANDARD, ModelConfig, content_hash
from core.language_model.pretrain import Pretrained, ProgressCallback, pretrain
from core.language_model.shipped import TRAINING, WEIGHTS, record, shipped_folder, weights_hash
from core.language_model.tokenizer import as_fast_tokenizer
from core.language_model.world import World, build_world

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class SmallModel:
    """A causal language model on the CPU in float32, in eval mode, and its tokenizer.

    `losses` [steps] are the pretraining losses in nats per token. For a model that the user opened, `world` is None,
    there is no task, and `losses` is empty. `seconds` is the wall time of the pretraining, whenever and wherever that
    was. `from_cache` says that nothing was trained for this call. `folder` holds the model in Hugging Face's layout. It
    is None if the model could not be stored. `notice` says why, and also why the model that comes with the program was
    not used. `content_hash` tells one set of weights from another. The caller owns the model: training it changes
    neither the files nor the model of another caller.
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
    notice: Text = EMPTY

    @property
    def label(self) -> Text:
        """The model's name for the user."""
        if self.world is None:
            return verbatim(self.name)
        return tr("small model, seed {seed}", seed=self.world.seed)


def small_model(
    config: ModelConfig = STANDARD, progress: ProgressCallback | None = None, cache: Cache | None = None
) -> SmallModel:
    """The small model: STANDARD comes with the program; any other is loaded from the cache, or trained on the CPU in
    about a minute and cached.

    The parameters are float32; those of STANDARD have values that bfloat16 can represent. Loading takes about a tenth
    of a second plus the import of transformers. `progress(done, total, phase)` is called at every training step. It may
    raise; nothing is cached then. For another seed use `dataclasses.replace(STANDARD, seed=...)`. Raises RunFailed if
    the loss becomes NaN or infinite.
    """
    unusable = EMPTY
    try:
        shipped = shipped_folder(config)
        if shipped is not None:
            return _read(shipped, config, weights_hash(shipped))
    except TilescopeError as error:
        unusable = error.text
    cache = cache or Cache(cache_folder() / "language-models")
    name = content_hash(config, library_versions())
    entry = cache.find(name)
    if entry is not None:
        try:
            return replace(_read(entry, config, name), notice=unusable)
        except (OSError, ValueError, KeyError, RuntimeError):
            pass  # another process pruned the entry meanwhile: train again
    trained = pretrain(config, progress)
    folder, notice = None, unusable
    try:
        folder = cache.keep(name, lambda folder: write_model(folder, trained, config))
    except TilescopeError as error:
        notice = sentences(unusable, tr("Every run trains the small model again."), error.text)
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


def write_model(folder: Path, trained: Pretrained, config: ModelConfig, facts: dict[str, Any] | None = None) -> None:
    """Write the model in Hugging Face's layout, so that the checkpoint report and other tools can open the folder.

    `facts` are added to those about the training.
    """
    from safetensors import SafetensorError

    with silent_transformers():
        try:
            trained.model.save_pretrained(folder)
        except SafetensorError as error:  # safetensors reports a full disk this way
            raise OSError(str(error)) from error
        trained.tokenizer.save_pretrained(folder)
    training = {
        "recipe": asdict(config),
        "seconds": trained.seconds,
        **(facts or {}),
        "losses": trained.losses.tolist(),
    }
    (folder / TRAINING).write_text(json.dumps(training))


def _read(folder: Path, config: ModelConfig, identity: str) -> SmallModel:
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    training = record(folder)
    tokenizer = as_fast_tokenizer(Tokenizer.from_file(str(folder / _TOKENIZER)))
    model = build_model(config, len(tokenizer))
    missing, unexpected = model.load_state_dict(load_file(folder / WEIGHTS), strict=False)
    if unexpected or set(missing) - {"lm_head.weight"}:  # the head is the embedding
        raise ValueError("the weights belong to another model")
    return SmallModel(
        name=_name(config),
        model=model,
        tokenizer=tokenizer,
        world=build_world(config.seed, config.people),
        losses=np.array(training["losses"], dtype=np.float32),
        from_cache=True,
        seconds=float(training["seconds"]),
        content_hash=identity,
        parameters=parameter_count(model),
        folder=folder,
    )


def _name(config: ModelConfig) -> str:
    return f"small-model-{config.seed}"
