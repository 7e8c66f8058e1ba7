"""Texts on widgets that follow the language.

`show_text(label.setText, tr("Run"))` shows the text now and again whenever the language changes. What is painted, or
derived from a page's state, is drawn anew instead: a page redraws itself on `notifier().changed`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import Qt  # with mightBeRichText, which QtCore lacks
from PySide6.QtWidgets import QLabel

from core import language
from core.contracts.text import Text
from core.outside import TIP_LIMIT, shown_label

_ATTRIBUTE = "_shown_texts"
_TIPS = ("setToolTip", "setTabToolTip", "setItemToolTip")


class Notifier(QObject):
    """`changed` carries the code of the new language."""

    changed = Signal(str)


@cache
def notifier() -> Notifier:
    return Notifier()


def use(code: str) -> None:
    """Speak that language from now on, and tell every view. Raises ValueError for one that does not exist."""
    language.use(code)
    notifier().changed.emit(code)


def show_text(setter: Callable[..., object], *arguments: Any) -> None:
    """Call `setter(*arguments)`, a bound method of a QObject whose last argument is the text, and follow the language.

    Another call of the same setter, with the same arguments before the text (such as the index of a tab), replaces
    this one. A plain string follows nothing. A text may name what came from outside, so it is cleaned, and cut where it
    is longer than any label.
    """
    owner: QObject = setter.__self__  # type: ignore[attr-defined]
    *leading, text = arguments
    key = (setter.__name__, *leading)
    texts: _ShownTexts | None = getattr(owner, _ATTRIBUTE, None)
    if isinstance(text, Text):
        if texts is None:
            texts = _ShownTexts(owner)
            setattr(owner, _ATTRIBUTE, texts)
        texts.by_setter[key] = text
    elif texts is not None:
        texts.by_setter.pop(key, None)
    _show(setter, leading, text)


def plain_tip(text: str) -> str:
    """A tooltip that shows the text as it is. Qt would take a name such as '<module>' for HTML, and show nothing."""
    if not Qt.mightBeRichText(text):
        return text
    from html import escape

    return f'<p style="white-space: pre-wrap">{escape(text)}</p>'


def _show(setter: Callable[..., object], leading: Any, text: object) -> None:
    owner = setter.__self__  # type: ignore[attr-defined]
    shown = shown_label(str(text), TIP_LIMIT)
    if setter.__name__ in _TIPS:
        shown = plain_tip(shown)
    elif isinstance(owner, QLabel) and owner.textFormat() is Qt.TextFormat.AutoText:
        owner.setTextFormat(Qt.TextFormat.PlainText)
    setter(*leading, shown)


class _ShownTexts(QObject):
    """The texts that one object shows; a child of it, so that it lives as long as the object does."""

    def __init__(self, owner: QObject) -> None:
        super().__init__(owner)
        self.by_setter: dict[tuple[Any, ...], Text] = {}
        notifier().changed.connect(self._show)

    def _show(self) -> None:
        owner = self.parent()
        for (name, *leading), text in self.by_setter.items():
            _show(getattr(owner, name), leading, text)
