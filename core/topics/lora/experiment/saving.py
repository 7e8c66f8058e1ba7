"""Saves an adapter, loads it again, and says what comes back and what does not."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

from core.checkpoint.header import read_header
from core.contracts.text import EMPTY, Text, tr
from core.language_model.adapters import trainable, trainable_copy
from core.language_model.data import Batch, batch_loss
from core.language_model.libraries import LIBRARY_ERRORS, silent_transformers
from core.outside import first_line
from core.topics.lora.experiment.allocator import ADAPTER
from core.topics.lora.experiment.checks import logits_of
from core.topics.lora.experiment.runs import Run
from core.topics.lora.merges import SavedAdapter

_WEIGHTS = "adapter_model.safetensors"


def saved_and_loaded(run: Run, base: Any, batch: Batch) -> SavedAdapter:
    """Save the trained adapter of the run as PEFT does, and load it onto a copy of `base`. The run's model stays as it
    is."""
    from peft import PeftModel

    before = logits_of(run.model, batch)
    with tempfile.TemporaryDirectory() as folder, silent_transformers():
        _save(run.model, folder)
        elements = [tensor.elements for tensor in read_header(Path(folder, _WEIGHTS), None)]
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        loaded = PeftModel.from_pretrained(trainable_copy(base), folder, is_trainable=True)
    difference = float((logits_of(loaded, batch) - before).abs().max()) / max(1.0, float(before.abs().max()))
    triplets = _triplets(loaded) if run.recorder is not None else None
    return SavedAdapter(
        run=run.id,
        bytes=size,
        tensors=len(elements),
        empty_tensors=elements.count(0),
        max_error=difference,
        parameters_before=sum(weight.numel() for weight in trainable(run.model)),
        parameters_after=sum(weight.numel() for weight in trainable(loaded)),
        triplets=triplets,
        resumes=_resuming(run, loaded, batch),
    )


def _save(model: Any, folder: str) -> None:
    """peft cuts the adapter's name out of the keys of AdaLoRA's rank pattern when it saves: put the pattern back."""
    config = model.peft_config[ADAPTER]
    pattern = copy.deepcopy(getattr(config, "rank_pattern", None))
    try:
        model.save_pretrained(folder)
    finally:
        if hasattr(config, "rank_pattern"):
            config.rank_pattern = pattern


def _triplets(model: Any) -> int:
    return sum(weight.shape[0] for name, weight in model.named_parameters() if ".lora_E." in name)


def _resuming(run: Run, loaded: Any, batch: Batch) -> Text:
    """Why AdaLoRA cannot go on pruning the loaded adapter; empty if it can, or has nothing to prune."""
    if run.recorder is None or not run.recorder.params.call_update:
        return EMPTY
    schedule = run.recorder.schedule
    step = schedule.next_allocation(0)
    if step is None or schedule.first == schedule.target:
        return EMPTY
    loaded.train()
    batch_loss(loaded, batch.to(loaded.device)).backward()  # type: ignore[no-untyped-call]
    try:
        loaded.base_model.update_and_allocate(step)
    except LIBRARY_ERRORS as error:
        return tr(
            "The loaded AdaLoRA adapter gives the same outputs but cannot go on pruning, because the file holds the "
            "kept {kept:,} triplets of {first:,}, without their scores: at step {step:,} update_and_allocate fails "
            "({reason}). "
            "Train it on with fixed ranks, or keep the whole training state.",
            kept=_triplets(loaded),
            first=schedule.first,
            step=step,
            reason=first_line(error),
        )
    return EMPTY
