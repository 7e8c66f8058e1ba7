"""The user's own model: a local Hugging Face folder, checked before anything is loaded. Workers only.

Nothing is downloaded and no code from the folder runs: weights are read from safetensors files, and the classes are
those of transformers itself.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, listed, quoted, tr, tr_plural
from core.language_model.dtypes import FLOAT32
from core.language_model.folder_files import FolderFiles, check_fits, check_parameters_fit, inspect
from core.language_model.libraries import import_transformers, silent_transformers
from core.language_model.model import ATTENTION, parameter_count
from core.language_model.pretrain import ProgressCallback
from core.language_model.small_model import SmallModel
from core.language_model.torch_state import seeded
from core.outside import first_line

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PHASE = tr("opening the model folder")


def open_folder(
    path: str | Path, progress: ProgressCallback | None = None, field: str | None = None, dtype: str = FLOAT32
) -> SmallModel:
    """The causal language model of a folder, on the CPU in `dtype`, with its tokenizer.

    `field` is the parameter that errors name. Raises InvalidParams with one sentence if the path is no readable folder;
    if the folder is incomplete or damaged; if it holds only pickled, quantized or adapter weights; if transformers does
    not know the architecture or needs code from the folder; or if the model is not a causal language model or does not
    fit into free memory.
    """
    started = perf_counter()
    files = inspect(path, field)
    if progress is not None:
        progress(0, 3, PHASE)
    _check_architecture(files)
    check_fits(files, dtype)
    _check_built_size(files, dtype)
    tokenizer = _loaded(files, tr("tokenizer"), lambda: _tokenizer(files.folder))
    if progress is not None:
        progress(1, 3, PHASE)
    model = _loaded(files, tr("model"), lambda: _model(files, dtype))
    _check_vocabulary(files, model, tokenizer)
    if progress is not None:
        progress(3, 3, PHASE)
    return SmallModel(
        name=files.folder.name,
        model=model,
        tokenizer=tokenizer,
        world=None,
        losses=np.zeros(0, dtype=np.float32),
        from_cache=False,
        seconds=perf_counter() - started,
        content_hash=_fingerprint(files),
        parameters=parameter_count(model),
        folder=files.folder,
    )


def _check_architecture(files: FolderFiles) -> None:
    import_transformers()
    from transformers import CONFIG_MAPPING, __version__
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    kind = files.config.get("model_type")
    if kind not in CONFIG_MAPPING:
        if "auto_map" in files.config:
            raise files.error(
                tr(
                    "The model folder {folder} needs its own code (trust_remote_code), which Tilescope never runs: use "
                    "a model whose architecture is part of transformers.",
                    folder=str(files.folder),
                )
            )
        raise files.error(
            tr(
                "The model folder {folder} has the architecture {architecture}, which transformers {version} does not "
                "support: use another model, or a transformers version that supports it.",
                architecture=quoted(kind),
                version=__version__,
                folder=str(files.folder),
            )
        )
    causal = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(kind, ())
    names = {causal} if isinstance(causal, str) else set(causal)
    stored = set(files.config.get("architectures") or names)
    if not names & stored:
        raise files.error(
            tr(
                "The model folder {folder} holds {architecture}, which is not a causal language model: use a model "
                "that predicts the next token, such as a Llama.",
                architecture=listed(sorted(map(str, stored)) or [str(kind)]),
                folder=str(files.folder),
            )
        )


def _check_built_size(files: FolderFiles, dtype: str) -> None:
    """Raises InvalidParams if the model that transformers will build exceeds the free memory.

    Sizes that the configuration leaves out have the library's defaults, and weights that the files lack are allocated.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        with silent_transformers(), seeded(0), torch.device("meta"):
            config = AutoConfig.from_pretrained(files.folder, local_files_only=True, trust_remote_code=False)
            model = AutoModelForCausalLM.from_config(config, attn_implementation=_attention(config))
            parameters = parameter_count(model)
    except Exception:  # loading the model says why
        return
    check_parameters_fit(files, parameters, dtype)


def _check_vocabulary(files: FolderFiles, model: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    largest, rows = max(tokenizer.get_vocab().values(), default=-1), model.get_input_embeddings().num_embeddings
    if largest < 0:
        raise files.error(
            tr(
                "The model folder {folder} has a tokenizer without tokens: copy the model's own tokenizer.json into "
                "the folder.",
                folder=str(files.folder),
            )
        )
    if largest >= rows:
        raise files.error(
            tr(
                "The model folder {folder} has a tokenizer with token id {token}, but its model has only {rows} "
                "embeddings: copy the model's own tokenizer.json into the folder.",
                token=largest,
                rows=rows,
                folder=str(files.folder),
            )
        )


def _loaded(files: FolderFiles, part: Text, load: Any) -> Any:
    """The result of `load`. Any error that transformers raises for unexpected contents becomes one sentence."""
    try:
        with silent_transformers(), seeded(0):
            return load()
    except (TilescopeError, MemoryError):
        raise
    except Exception as error:
        reason = (_first_sentence(error) or type(error).__name__)[:200].rstrip(".")
        raise files.error(
            tr(
                "The model folder {folder} has a {part} that transformers could not load ({reason}): save it again "
                "with save_pretrained.",
                part=part,
                reason=reason,
                folder=str(files.folder),
            )
        ) from error


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _first_sentence(error: Exception) -> str:
    """The first line of the message; the next one too where the first only introduces it, as validators do."""
    first = first_line(error)
    if not first.endswith(":"):
        return first
    rest = str(error).partition(first)[2].split("\n", 2)
    return " ".join([first, *(line.strip() for line in rest[1:2])])


def _attention(config: Any) -> str:
    """The attention implementation: that of PyTorch where the architecture has it. Gemma 2 and gpt-oss do not."""
    from transformers import AutoModelForCausalLM

    supported = getattr(AutoModelForCausalLM._model_mapping.get(type(config), None), "_supports_sdpa", True)
    return ATTENTION if supported else "eager"


def _model(files: FolderFiles, dtype: str) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(files.folder, local_files_only=True, trust_remote_code=False)
    model, report = AutoModelForCausalLM.from_pretrained(
        files.folder,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        dtype=getattr(torch, dtype),
        attn_implementation=_attention(config),
        output_loading_info=True,
    )
    absent = sorted(report["missing_keys"])
    if absent:
        raise files.error(
            tr_plural(
                "The model folder {folder} lacks {count} weight of the model ({example}): download or save it again.",
                "The model folder {folder} lacks {count} weights of the model, such as {example}: download or save it "
                "again.",
                count=len(absent),
                example=absent[0],
                folder=str(files.folder),
            )
        )
    return model.eval()


def _fingerprint(files: FolderFiles) -> str:
    """Identifies the contents: the configuration, and the name, size and modification time of each weight file."""
    digest = hashlib.sha256(json.dumps(files.config, sort_keys=True).encode())
    for path in files.weights:
        stat = path.stat()
        digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:20]
