"""A compiled gettext catalogue (.mo), whose messages are decoded when they are asked for.

`gettext.GNUTranslations` decodes all of them when it opens the file: a tenth of the time until the window is seen.
Format: https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html
"""

from __future__ import annotations

import gettext
import re
import struct
from collections.abc import Callable

_LITTLE_ENDIAN = 0x950412DE
_CONTEXT_END, _FORM_END = b"\x04", b"\x00"
_PLURAL = re.compile(rb"plural\s*=([^;\n]+)")
_ONE_FORM = "0"


class MessageFile(gettext.NullTranslations):
    """The translations in the contents of a file. Raises ValueError where they are no catalogue; a message that cannot
    be decoded is not translated."""

    def __init__(self, contents: bytes) -> None:
        super().__init__()
        self._contents = contents
        try:
            self._places = _places_of(contents)
        except struct.error as error:
            raise ValueError("It is no catalogue.") from error
        declared = _PLURAL.search(self._translation(b"") or b"")
        rule = declared.group(1).decode("ascii") if declared else _ONE_FORM
        self._form_of: Callable[[int], int] = gettext.c2py(rule)

    def gettext(self, message: str) -> str:
        return self._found(message.encode(), 0) or message

    def pgettext(self, context: str, message: str) -> str:
        return self._found(context.encode() + _CONTEXT_END + message.encode(), 0) or message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        found = self._found(msgid1.encode() + _FORM_END + msgid2.encode(), self._form_of(n))
        return found or (msgid1 if n == 1 else msgid2)

    def _found(self, key: bytes, form: int) -> str:
        """'' where there is none."""
        forms = (self._translation(key) or b"").split(_FORM_END)
        try:
            return forms[form].decode() if form < len(forms) else ""
        except UnicodeDecodeError:
            return ""

    def _translation(self, key: bytes) -> bytes | None:
        place = self._places.get(key)
        return None if place is None else self._contents[place[1] : place[1] + place[0]]


def _places_of(contents: bytes) -> dict[bytes, tuple[int, int]]:
    """Length and offset of each translation, by message."""
    magic, _version, count, messages_at, translations_at = struct.unpack_from("<5I", contents)
    if magic != _LITTLE_ENDIAN:
        raise ValueError("It is no catalogue.")
    pairs = struct.Struct(f"<{2 * count}I")
    messages, translations = pairs.unpack_from(contents, messages_at), pairs.unpack_from(contents, translations_at)
    keys = (contents[at : at + size] for size, at in zip(messages[::2], messages[1::2], strict=True))
    return dict(zip(keys, zip(translations[::2], translations[1::2], strict=True), strict=True))
