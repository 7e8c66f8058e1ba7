"""Text that the user sees: an English message with named values, translated when it is shown.

    tr("{count} of {total} tiles are empty", count=3, total=8)

A `Text` is data. It can be made in a worker, stored in the history and shown in any language later: `str(text)` looks
the message up in the catalogue of the current language (`core.language`) and puts the values in. Messages are literals,
so that `make messages` finds them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter
from typing import TYPE_CHECKING, Any, TypeAlias

from core import language, outside

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

Value: TypeAlias = "str | int | float | Text"

_MAX_VALUE = 400
_MAX_LISTED = 60
_MAX_SHOWN = 1_000_000
_MAX_NUMBER = 5_000
_FORMAT = re.compile(r"[^\d{}]{0,4}\d{0,2}[,_]?(\.\d{1,2})?[a-zA-Z%]?")
_VERBATIM = "{text}"


@dataclass(frozen=True)
class Text:
    """One message. Make it with `tr`, `tr_plural`, `tr_in` or, for what is not translated, `verbatim`.

    `message` is the English sentence with `{name}` for each of `values`, which may themselves be texts. `plural` is
    the form for any `count` but one. `context` tells apart what English does not ("block" of a mask, of a network).
    """

    message: str
    values: tuple[tuple[str, Value], ...] = ()
    plural: str = ""
    count: int = 0
    context: str = ""

    def __str__(self) -> str:
        return self.in_language(language.current())

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __bool__(self) -> bool:
        return bool(self.message)

    def in_language(self, code: str) -> str:
        """The text in that language; in English where it has no translation."""
        catalogue = language.catalogue(code)
        if not self.message:
            return ""
        if self.plural:
            translated = catalogue.ngettext(self.message, self.plural, self.count)
        elif self.context:
            translated = catalogue.pgettext(self.context, self.message)
        else:
            translated = catalogue.gettext(self.message)
        if not self.values:
            return translated
        is_whole = self.message == _VERBATIM
        values = {
            name: value.in_language(code) if isinstance(value, Text) else _shown(value, is_whole)
            for name, value in self.values
        }
        try:
            return translated.format_map(values)
        except (LookupError, ValueError, AttributeError, TypeError):  # a catalogue that does not fit the program
            return self._english.format_map(values) if translated != self._english else translated

    def plain(self) -> Any:
        """The text as JSON values: the message alone where that is all there is."""
        if not (self.values or self.plural or self.context):
            return self.message
        tree: dict[str, Any] = {"message": self.message}
        if self.values:
            tree["values"] = {name: _plain_value(value) for name, value in self.values}
        if self.plural:
            tree |= {"plural": self.plural, "count": self.count}
        if self.context:
            tree["context"] = self.context
        return tree

    @classmethod
    def of(cls, tree: Any) -> Text:
        """The inverse of `plain`; a string is a text without values. Raises ValueError for anything else, and for a
        text that a few bytes would make longer than memory."""
        if isinstance(tree, Text):
            return tree
        if isinstance(tree, str):
            return cls(tree)
        if not isinstance(tree, Mapping) or not isinstance(tree.get("message"), str):
            raise ValueError("not a text")
        named = tree.get("values", {})
        plural, count, context = tree.get("plural", ""), tree.get("count", 0), tree.get("context", "")
        if not isinstance(named, Mapping) or not (isinstance(plural, str) and isinstance(context, str)):
            raise ValueError("not a text")
        if not isinstance(count, int):
            raise ValueError("the count of a text must be a whole number")
        text = cls(tree["message"], tuple((str(k), _value_of(v)) for k, v in named.items()), plural, count, context)
        if text.values and _most_characters(text) > _MAX_SHOWN:
            raise ValueError("a text longer than any page")
        return text

    @property
    def _english(self) -> str:
        return self.plural if self.plural and self.count != 1 else self.message

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls.of)


EMPTY = Text("")


def tr(message: str, /, **values: Value) -> Text:
    """A message to translate, with its named values."""
    return Text(message, tuple(values.items()))


def tr_plural(message: str, plural: str, /, *, count: int, **values: Value) -> Text:
    """A message that depends on a count, which is also its value `{count}`."""
    return Text(message, (("count", count), *values.items()), plural, count)


def tr_in(context: str, message: str, /, **values: Value) -> Text:
    """A message whose translation depends on where it stands."""
    return Text(message, tuple(values.items()), context=context)


def verbatim(text: object) -> Text:
    """What is the same in every language: a name, a formula, what a compiler or another program said."""
    return Text(_VERBATIM, (("text", str(text)),))


def quoted(word: object) -> Text:
    """A name that the user gave or a token of a text, in the quotation marks of the language."""
    return tr("'{word}'", word=repr(str(word))[1:-1])


def as_text(text: Text | str) -> Text:
    """The text itself; a string as it is."""
    return text if isinstance(text, Text) else verbatim(text) if text else EMPTY


def sentences(*texts: Text | str) -> Text:
    """Sentences one after another, spaced as the language does; empty ones are left out."""
    return _chained([as_text(text) for text in texts if text], "sentences")


def listed(texts: Iterable[Text | str]) -> Text:
    """The texts as a list in a sentence: 'a, b, c'. A long list is cut, with '…' at its end."""
    items = [as_text(_shown(text, is_whole=False)) for text in texts]  # type: ignore[arg-type]
    return _chained(items if len(items) <= _MAX_LISTED else [*items[:_MAX_LISTED], verbatim("…")], "list")


def _chained(texts: list[Text], kind: str) -> Text:
    if not texts:
        return EMPTY
    chained = texts[-1]
    for text in reversed(texts[:-1]):
        if kind == "list":
            chained = tr_in("list", "{first}, {rest}", first=text, rest=chained)
        else:
            chained = tr_in("sentences", "{first} {rest}", first=text, rest=chained)
    return chained


def _shown(value: Value, is_whole: bool) -> Value:
    """A value as it can be put into a sentence: without control characters and, unless it is the whole text, cut in the
    middle if it is long."""
    if not isinstance(value, str) or (len(value) <= _MAX_VALUE and value.isprintable()):
        return value
    return outside.cleaned(value if is_whole else outside.cut(value, _MAX_VALUE))


def _plain_value(value: Value) -> Any:
    if isinstance(value, Text):
        return {"text": value.plain()}
    return value if type(value) in (str, int, float, bool) else _scalar(value)


def _value_of(value: Any) -> Value:
    if isinstance(value, Mapping):
        return Text.of(value.get("text"))
    if not isinstance(value, str | int | float):
        raise ValueError("a value of a text must be a string, a number or a text")
    return value


def _most_characters(text: Text) -> int:
    """How long the text can get. Raises ValueError for a placeholder that is more than a name and a format."""
    values = dict(text.values)
    return max(
        len(message) + sum(uses * _most_of(values.get(name, "")) for name, uses in _placeholders(message).items())
        for message in (text.message, text.plural)
    )


def _most_of(value: Value) -> int:
    if isinstance(value, Text):
        return _most_characters(value)
    return len(value) if isinstance(value, str) else _MAX_NUMBER


@lru_cache(maxsize=4096)
def _placeholders(message: str) -> Mapping[str, int]:
    """How often each value is in a message."""
    try:
        parts = [
            (name, spec, conversion) for _, name, spec, conversion in Formatter().parse(message) if name is not None
        ]
    except ValueError:  # shown as it is
        return {}
    for name, spec, conversion in parts:
        if conversion or not name.isidentifier() or not _FORMAT.fullmatch(spec or ""):
            raise ValueError("a placeholder of a text is a name and a format")
    return Counter(name for name, _, _ in parts)


def _scalar(value: Any) -> str | int | float:
    """A numpy scalar or a member of a string enum as what JSON knows."""
    item = value.item() if hasattr(value, "item") else value
    for kind in (str, int, float):
        if isinstance(item, kind):
            return kind(item)
    raise TypeError(f"a text cannot hold {type(value).__name__}")
