"""A page as the step of a demo: what its user has set, picked and run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication

from core import language
from core.contracts.place import Place
from core.contracts.written import Written
from core.demos.demo import Step
from core.demos.pictures import NAMEABLE

if TYPE_CHECKING:
    from core.contracts.text import Text
    from gui.demos.staging import OpenPage
    from gui.page.page import Page


def captured(opened: OpenPage, caption: str = "") -> Step:
    """The state of a page as a step. Without a caption it has the question of the page, in every language."""
    page, topic = opened.page, opened.page.topic
    params, result = page.form.params, opened.controller.result
    values, defaults = params.model_dump(mode="json"), topic.params().model_dump(mode="json")
    nameable = NAMEABLE.get(topic.id)
    kinds = () if nameable is None else nameable.kinds
    alone = page.plots.maximised is not None
    return Step(
        place=Place(
            page=topic.id,
            set={name: value for name, value in values.items() if value != defaults[name]},
            card=_card(page),
            select={kind: value for kind, value in page.selection.selection.items if kind in kinds},
        ),
        caption=as_caption(caption) if caption else _in_every_language(topic.question),
        run=result is not None and result.is_run_of(params),
        alone=alone,
    )


def as_caption(text: str) -> Written:
    """A text in the language that the window speaks."""
    code = language.current()
    return Written.of({code if code in language.LANGUAGES else language.ENGLISH: text})


def _card(page: Page) -> str:
    """The picture that fills the page or, without one, the picture that has the focus."""
    focused = QApplication.focusWidget()
    for key, card in page.cards.items():
        if card is page.plots.maximised or (focused is not None and card.isAncestorOf(focused)):
            return key
    return ""


def _in_every_language(text: Text) -> Written:
    return Written.of({code: text.in_language(code) for code in language.LANGUAGES})
