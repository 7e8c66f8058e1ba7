"""Every page with parameters and a result that shows most of it, made without a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication

from core import language
from core.contracts.params import Params
from core.contracts.result import Result
from core.topics.attention_heads.params import AttentionHeadsParams
from core.topics.compare.params import CompareParams
from core.topics.decoder.params import DecoderParams
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.lora.params import LoraParams
from core.topics.masks.params import MasksParams
from core.topics.quantization.params import QuantizationParams
from core.topics.training.params import TrainingParams
from gui import translation
from gui.page.engine_bridge import EngineBridge
from gui.pages.training.token_flow import visible
from gui.window.main_window import MainWindow
from gui.window.open_page import OpenPage
from gui.window.qt_texts import QtLanguage
from gui.window.settings import Settings
from tests.gui.doubles import FakeEngine
from tests.gui.latest_work import join_latest_work
from tests.gui.pages.attention_heads.heads_result import heads_result
from tests.gui.pages.compare.compare_result import compare_result
from tests.gui.pages.decoder.decoder_result import decoder_result
from tests.gui.pages.dialogue.dialogue_result import TALK, dialogue_params, dialogue_result
from tests.gui.pages.fine_tuning.fine_tuning_result import run_of
from tests.gui.pages.flash_attention.flash_result import flash_result
from tests.gui.pages.kernel_lab.lab_result import SOURCE, lab_result
from tests.gui.pages.lora.lora_result import lora_result
from tests.gui.pages.masks.masks_result import mask_result
from tests.gui.pages.quantization.quantization_result import checkpoint_result
from tests.gui.pages.training.training_result import training_result
from tests.gui.text_walk import settle_layouts

Made = tuple[Params, Result]


def _attention(_: Path) -> Made:
    params = FlashAttentionParams(seq_len=256, heads=2, kv_heads=2, head_dim=32)
    return params, flash_result(params, gpu=True)


def _heads(_: Path) -> Made:
    params = AttentionHeadsParams()
    return params, heads_result(params, gpu=True)


def _masks(_: Path) -> Made:
    params = MasksParams()
    return params, mask_result(params)


def _training(_: Path) -> Made:
    params = TrainingParams()
    return params, training_result(params)


def _decoder(_: Path) -> Made:
    params = DecoderParams(source="a b c", target="c b a", padding=1, perturb="target", position=2)
    return params, decoder_result(params)


def _lora(_: Path) -> Made:
    params = LoraParams(steps=60, tinit=10, tfinal=20, delta_t=5, held_out_every=10)
    return params, lora_result(params, gpu=True)


def _fine_tuning(_: Path) -> Made:
    params = FineTuningParams()
    return params, run_of(params)


def _quantization(_: Path) -> Made:
    params = QuantizationParams(blocks=64)
    return params, checkpoint_result(params)


def _compare(_: Path) -> Made:
    params = CompareParams()
    return params, compare_result(params)


def _kernel_lab(folder: Path) -> Made:
    path = folder / "copy.py"
    path.write_text(SOURCE)
    result = lab_result(path)
    return result.params.changed(file=str(path)), result


def _dialogue(folder: Path) -> Made:
    path = folder / "talks.jsonl"
    path.write_text(json.dumps({"messages": TALK}) + "\n")
    params = dialogue_params(data=str(path), experiments="all")
    return params, dialogue_result(params, data=str(path))


EXAMPLES: dict[str, Callable[[Path], Made]] = {
    "flash-attention": _attention,
    "attention-heads": _heads,
    "masks": _masks,
    "decoder": _decoder,
    "lora": _lora,
    "fine-tuning": _fine_tuning,
    "training": _training,
    "dialogue": _dialogue,
    "quantization": _quantization,
    "compare": _compare,
    "kernel-lab": _kernel_lab,
}
"""By topic id: what to show, given a folder for files."""


@dataclass
class Example:
    """The window with one page open, and a result for it."""

    window: MainWindow
    opened: OpenPage
    result: Result

    @property
    def names(self) -> set[str]:
        """The ids, and the words of the user's and of the model, that are the same in every language."""
        topic, result = self.opened.page.topic, self.result
        names = {topic.id, result.environment.device, *result.metrics, *(claim.id for claim in topic.claims)}
        for sample in getattr(result, "samples", ()):  # what the model was asked, and what it answered
            names |= {sample.row, sample.expected, *sample.answers.values(), getattr(sample, "before", None) or ""}
        for prompt in getattr(result, "answers", ()):
            names |= {prompt.prompt, prompt.expected, *prompt.answers.values()}
        for run in getattr(result, "stages", {}).values():
            names |= {*run.curves.metrics, *(visible(token) for each in run.samples for token in each.view.tokens)}
        names |= {str(spec.default) for spec in topic.params.specs() if spec.kind is str}
        names |= {str(value) for value in result.params_json.values() if isinstance(value, str)}
        names |= {function.name for function in getattr(self.opened.page.state.plan, "candidates", ())}
        return names - {""}

    @property
    def tokens(self) -> set[str]:
        """The words of the text over which a mask is drawn."""
        positions = getattr(self.opened.page.state.plan, "positions", None)
        return set() if positions is None else {*positions.query_labels, *positions.key_labels}

    def show_result(self) -> None:
        self.opened.controller.show_result(self.result)
        self.settle()

    def settle(self) -> None:
        """Let everything be drawn that is drawn on other threads, and nested layouts come to rest."""
        QCoreApplication.processEvents()
        while self.opened.controller.planning or self.opened.page.drawing:
            QCoreApplication.processEvents()
        join_latest_work()
        settle_layouts()


@contextmanager
def open_example(
    topic_id: str, settings: Settings, folder: Path, qtbot: Any, size: tuple[int, int] = (1280, 720)
) -> Iterator[Example]:
    """The window of that size with the page, planned and not yet run."""
    qt_language = QtLanguage()
    bridge = EngineBridge(FakeEngine)
    window = MainWindow(bridge, settings)
    window.status._memory_bytes = lambda: 0  # a measured number differs from one look to the next
    qtbot.addWidget(window)
    window.resize(*size)
    window.show()
    window.equip()
    opened = window.open_page(topic_id)
    assert opened is not None
    params, result = EXAMPLES[topic_id](folder)
    opened.page.form.set_params(params)
    opened.controller.show_plan()
    example = Example(window, opened, result)
    example.settle()
    yield example
    join_latest_work()
    window.close()
    bridge.close()
    translation.use(language.ENGLISH)
    qt_language.deleteLater()
