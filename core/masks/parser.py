"""From text to a mask: `causal & (window(1024) | prefix(4)) & ~padding`.

    expression := both ("|" both)*          "or" may be written for "|"
    both       := single ("&" single)*      "and" for "&"
    single     := "~" single | "(" expression ")" | name | name "(" number ")"      "not" and "!" for "~"

`~` binds tightest, then `&`, then `|`. Parentheses always form a group, so `str` of a parsed mask parses to the same
tree. Names are not case-sensitive.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, listed, tr
from core.masks.nodes import COUNTED_TERMS, MAX_COUNT, PLAIN_TERMS, SYNONYMS, And, Mask, Not, Or

_TOKEN = re.compile(r"\s*(?:(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[&|~!()]))")
_SIGNS = {"and": "&", "or": "|", "not": "~", "!": "~"}
_MAX_DEPTH = 50
_MAX_TERMS = 64


class MaskSyntaxError(TilescopeError):
    """An expression that cannot be read. `position` counts characters from 0, within or just after the text."""

    def __init__(self, text: Text | str, position: int) -> None:
        super().__init__(text)
        self.position = position

    def __reduce__(self) -> tuple[type[MaskSyntaxError], tuple[Text, int]]:
        return (MaskSyntaxError, (self.text, self.position))


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int


@lru_cache(maxsize=32)
def parse(text: str) -> Mask:
    """The mask written in `text`. Raises MaskSyntaxError: one sentence with the position of the error (from 1).

    For each key that the user types, the form, the plan and the page read the same expression.
    """
    if not text.strip():
        raise _error(tr("The expression is empty: write a term such as causal, window(1024) or ~padding"), 0)
    reader = _Reader(_tokens(text))
    mask = reader.either()
    if reader.next.kind != "end":
        raise _unexpected(reader.next, tr("an operator (&, |) or the end"))
    return mask


class _Reader:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._index = 0
        self._depth = 0
        self._terms = 0

    @property
    def next(self) -> _Token:
        return self._tokens[self._index]

    def take(self) -> _Token:
        token = self.next
        self._index += 1
        return token

    def takes(self, sign: str) -> bool:
        matches = self.next.kind == "sign" and self.next.text == sign
        self._index += matches
        return matches

    def either(self) -> Mask:
        terms = [self.both()]
        while self.takes("|"):
            terms.append(self.both())
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def both(self) -> Mask:
        terms = [self.single()]
        while self.takes("&"):
            terms.append(self.single())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def single(self) -> Mask:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _error(
                tr("The expression is nested over {limit} levels deep: simplify it", limit=_MAX_DEPTH),
                self.next.position,
            )
        mask = self._negated_or_grouped()
        self._depth -= 1
        return mask

    def _negated_or_grouped(self) -> Mask:
        if self.takes("~"):
            return Not(self.single())
        opening = self.next
        if self.takes("("):
            inner = self.either()
            self._close(opening)
            return inner
        return self._term()

    def _term(self) -> Mask:
        token = self.take()
        if token.kind != "name":
            raise _unexpected(token, tr("a term such as causal, window(1024), ~ or ("))
        self._terms += 1
        if self._terms > _MAX_TERMS:
            raise _error(
                tr("The expression has more than {limit} terms: remove some", limit=_MAX_TERMS), token.position
            )
        name = SYNONYMS.get(token.text, token.text)
        if name in PLAIN_TERMS:
            if self.next.text == "(":
                raise _error(
                    tr("{term} takes no number: write it without parentheses", term=token.text), self.next.position
                )
            return PLAIN_TERMS[name]()
        if token.text not in COUNTED_TERMS:
            raise _unknown(token)
        opening = self.next
        if not self.takes("("):
            raise _error(tr("{term} needs a number of tokens: write {term}(1024)", term=token.text), opening.position)
        count = self.take()
        if count.kind != "number":
            raise _unexpected(count, tr("a whole number of tokens, as in {term}(1024)", term=token.text))
        if len(count.text) > 10 or int(count.text) > MAX_COUNT:
            raise _error(
                tr("{term} takes at most {limit:,} tokens: write a smaller number", term=token.text, limit=MAX_COUNT),
                count.position,
            )
        self._close(opening)
        return COUNTED_TERMS[token.text](int(count.text))

    def _close(self, opening: _Token) -> None:
        if self.next.kind == "end":
            raise _error(tr("A parenthesis is never closed: add the missing )"), opening.position)
        if not self.takes(")"):
            raise _unexpected(self.next, tr("an operator (&, |) or )"))


def _tokens(text: str) -> list[_Token]:
    tokens = []
    start = 0
    end = len(text.rstrip())
    while start < end:
        match = _TOKEN.match(text, start)
        if match is None:
            position = start + len(text[start:]) - len(text[start:].lstrip())
            raise _error(
                tr(
                    "'{character}' is not allowed in a mask: use terms, &, |, ~ and parentheses",
                    character=text[position],
                ),
                position,
            )
        kind = match.lastgroup or ""
        written = match[kind].lower()
        sign = _SIGNS.get(written)
        tokens.append(_Token("sign" if sign else kind, sign or written, match.start(kind)))
        start = match.end()
    tokens.append(_Token("end", "", end))
    return tokens


def _error(problem: Text, position: int) -> MaskSyntaxError:
    text = tr("{problem} (at character {position}).", problem=problem, position=position + 1)
    return MaskSyntaxError(text, position)


def _unexpected(token: _Token, expected: Text) -> MaskSyntaxError:
    if token.kind == "end":
        return _error(tr("Expected {expected}, but the expression ends", expected=expected), token.position)
    problem = tr("Expected {expected}, but found '{token}'", expected=expected, token=token.text)
    return _error(problem, token.position)


def _unknown(token: _Token) -> MaskSyntaxError:
    names = (*PLAIN_TERMS, *SYNONYMS, *COUNTED_TERMS)
    close = difflib.get_close_matches(token.text, names, n=1)
    shown = token.text if len(token.text) <= 40 else f"{token.text[:37]}..."
    if close:
        problem = tr(
            "Unknown term '{term}': did you mean {close}? The terms are {terms}",
            term=shown,
            close=close[0],
            terms=listed(names),
        )
    else:
        problem = tr("Unknown term '{term}': the terms are {terms}", term=shown, terms=listed(names))
    return _error(problem, token.position)
