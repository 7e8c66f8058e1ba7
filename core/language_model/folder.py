"""The user's own model: a local Hugging Face folder, checked before anything of it is loaded. Workers only.

Nothing is downloaded and no code of the folder is run: weights are read from safetensors, classes are those that
transformers brings itself.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.contracts.errors import TilescopeError
from core.hardware.host import host_facts
from core.language_model.folder_files import FolderFiles, inspect
from core.language_model.libraries import import_transformers, silent_transformers
from core.language_model.model import ATTENTION, parameter_count
from core.language_model.pretrain import ProgressCallback
from core.language_model.small_model import SmallModel
from core.language_model.torch_state import seeded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PHASE = "opening the model folder"
_FLOAT32_BYTES = 4


def open_folder(path: str | Path, progress: ProgressCallback | None = None, field: str | None = None) -> SmallModel:
    """The causal language model of a folder, on the CPU in float32, with its tokenizer.

    `field` is the parameter to blame. Raises InvalidParams, with one sentence, for what is not a folder, cannot be
    read, is incomplete or damaged, holds pickled, quantized or adapter weights only, is of an architecture that
    transformers does not know or would run code of the folder for, is no causal language model, or does not fit into
    the memory that is free.
    """
    started = perf_counter()
    files = inspect(path, field)
    if progress is not None:
        progress(0, 3, PHASE)
    _check_architecture(files)
    _check_memory(files)
    tokenizer = _loaded(files, "tokenizer", lambda: _tokenizer(files.folder))
    if progress is not None:
        progress(1, 3, PHASE)
    model = _loaded(files, "model", lambda: _model(files))
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
            raise files.refused(
                "needs code that it brings itself (trust_remote_code), which Tilescope never runs: take a model whose "
                "architecture transformers knows"
            )
        raise files.refused(
            f"is of the architecture {kind!r}, which transformers {__version__} does not know: take another model, or "
            "a version of transformers that knows it"
        )
    causal = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(kind, ())
    names = {causal} if isinstance(causal, str) else set(causal)
    stored = set(files.config.get("architectures") or names)
    if not names & stored:
        raise files.refused(
            f"holds {' and '.join(sorted(map(str, stored))) or kind}, which is no causal language model: take one that "
            "predicts the next token, such as a Llama"
        )


def _check_memory(files: FolderFiles) -> None:
    """Raises InvalidParams where the weights alone, in float32, are more than what is free."""
    needed, free = files.parameters * _FLOAT32_BYTES, host_facts().available_memory_bytes
    if needed > free:
        raise files.refused(
            f"holds {files.parameters / 1e9:.2f} billion parameters, {needed / 2**30:.1f} GiB in float32, and "
            f"{free / 2**30:.1f} GiB of memory are free: take a smaller model"
        )


def _check_vocabulary(files: FolderFiles, model: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    largest, rows = max(tokenizer.get_vocab().values(), default=-1), model.get_input_embeddings().num_embeddings
    if largest < 0:
        raise files.refused("has a tokenizer without a single token: copy the model's own tokenizer.json into it")
    if largest >= rows:
        raise files.refused(
            f"has a tokenizer that gives token {largest}, and a model that knows {rows} tokens: they do not belong "
            "together, so copy the model's own tokenizer.json into it"
        )


def _loaded(files: FolderFiles, what: str, load: Any) -> Any:
    """What `load` returns. Whatever transformers raises for contents that it did not expect becomes one sentence."""
    try:
        with silent_transformers(), seeded(0):
            return load()
    except (TilescopeError, MemoryError):
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(".")
        raise files.refused(
            f"has a {what} that transformers could not load ({reason}): save it again with save_pretrained"
        ) from error


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _model(files: FolderFiles) -> Any:
    from transformers import AutoModelForCausalLM

    model, report = AutoModelForCausalLM.from_pretrained(
        files.folder,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        dtype=torch.float32,
        attn_implementation=ATTENTION,
        output_loading_info=True,
    )
    absent = sorted(report["missing_keys"])
    if absent:
        raise files.refused(
            f"lacks {len(absent)} of the model's weights, {absent[0]} among them: it is incomplete, so download or "
            "save it again"
        )
    return model.eval()


def _fingerprint(files: FolderFiles) -> str:
    """Identifies the contents by the configuration and by name, size and time of each file of weights."""
    digest = hashlib.sha256((files.folder / "config.json").read_bytes())
    for path in files.weights:
        facts = path.stat()
        digest.update(f"{path.name} {facts.st_size} {facts.st_mtime_ns}".encode())
    return digest.hexdigest()[:20]
