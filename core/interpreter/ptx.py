"""Inline PTX as frozen data: the registers it declares, and its instructions in order.

Source: the PTX ISA of NVIDIA. There are no jumps, so that a program is a list.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r"0[fFdD][0-9a-fA-F]+|-?\d+\.\d+(?:[eE][-+]?\d+)?|-?[.\w$%]+|[{};,|@!<>:]|\S")
_INTEGER = re.compile(r"(-?)(0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)U?")
_FLOAT = re.compile(r"-?\d+\.\d+(?:[eE][-+]?\d+)?")
_DECLARED = re.compile(r"\.(?:[busf](8|16|32|64)|(pred))")
_SPACES = str.maketrans({"\r": " ", "\t": " "})


class UnknownPtx(ValueError):
    """What is not understood: the text of the statement."""


@dataclass(frozen=True)
class Register:
    """A register by its place. `bits` is 1 for a predicate; `negated` reads a predicate as its opposite."""

    place: int
    bits: int
    negated: bool = False


@dataclass(frozen=True)
class Immediate:
    """A constant: an integer, or a float as a number of its own."""

    value: int | float


@dataclass(frozen=True)
class Vector:
    """`{a, b}`: registers from the lowest bits to the highest."""

    parts: tuple[Register | Immediate, ...]


Operand = Register | Immediate | Vector


@dataclass(frozen=True)
class Instruction:
    """`@guard name results, sources;`. Several results are `p|q`."""

    name: str
    results: tuple[Operand, ...]
    sources: tuple[Operand, ...]
    guard: Register | None
    text: str


@dataclass(frozen=True)
class Program:
    """`widths` are the bits of all registers: those of the operands `$0`, `$1` first."""

    widths: tuple[int, ...]
    instructions: tuple[Instruction, ...]


def unescaped(text: str) -> str:
    """A string as MLIR prints it, without comments: a line break is `\\0A` there."""
    plain = re.sub(r"\\([0-9A-Fa-f]{2})", lambda match: chr(int(match[1], 16)), text)
    plain = plain.replace("\\n", "\n").replace("\\t", " ").translate(_SPACES)
    return re.sub(r"//[^\n]*|/\*.*?\*/", " ", plain, flags=re.DOTALL).replace("\n", " ")


def parse(text: str, operands: tuple[Register, ...]) -> Program:
    """The program in `text`. `$i` is `operands[i]`. Raises UnknownPtx."""
    return _Parser(text, operands).program()


class _Parser:
    def __init__(self, text: str, operands: tuple[Register, ...]) -> None:
        self._text = unescaped(text)
        self._tokens = list(_TOKEN.finditer(self._text))
        self._at = 0
        self._widths = {register.place: register.bits for register in operands}
        self._scopes: list[dict[str, Register]] = [{f"${i}": register for i, register in enumerate(operands)}]

    def program(self) -> Program:
        instructions = tuple(self._statements())
        return Program(tuple(self._widths[place] for place in range(len(self._widths))), instructions)

    def _statements(self) -> Iterator[Instruction]:
        while self._at < len(self._tokens):
            if self._accept("{"):
                self._scopes.append({})
            elif self._accept("}"):
                if len(self._scopes) == 1:
                    raise UnknownPtx("}")
                self._scopes.pop()
            elif not self._accept(";"):
                tokens, text = self._statement()
                if tokens[0] == ".reg":
                    self._declare(tokens[1:], text)
                else:
                    yield self._instruction(tokens, text)

    def _accept(self, token: str) -> bool:
        found = self._tokens[self._at][0] == token
        self._at += found
        return found

    def _statement(self) -> tuple[list[str], str]:
        """The tokens up to the next semicolon, and their text."""
        start = self._at
        while self._at < len(self._tokens) and self._tokens[self._at][0] != ";":
            self._at += 1
        tokens = self._tokens[start : self._at]
        return [token[0] for token in tokens], " ".join(self._text[tokens[0].start() : tokens[-1].end()].split()) + ";"

    def _declare(self, tokens: list[str], text: str) -> None:
        match = _DECLARED.fullmatch(tokens[0]) if tokens else None
        if match is None:
            raise UnknownPtx(text)
        bits = int(match[1] or 1)
        for item in "".join(tokens[1:]).split(","):
            name = re.fullmatch(r"([\w$%]+)(?:<(\d+)>)?", item)
            if name is None:
                raise UnknownPtx(text)
            for full in [name[1]] if name[2] is None else [f"{name[1]}{i}" for i in range(int(name[2]))]:
                register = Register(len(self._widths), bits)
                self._widths[register.place] = bits
                self._scopes[-1][full] = register

    def _instruction(self, tokens: list[str], text: str) -> Instruction:
        guard = None
        if tokens[0] == "@":
            end = 3 if tokens[1:2] == ["!"] else 2
            operand, tokens = self._operand(tokens[1:end], text), tokens[end:]
            if not isinstance(operand, Register) or operand.bits != 1:
                raise UnknownPtx(text)
            guard = operand
        if not tokens or not re.fullmatch(r"[a-z]\w*(\.\w+)*", tokens[0]):
            raise UnknownPtx(text)
        results, *sources = _split(tokens[1:])
        return Instruction(
            tokens[0],
            tuple(self._operand(part, text) for part in _split(results, "|")),
            tuple(self._operand(part, text) for part in sources),
            guard,
            text,
        )

    def _operand(self, tokens: list[str], text: str) -> Operand:
        if tokens[:1] == ["{"] and tokens[-1] == "}":
            parts = [self._operand(part, text) for part in _split(tokens[1:-1])]
            if any(isinstance(part, Vector) for part in parts):
                raise UnknownPtx(text)
            return Vector(tuple(part for part in parts if not isinstance(part, Vector)))
        negated = tokens[:1] == ["!"]
        words = tokens[1:] if negated else tokens
        if len(words) != 1:
            raise UnknownPtx(text)
        for scope in reversed(self._scopes):
            if words[0] in scope:
                register = scope[words[0]]
                if negated and register.bits != 1:
                    raise UnknownPtx(text)
                return Register(register.place, register.bits, negated)
        value = None if negated else _number(words[0])
        if value is None:
            raise UnknownPtx(text)
        return Immediate(value)


def _split(tokens: list[str], separator: str = ",") -> list[list[str]]:
    """Between separators that are not inside braces."""
    parts: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token == "{") - (token == "}")
        if token == separator and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _number(text: str) -> int | float | None:
    if re.fullmatch(r"0[fF][0-9a-fA-F]{8}", text):
        return float(struct.unpack(">f", bytes.fromhex(text[2:]))[0])
    if re.fullmatch(r"0[dD][0-9a-fA-F]{16}", text):
        return float(struct.unpack(">d", bytes.fromhex(text[2:]))[0])
    if _FLOAT.fullmatch(text):
        return float(text)
    match = _INTEGER.fullmatch(text)
    if match is None:
        return None
    octal = re.fullmatch(r"0[0-7]+", match[2])
    return int(match[1] + match[2], 8 if octal else 0 if match[2][:2].lower() in ("0x", "0b") else 10)
