from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import qInstallMessageHandler, qWarning

from gui.window.qt_messages import size_hint_warnings_dropped

SIZE_HINTS = "This plugin does not support propagateSizeHints()"


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """The messages that the previously installed handler receives."""
    messages: list[str] = []
    before = qInstallMessageHandler(lambda _kind, _context, message: messages.append(message))
    yield messages
    qInstallMessageHandler(before)


def test_that_only_the_size_hint_warning_is_dropped_and_only_inside(heard: list[str]) -> None:
    with size_hint_warnings_dropped():
        qWarning(SIZE_HINTS)
        qWarning("something else")
    qWarning(SIZE_HINTS)
    assert heard == ["something else", SIZE_HINTS]


def test_that_other_messages_reach_stderr_where_nobody_listens(
    heard: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    qInstallMessageHandler(None)
    with size_hint_warnings_dropped():
        qWarning(SIZE_HINTS)
        qWarning("something else")
    assert capsys.readouterr().err == "something else\n"
    assert heard == []
