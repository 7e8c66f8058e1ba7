"""The conversion study of a run: of the small model, or of the user's folder, with live partial results."""

from __future__ import annotations

from collections.abc import Generator

from core.contracts.events import Progress
from core.engine.phases import phase
from core.topics.attention_heads.conversion_result import ConversionStudy
from core.topics.attention_heads.experiment.conversion.study import study
from core.topics.attention_heads.experiment.conversion.texts import folder_source, small_model_source
from core.topics.attention_heads.experiment.conversion.tuning import Tuning
from core.topics.attention_heads.params import AttentionHeadsParams

_OPENED = 0.25


def convert(
    params: AttentionHeadsParams, start: float, end: float
) -> Generator[Progress | ConversionStudy, None, ConversionStudy]:
    """All conversions, as the part from `start` to `end` of the run. Raises InvalidParams for a folder or text that
    cannot be used."""
    opened = start + _OPENED * (end - start)
    folder, tuning = params.model_folder.strip(), Tuning(steps=params.tuning_steps)
    if folder:
        source = yield from phase(
            start,
            opened,
            lambda progress: folder_source(
                folder,
                params.text_file.strip(),
                progress=progress,
                tuned=bool(tuning.steps),
                fields=("model_folder", "text_file"),
            ),
        )
    else:
        source = yield from phase(start, opened, small_model_source)
    steps = study(source, tuning=tuning, seed=params.seed, field="model_folder" if folder else None)
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            outcome: ConversionStudy = stop.value
            return outcome
        if isinstance(step, Progress):
            yield Progress(opened + (end - opened) * step.done / step.total, 1.0, step.phase)
        else:
            yield step
