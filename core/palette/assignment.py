"""Parameters that are set by typing: `seq_len 4096`, `seq_len=4096`, `Sequence length 4096`, `序列长度 4096`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core import language
from core.contracts.errors import InvalidParams, TilescopeError
from core.fuzzy import terms

if TYPE_CHECKING:
    from core.contracts.params import FieldSpec, Params, Scalar
    from core.contracts.text import Text
    from core.contracts.topic import Topic

_EXPLICIT = re.compile(r"\s*[=＝]\s*")
_SPACE = re.compile(r"\s*[:：]\s*|\s+")
_NUMBER = re.compile(r"[+-]?\.?\d")
_ENDS_IN_HAN = re.compile(r"[\u3400-\u9fff]$")
_YES, _NO = ("true", "on", "yes", "1", "开", "是"), ("false", "off", "no", "0", "关", "否")
_LAST_WORD = re.compile(
    r"(?P<name>.+?)(?P<between>\s*[=＝:：]\s*|\s+|(?<=[\u3400-\u9fff])(?=[+-]?\.?\d))(?P<value>[^\s=＝]+)$"
)
_SHORTEST_NAME = 2


@dataclass(frozen=True)
class Assignment:
    """A parameter with the value that was typed.

    `params` are those of the page with that value, None where it cannot be used; `problem` says why in one sentence.
    """

    topic: Topic
    spec: FieldSpec
    value: Scalar
    params: Params | None
    problem: Text | None = None


@dataclass(frozen=True)
class _Typed:
    name: str
    value: str
    is_explicit: bool


def assignments(query: str, topics: Sequence[Topic], params_of: Callable[[Topic], Params]) -> list[Assignment]:
    """What the query sets, on the first topic first; empty where it sets nothing.

    A name is that of `--set` or the label in any language; if there is none such, words that begin like those of a name
    do, too, before a value that can be used. `params_of` are the parameters that a page has now. A value that begins as
    several choices do gives one assignment each. A value that cannot be used on the first topic gives that
    assignment alone, with its problem, unless the query rather is a sentence to search for.
    """
    query = query.lstrip()
    found = [each for topic in topics for each in _in_topic(query, topic, params_of, _by_name)]
    if found:
        on_first = [each for each in found if each.topic is topics[0]]
        usable = [each for each in found if each.params is not None]
        if on_first and not any(each in usable for each in on_first):
            return on_first[:1]
        return usable or found[:1]
    guessed = (each for topic in topics for each in _in_topic(query, topic, params_of, _by_words))
    return [each for each in guessed if each.params is not None]


def name_in(query: str) -> str:
    """What stands before `=`, '' where there is none: the name of a parameter, if there is such a one."""
    match = _EXPLICIT.search(query)
    return query[: match.start()].strip() if match else ""


def _in_topic(
    query: str,
    topic: Topic,
    params_of: Callable[[Topic], Params],
    typed_in: Callable[[str, FieldSpec], _Typed | None],
) -> Iterator[Assignment]:
    for spec in topic.params.specs():
        typed = typed_in(query, spec)
        if typed is None:
            continue
        for value in _values(spec, typed):
            assigned = _assigned(topic, spec, value, params_of)
            if assigned.params is not None or typed.is_explicit or " " not in typed.value:
                yield assigned


def _by_name(query: str, spec: FieldSpec) -> _Typed | None:
    names = {spec.name, *(spec.label.in_language(code) for code in language.LANGUAGES)}
    for name in sorted(names, key=len, reverse=True):
        if query.lower().startswith(name.lower()):
            rest = query[len(name) :]
            if (explicit := _EXPLICIT.match(rest)) is not None:
                return _Typed(name, rest[explicit.end() :].strip(), is_explicit=True)
            if (space := _SPACE.match(rest)) is not None:
                return _Typed(name, rest[space.end() :].strip(), is_explicit=False)
            if _ENDS_IN_HAN.search(name) and _NUMBER.match(rest):
                return _Typed(name, rest.strip(), is_explicit=False)
    return None


def _by_words(query: str, spec: FieldSpec) -> _Typed | None:
    """The value is the last word, and the words before it are beginnings of words of the parameter's name or label."""
    match = _LAST_WORD.match(query)
    if match is None:
        return None
    words = terms(match["name"])
    names = [spec.name, *(spec.label.in_language(code) for code in language.LANGUAGES)]
    if len(match["name"].strip()) < _SHORTEST_NAME or not any(_begin(words, terms(name)) for name in names):
        return None
    return _Typed(spec.name, match["value"], is_explicit=_EXPLICIT.fullmatch(match["between"]) is not None)


def _begin(words: Sequence[str], name: Sequence[str]) -> bool:
    def fits(word: str, part: str) -> bool:
        return word in part if _ENDS_IN_HAN.search(word) else part.startswith(word)

    return bool(words) and all(any(fits(word, part) for part in name) for word in words)


def _values(spec: FieldSpec, typed: _Typed) -> list[Scalar]:
    """The values that the text may stand for: all that begin like it where there is a choice."""
    text = typed.value
    if spec.choices:
        return _chosen(spec, text)
    if spec.kind is bool:
        return _switched(text)
    if not text:
        return []
    if spec.kind is str:
        names_a_file = bool(spec.file_filter) and re.search(r"[./\\]", text) is not None
        return [text.strip("'\"")] if typed.is_explicit or names_a_file else []
    return [re.sub(r"(?<=\d)[,_](?=\d{3})", "", text)]


def _chosen(spec: FieldSpec, text: str) -> list[Scalar]:
    names = {
        choice: {
            str(choice).lower(),
            *(spec.choice_label(choice).in_language(each).lower() for each in language.LANGUAGES),
        }
        for choice in spec.choices
    }
    exact = [choice for choice, called in names.items() if text.lower() in called]
    beginning = [choice for choice, called in names.items() if any(each.startswith(text.lower()) for each in called)]
    return exact or beginning or [text]


def _switched(text: str) -> list[Scalar]:
    on = any(word.startswith(text.lower()) for word in _YES)
    off = any(word.startswith(text.lower()) for word in _NO)
    return [value for value, fits in ((True, on), (False, off)) if fits] or [text]


def _assigned(topic: Topic, spec: FieldSpec, value: Scalar, params_of: Callable[[Topic], Params]) -> Assignment:
    try:
        changed = params_of(topic).changed(**{spec.name: value})
    except (InvalidParams, TilescopeError) as error:
        return Assignment(topic, spec, value, None, error.text)
    return Assignment(topic, spec, getattr(changed, spec.name), changed)
