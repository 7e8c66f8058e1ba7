"""Larger texts fit: in a window that is as much larger, nothing is cut and nothing overlaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from core import language
from core.contracts.registry import TOPICS
from gui import theme, translation
from gui.window.settings import Settings
from tests.gui.example_pages import open_example
from tests.gui.layout_faults import faults_of
from tests.gui.text_walk import pictures_of

SIZES = {1.25: (1600, 900), 1.5: (1920, 1080)}
"""By factor, what 1280 x 720 is at 100 %."""


@pytest.mark.parametrize(("topic_id", "factor"), [*((topic_id, 1.5) for topic_id in TOPICS), ("flash-attention", 1.25)])
def test_that_no_text_is_cut_and_nothing_overlaps_in_a_larger_size(
    topic_id: str, factor: float, settings: Settings, tmp_path: Path, qapp: QApplication, qtbot: Any
) -> None:
    theme.set_zoom(qapp, factor)
    faults = set()
    with open_example(topic_id, settings, tmp_path, qtbot, SIZES[factor]) as example:
        example.show_result()
        for code in language.LANGUAGES:
            translation.use(code)
            example.settle()
            parts = (*pictures_of(example.window.body), example.window.menuBar(), example.window.statusBar())
            faults.update(f"{code}: {fault}" for part in parts for fault in faults_of(part))
    if faults:
        pytest.fail("\n".join(sorted(faults)), pytrace=False)
