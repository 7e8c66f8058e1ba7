"""What all stages of a seed share: the pretrained model, its world, the examples, and where files go. Workers only."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from core.contracts.errors import InvalidParams
from core.contracts.text import EMPTY, Text, tr
from core.files import reason_of
from core.language_model.world import World
from core.topics.training.folders import stage_folder
from core.topics.training.params import TrainingParams
from core.topics.training.settings import Settings, settings_of
from core.topics.training.stages.answers import Reader
from core.topics.training.stages.checkpoints import delete_files
from core.topics.training.stages.configs import SftConfig
from core.topics.training.stages.folder_lock import only_writer
from core.topics.training.stages.instructions import InstructionData, instruction_data

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_OWN_BYTES = 1 << 30
"""What the stages of other configurations may take up in the folder of the user's data."""

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Setting:
    """`base` is the pretrained model. `keeps` says whether files are written."""

    params: TrainingParams
    seed: int
    settings: Settings
    base: Any
    tokenizer: PreTrainedTokenizerBase
    world: World
    reader: Reader
    data: InstructionData
    keeps: bool

    @classmethod
    def of(
        cls, params: TrainingParams, seed: int, base: Any, tokenizer: PreTrainedTokenizerBase, world: World, keeps: bool
    ) -> Setting:
        settings = settings_of(params, seed)
        data = instruction_data(world, settings.sft)
        return cls(params, seed, settings, base, tokenizer, world, Reader(world), data, keeps)

    def with_seed(self, seed: int) -> Setting:
        """The same model and world with the examples and settings of another seed."""
        return Setting.of(self.params, seed, self.base, self.tokenizer, self.world, self.keeps)

    def with_new_facts(self, count: int) -> Setting:
        """The same with as many facts in SFT that pretraining never stated."""
        return self.with_examples(replace(self.settings.sft, new_facts=count))

    def with_examples(self, config: SftConfig) -> Setting:
        """The same with other examples for SFT."""
        return replace(self, settings=replace(self.settings, sft=config), data=instruction_data(self.world, config))

    def folder(self, stage: str, name: str = "") -> Path | None:
        """Where the files of a stage, or of an experiment with its settings, go."""
        return stage_folder(self.params, stage, self.seed, name) if self.keeps else None


def prepared_folder(params: TrainingParams) -> Text:
    """Make the folder of the stages. Returns why nothing can be kept there, '' if it can.

    Raises InvalidParams if the user named a folder that cannot be used; without one, a run keeps nothing instead.
    """
    root = stage_folder(params, "sft", params.seed).parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not params.folder.strip():
            _prune(root)
    except OSError as error:
        text = tr(
            "{folder} cannot be used for the stages ({reason}): choose another folder.",
            folder=str(root),
            reason=reason_of(error),
        )
        if params.folder.strip():
            raise InvalidParams(text, "folder") from error
        return tr("Nothing is kept of this run: {folder} cannot be used ({reason}).", folder=str(root),
                  reason=reason_of(error))  # fmt: skip
    return EMPTY


def continued(make: Any, folder: Path | None, params: TrainingParams) -> Generator[Item, None, Value]:
    """The generator that `make(folder)` gives: it continues from the checkpoint in the folder, and alone writes there.

    A checkpoint of another configuration in the user's folder is refused with InvalidParams for `folder`. In the folder
    of the user's data only a stage of another version of the program can be in its place: it is deleted.
    """
    with only_writer(folder):
        return (yield from _continued(make, folder, params))


def _continued(make: Any, folder: Path | None, params: TrainingParams) -> Generator[Item, None, Value]:
    steps = make(folder)
    try:
        try:
            item = next(steps)
        except InvalidParams as error:
            if params.folder.strip() or folder is None:
                raise InvalidParams(error.text, "folder") from error
            delete_files(folder)
            steps = make(folder)
            item = next(steps)
        while True:
            yield item
            item = next(steps)
    except StopIteration as end:
        value: Value = end.value
        return value
    finally:
        steps.close()


def _prune(root: Path) -> None:
    """Delete the stages that were used longest ago, beyond MAX_OWN_BYTES."""
    with suppress(OSError):
        folders = [folder for folder in root.iterdir() if folder.is_dir()]
        total = 0
        for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True):
            total += sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
            if total > MAX_OWN_BYTES:
                shutil.rmtree(folder, ignore_errors=True)
