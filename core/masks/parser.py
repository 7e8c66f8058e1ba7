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

from core.contracts.errors import TilescopeError
from core.masks.nodes import COUNTED_TERMS, MAX_COUNT, PLAIN_TERMS, And, Mask, Not, Or

_TOKEN = re.compile(r"\s*(?:(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[&|~!()]))")
_SIGNS = {"and": "&", "or": "|", "not": "~", "!": "~"}
_MAX_DEPTH = 50
_MAX_TERMS = 64


class MaskSyntaxError(TilescopeError):
    """An expression that cannot be read. `position` counts characters from 0, within or just after the text."""

    def __init__(self, sentence: str, position: int) -> None:
        super().__init__(sentence)
        self.position = position

    def __reduce__(self) -> tuple[type[MaskSyntaxError], tuple[str, int]]:
        return (MaskSyntaxError, (self.sentence, self.position))


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int


def parse(text: str) -> Mask:
    """The mask written in `text`. Raises MaskSyntaxError: one sentence with the position of the error (from 1)."""
    if not text.strip():
        raise _error("The expression is empty: write a term such as causal, window(1024) or ~padding", 0)
    reader = _Reader(_tokens(text))
    mask = reader.either()
    if reader.next.kind != "end":
        raise _unexpected(reader.next, "an operator (&, |) or the end")
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
            raise _error(f"The expression is nested over {_MAX_DEPTH} levels deep: simplify it", self.next.position)
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
            raise _unexpected(token, "a term such as causal, window(1024), ~ or (")
        self._terms += 1
        if self._terms > _MAX_TERMS:
            raise _error(f"The expression has more than {_MAX_TERMS} terms: remove some", token.position)
        if token.text in PLAIN_TERMS:
            if self.next.text == "(":
                raise _error(f"{token.text} takes no number: write it without parentheses", self.next.position)
            return PLAIN_TERMS[token.text]()
        if token.text not in COUNTED_TERMS:
            raise _unknown(token)
        opening = self.next
        if not self.takes("("):
            raise _error(f"{token.text} needs a number of tokens: write {token.text}(1024)", opening.position)
        count = self.take()
        if count.kind != "number":
            raise _unexpected(count, f"a whole number of tokens, as in {token.text}(1024)")
        if len(count.text) > 10 or int(count.text) > MAX_COUNT:
            raise _error(f"{token.text} takes at most {MAX_COUNT:,} tokens: write a smaller number", count.position)
        self._close(opening)
        return COUNTED_TERMS[token.text](int(count.text))

    def _close(self, opening: _Token) -> None:
        if self.next.kind == "end":
            raise _error("A parenthesis is never closed: add the missing )", opening.position)
        if not self.takes(")"):
            raise _unexpected(self.next, "an operator (&, |) or )")


def _tokens(text: str) -> list[_Token]:
    tokens = []
    start = 0
    end = len(text.rstrip())
    while start < end:
        match = _TOKEN.match(text, start)
        if match is None:
            position = start + len(text[start:]) - len(text[start:].lstrip())
            raise _error(f"{text[position]!r} is not allowed in a mask: use terms, &, |, ~ and parentheses", position)
        kind = match.lastgroup or ""
        written = match[kind].lower()
        sign = _SIGNS.get(written)
        tokens.append(_Token("sign" if sign else kind, sign or written, match.start(kind)))
        start = match.end()
    tokens.append(_Token("end", "", end))
    return tokens


def _error(sentence: str, position: int) -> MaskSyntaxError:
    return MaskSyntaxError(f"{sentence} (at character {position + 1}).", position)


def _unexpected(token: _Token, expected: str) -> MaskSyntaxError:
    found = "the expression ends" if token.kind == "end" else f"found {token.text!r}"
    return _error(f"Expected {expected}, but {found}", token.position)


def _unknown(token: _Token) -> MaskSyntaxError:
    names = (*PLAIN_TERMS, *COUNTED_TERMS)
    close = difflib.get_close_matches(token.text, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    shown = token.text if len(token.text) <= 40 else f"{token.text[:37]}..."
    return _error(f"Unknown term {shown!r}: {hint}The terms are {', '.join(names)}", token.position)
