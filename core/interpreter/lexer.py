"""Tokens of MLIR's textual form, and the two sub-languages that need no context: types and locations."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from core.interpreter.ir import UNKNOWN_LOCATION, Location, Type

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<value>%[\w$.\-]+(?:\#\d+)?)
  | (?P<symbol>@(?:[\w$.\-]+|"(?:[^"\\]|\\.)*"))
  | (?P<alias>\#[\w.]+)
  | (?P<block>\^\w+)
  | (?P<type>(?:tensor|vector|![\w.]+)<)
  | (?P<number>-?(?:0x[0-9A-Fa-f]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?))
  | (?P<word>!?[A-Za-z_][\w$.]*)
  | (?P<arrow>->)
  | (?P<punct><\{|\}>|::|[-{}()\[\]<>=,:*+?|/])
    """,
    re.VERBOSE,
)


class Token(NamedTuple):
    kind: str
    text: str
    line: int


def tokenise(text: str) -> list[Token]:
    """All tokens of `text`. A type with parameters is one token, up to its closing '>'."""
    tokens: list[Token] = []
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"line {line}: cannot read {text[position : position + 40]!r}")
        kind, end = match.lastgroup or "", match.end()
        if kind == "type":
            end = _closing(text, end)
        if kind != "space":
            tokens.append(Token(kind, text[position:end], line))
        line += text.count("\n", position, end)
        position = end
    return tokens


def _closing(text: str, position: int) -> int:
    depth = 1
    while depth:
        if text[position] == "<":
            depth += 1
        elif text[position] == ">":
            depth -= 1
        position += 1
    return position


@lru_cache(maxsize=4096)
def parse_type(text: str) -> Type:
    """The Type that MLIR prints as `text`. A type that the TTIR interpreter does not use keeps its text as the
    element."""
    if text.startswith("!tt.ptr<"):
        inner = parse_type(_first_argument(text))
        return Type(inner.element, inner.shape, pointer=True)
    if text.startswith("tensor<"):
        return _shaped(_arguments(text)[0])
    if text.startswith("!ttg.memdesc<"):
        shape, layout, space, *_ = _arguments(text)
        return replace(_shaped(shape), space=_SPACES.get(space, space), layout=layout)
    if text.startswith("!tt.tensordesc<"):
        described = _arguments(text)
        if described[0].startswith("tensor<"):  # before Triton 3.8
            described = _arguments(described[0])
        return replace(_shaped(described[0]), space="global", layout="".join(described[1:2]))
    return Type(text)


_SPACES = {"#smem": "shared", "#ttg.shared_memory": "shared", "#ttng.tensor_memory": "tensor"}


def _shaped(text: str) -> Type:
    """'16x32xf32', as it stands in the type of a tensor."""
    dims: list[int] = []
    while (match := re.match(r"(\d+)x", text)) is not None:
        dims.append(int(match[1]))
        text = text[match.end() :]
    element = parse_type(text.removeprefix("u") if text.startswith("ui") else text)  # descriptors name the sign
    return Type(element.element, tuple(dims), element.pointer)


def _first_argument(text: str) -> str:
    """'!tt.ptr<f32, 1>' -> 'f32', without the address space that may follow."""
    return _arguments(text)[0]


def _arguments(text: str) -> list[str]:
    """What stands between the brackets of a type, split at its commas."""
    parts, depth = [""], 0
    for character in text[text.index("<") + 1 : -1]:
        depth += (character in "<[{(") - (character in ">]})")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


_ALIAS = re.compile(r"^(#loc\w*) = (loc\(.*\))\s*$", re.MULTILINE)
_LAYOUT = re.compile(r"^(#\w+) = (#.*)$", re.MULTILINE)
_LOC_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|#loc\w*|callsite|fused|unknown|at\b|to\b|\d+|[()\[\]<>,:]|\w+')


def layouts_of(text: str) -> dict[str, str]:
    """The layouts that a printed module names at its top."""
    return dict(_LAYOUT.findall(text))


class Locations:
    """Resolves the `loc(...)` of a printed module, whose parts are aliases defined at its end."""

    def __init__(self, text: str) -> None:
        self._aliases = dict(_ALIAS.findall(text))
        self._known: dict[str, Location] = {}

    @staticmethod
    def strip(text: str) -> str:
        """The module without the lines that define aliases."""
        return _LAYOUT.sub("", _ALIAS.sub("", text))

    def resolve(self, text: str) -> Location:
        """The Location of 'loc(...)' or of an alias '#loc12'."""
        known = self._known.get(text)
        if known is None:
            body = self._aliases.get(text, "loc(unknown)") if text.startswith("#") else text
            known = self._known[text] = self._parse(_LOC_TOKEN.findall(body[len("loc(") : -1]))
        return known

    def _parse(self, tokens: list[str]) -> Location:
        if not tokens or tokens[0] == "unknown":
            return UNKNOWN_LOCATION
        head = tokens[0]
        if head.startswith("#"):
            return self.resolve(head)
        if head == "callsite":
            split = _top_level(tokens[2:-1], "at")
            return _inlined(self._parse(tokens[2 : 2 + split]), self._parse(tokens[3 + split : -1]))
        if head == "fused":
            parts = [self._parse([t]) for t in tokens if t.startswith("#")]
            return next((p for p in parts if p.file), UNKNOWN_LOCATION)
        text = head[1:-1]
        if len(tokens) > 1 and tokens[1] == ":":
            numbers = [int(t) for t in tokens if t.isdigit()]
            return Location(text, numbers[0], numbers[1] if len(numbers) > 1 else 0)
        child = self._parse(tokens[2:-1])
        return Location(child.file, child.line, child.column, (text, *child.names), child.callers)


def _top_level(tokens: list[str], word: str) -> int:
    depth = 0
    for position, token in enumerate(tokens):
        depth += (token in "([") - (token in ")]")
        if token == word and depth == 0:
            return position
    return len(tokens)


_LIBRARY = re.compile(r"[/\\]triton[/\\](experimental[/\\]gluon[/\\])?language[/\\]")


def _inlined(callee: Location, caller: Location) -> Location:
    """The location of inlined code: its own line, unless that is unknown or in Triton's standard library."""
    if not callee.file or _LIBRARY.search(callee.file):
        return Location(caller.file, caller.line, caller.column, caller.names, caller.callers)
    callers = (*callee.callers, (caller.file, caller.line), *caller.callers)
    return Location(callee.file, callee.line, callee.column, callee.names or caller.names, callers)
