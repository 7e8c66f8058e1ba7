"""A cursor over tokens, and the parts of MLIR's syntax that mean the same everywhere: types and attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.interpreter.ir import Type
from core.interpreter.lexer import Token, parse_type

_END = Token("end", "", -1)


class Cursor:
    """Reads tokens from left to right. Raises ValueError with the line of an unexpected token."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._index = 0

    def _peek(self, ahead: int = 0) -> Token:
        index = self._index + ahead
        return self._tokens[index] if index < len(self._tokens) else _END

    def _next(self) -> Token:
        token = self._peek()
        self._index += 1
        return token

    def _accept(self, text: str) -> bool:
        if self._peek().text == text:
            self._index += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        token = self._next()
        if token.text != text:
            raise ValueError(f"line {token.line}: expected {text!r}, found {token.text!r}")

    def _type(self) -> Type:
        return parse_type(self._next().text)

    def _types(self) -> tuple[Type, ...]:
        """`type` or `(type, type)`."""
        if not self._accept("("):
            return (self._type(),)
        types = []
        while not self._accept(")"):
            types.append(self._type())
            self._accept(",")
        return tuple(types)

    def _attribute_dict(self) -> dict[str, Any]:
        attributes: dict[str, Any] = {}
        closing = "}>" if self._next().text == "<{" else "}"
        while not self._accept(closing):
            key = self._next().text.strip('"')
            attributes[key] = self._attribute_value() if self._accept("=") else True
            self._accept(",")
        return attributes

    def _attribute_value(self) -> Any:
        token = self._next()
        value: Any
        if token.text == "[":
            value = self._sequence("]")
        elif token.text == "{":
            self._index -= 1
            value = self._attribute_dict()
        elif token.kind == "word" and self._accept("<"):
            value = self._sequence(">")
            if token.text == "dense":
                value = value[0] if len(value) == 1 else tuple(value)
        elif token.kind == "number":
            value = _number(token.text)
        elif token.kind == "string":
            value = token.text[1:-1]
        elif token.kind == "type":
            value = parse_type(token.text)
        else:
            value = {"true": True, "false": False}.get(token.text, token.text)
        # 'axis = 1 : i32': skip the type of a number inside a dictionary.
        if self._peek().text == ":" and self._peek(2).text in (",", "}", "}>"):
            self._next()
            self._type()
        return value

    def _sequence(self, closing: str) -> tuple[Any, ...]:
        """Elements up to `closing`; the element type of `array<i32: 1, 0>` is dropped."""
        values: list[Any] = []
        while not self._accept(closing):
            if self._peek(1).text == ":" and self._peek().kind == "word":
                self._next()
                self._next()
                continue
            values.append(self._attribute_value())
            self._accept(",")
        return tuple(values)


def _number(text: str) -> int | float | str:
    """A number; hexadecimal stays text, since it is the bit pattern of a type that is not known yet."""
    if "0x" in text:
        return text
    return float(text) if any(c in text for c in ".eE") else int(text)
