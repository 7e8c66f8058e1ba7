"""Compiled catalogues are read as Python's gettext reads them."""

from __future__ import annotations

import gettext

import pytest

from core import language
from core.message_file import MessageFile

CHINESE = language.LOCALE / "zh" / "LC_MESSAGES" / "tilescope.mo"


@pytest.fixture(scope="module")
def witness() -> gettext.GNUTranslations:
    with CHINESE.open("rb") as file:
        return gettext.GNUTranslations(file)


def test_that_every_message_is_translated_as_gettext_does(witness: gettext.GNUTranslations) -> None:
    messages = MessageFile(CHINESE.read_bytes())
    known = witness._catalog  # type: ignore[attr-defined]
    single = [key for key in known if isinstance(key, str) and key and "\x04" not in key]
    assert len(single) > 1000
    assert [messages.gettext(key) for key in single] == [witness.gettext(key) for key in single]
    in_context = [key.split("\x04") for key in known if isinstance(key, str) and "\x04" in key]
    assert in_context
    assert [messages.pgettext(*key) for key in in_context] == [witness.pgettext(*key) for key in in_context]


def test_that_plurals_are_translated_as_gettext_does(witness: gettext.GNUTranslations) -> None:
    messages = MessageFile(CHINESE.read_bytes())
    for count in (0, 1, 2, 11):
        forms = ("{count} question", "{count} questions", count)
        assert messages.ngettext(*forms) == witness.ngettext(*forms) != forms[1]


def test_that_a_message_without_translation_stays_as_it_is() -> None:
    messages = MessageFile(CHINESE.read_bytes())
    assert messages.gettext("no such message") == "no such message"
    assert messages.pgettext("nowhere", "no such message") == "no such message"
    assert [messages.ngettext("one", "many", count) for count in (1, 2)] == ["one", "many"]


@pytest.mark.parametrize("size", [0, 10, 100, 5000])
def test_that_what_is_cut_off_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="no catalogue"):
        MessageFile(CHINESE.read_bytes()[:size])


def test_that_what_is_no_catalogue_is_refused() -> None:
    with pytest.raises(ValueError, match="no catalogue"):
        MessageFile(b"\x00" * 100)
