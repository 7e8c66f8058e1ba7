"""Opens the model that a topic's parameters name: a folder, or the small model. Workers only."""

from __future__ import annotations

from dataclasses import replace

import torch

from core.contracts.text import sentences, tr
from core.language_model.folder import open_folder
from core.language_model.model_config import ModelConfig
from core.language_model.pretrain import ProgressCallback
from core.language_model.small_model import SmallModel, small_model
from core.paths import expanded


def open_model(folder: str, dtype: str, config: ModelConfig, progress: ProgressCallback) -> SmallModel:
    """The model in `folder`, or the small model of `config` if that is empty, on the CPU in `dtype`. A notice says how
    many weights are beyond the range of `dtype`. Raises InvalidParams for `model` as `open_folder` does."""
    if folder.strip():
        opened = open_folder(expanded(folder, "model"), progress, "model", dtype)
    else:
        opened = small_model(config, progress)
        opened = replace(opened, model=opened.model.to(getattr(torch, dtype)))
    beyond = sum(int((~torch.isfinite(weight)).sum()) for weight in opened.model.parameters())
    if not beyond:
        return opened
    text = tr("{count:,} weights of the model are NaN or infinite in {dtype}.", count=beyond, dtype=dtype)
    return replace(opened, notice=sentences(opened.notice, text))
