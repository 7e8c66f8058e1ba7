"""The language that the program speaks, and the gettext catalogues behind it.

English is the language of the source: it needs no catalogue. Every other language is a folder of `resources/locale`,
which `make messages` brings up to date (see CONTRIBUTING.md).
"""

from __future__ import annotations

import gettext
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from core.message_file import MessageFile

LOCALE = Path(__file__).resolve().parents[1] / "resources" / "locale"
DOMAIN = "tilescope"
ENGLISH = "en"
CHINESE = "zh"
LANGUAGES: Mapping[str, str] = {ENGLISH: "English", CHINESE: "中文"}
"""Language code to its name in that language, as menus and `--lang` offer them."""
PSEUDO = "xx"
"""English with marks, a third longer: shows texts that bypass the catalogue, and layouts without room. For tests."""

_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
_PLACEHOLDER = re.compile(r"(\{[^{}]*\}|&)")
_current = ENGLISH


def current() -> str:
    """The code of the language that texts are shown in."""
    return _current


def use(code: str) -> None:
    """Show texts in that language from now on. Raises ValueError for one that does not exist."""
    global _current
    if code not in LANGUAGES and code != PSEUDO:
        raise ValueError(f"{code!r} is not one of {', '.join(LANGUAGES)}")
    _current = code


def following() -> str:
    """The language after the current one: what a switch goes to."""
    codes = list(LANGUAGES)
    return codes[(codes.index(current()) + 1) % len(codes)] if current() in codes else ENGLISH


@contextmanager
def using(code: str) -> Iterator[None]:
    """Within the block, texts are shown in that language."""
    before = current()
    use(code)
    try:
        yield
    finally:
        use(before)


def of_system() -> str:
    """The system's language where the program speaks it, else English.

    The variables are those of gettext, in its order; on systems without them the locale of the user decides.
    """
    for variable in _VARIABLES:
        for name in os.environ.get(variable, "").split(":"):
            if name:
                return _supported(name)
    import locale

    return _supported(locale.getlocale()[0] or "")


@cache
def catalogue(code: str) -> gettext.NullTranslations:
    """The translations into that language; English, and a catalogue that cannot be read, give messages as they are."""
    if code == PSEUDO:
        return _Pseudo()
    try:
        return MessageFile((LOCALE / code / "LC_MESSAGES" / f"{DOMAIN}.mo").read_bytes())
    except (OSError, ValueError):
        return gettext.NullTranslations()


class _Pseudo(gettext.NullTranslations):
    """Each message in brackets, with vowels accented and a third longer."""

    def gettext(self, message: str) -> str:
        parts = _PLACEHOLDER.split(message)
        if not any(letter.isalpha() for letter in "".join(parts[::2])):
            return message
        marked = "".join(part if _PLACEHOLDER.fullmatch(part) else part.translate(_ACCENTS) for part in parts)
        return f"[{marked}{'~' * -(-max(0, len(message) - 4) // 3)}]"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:
        return self.gettext(message)


_ACCENTS = str.maketrans("aeiouAEIOU", "àéîöûÀÉÎÖÛ")


def _supported(name: str) -> str:
    """The language of a locale's name, such as 'zh_CN.UTF-8' or 'Chinese (Simplified)_China'."""
    code = re.split(r"[_.@-]", name.lower())[0]
    if code.startswith("chinese"):
        return CHINESE
    return code if code in LANGUAGES else ENGLISH
