"""Parses the textual TTIR that Triton 3.6 to 3.9 print.

The parser knows only the common form of MLIR's syntax: results, a name, operands, attributes, regions, a signature and
a location. `ops` defines what operations mean, so an unknown operation still parses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.cursor import Cursor
from core.interpreter.ir import UNKNOWN_LOCATION, Block, Function, Location, Module, Operation, Type, Value
from core.interpreter.lexer import Locations, layouts_of, parse_type, tokenise
from core.interpreter.signatures import result_types

BLOCKS = "lanes.blocks"
"""The operation for a region of several basic blocks. Its regions are the blocks, and its attribute `labels` their
names. The attribute `successors` of a jump pairs each label with its number of operands (a condition comes first)."""
_JUMPS = ("cf.br", "cf.cond_br")
_TERMINATORS = frozenset(
    {
        *_JUMPS,
        "scf.yield",
        "scf.condition",
        "tt.return",
        "tt.reduce.return",
        "tt.scan.return",
        "tt.map_elementwise.return",
        "ttg.warp_yield",
        "ttg.warp_return",
    }
)


def parse_module(text: str) -> Module:
    """The module in `text`. Raises TilescopeError with one sentence if it cannot be read."""
    try:
        return _Parser(text).module()
    except (ValueError, IndexError, KeyError) as error:
        raise TilescopeError(tr("This TTIR cannot be read: {reason}.", reason=str(error))) from error


class _Parser(Cursor):
    """The values in scope, and the grammar of functions, regions and operations."""

    def __init__(self, text: str) -> None:
        super().__init__(tokenise(Locations.strip(text)))
        self._layouts = layouts_of(text)
        self._locations = Locations(text)
        self._scopes: list[dict[str, Value]] = []
        self._slots = 0

    def module(self) -> Module:
        self._accept("module")
        while self._peek().text not in ("{", ""):
            if self._accept("attributes"):
                self._attribute_dict()
            else:
                self._next()
        self._expect("{")
        functions: dict[str, Function] = {}
        while not self._accept("}"):
            function = self._function()
            functions[function.name] = function
        return Module(functions)

    def _function(self) -> Function:
        self._expect("tt.func")
        public = self._accept("public")
        self._accept("private")
        name = self._next().text.removeprefix("@").strip('"')
        self._slots = 0
        self._scopes = [{}]
        divisors: dict[int, int] = {}
        arguments = self._typed_values("(", ")", divisors)
        if self._accept("->"):
            self._types()
        if self._accept("attributes"):
            self._attribute_dict()
        body = self._region()
        location = self._location()
        return Function(name, public, arguments, body, self._slots, location, tuple(divisors.items()))

    def _typed_values(self, opening: str, closing: str, divisors: dict[int, int] | None = None) -> tuple[Value, ...]:
        """`(%a: type {attrs} loc(..), ...)`, defining each value. `divisors` is filled by position."""
        self._expect(opening)
        values = []
        while not self._accept(closing):
            name = self._next().text
            self._expect(":")
            values.append(self._define(name, self._type()))
            divisor = self._attribute_dict().get("tt.divisibility") if self._peek().text == "{" else None
            if divisors is not None and isinstance(divisor, int):
                divisors[len(values) - 1] = divisor
            self._location()
            self._accept(",")
        return tuple(values)

    def _define(self, name: str, type_: Type) -> Value:
        value = Value(self._slots, name.removeprefix("%"), type_)
        self._slots += 1
        self._scopes[-1][name] = value
        return value

    def _value(self, name: str) -> Value:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        raise ValueError(f"{name} is used before it is defined")

    def _location(self) -> Location:
        if self._peek().text != "loc" or self._peek(1).text != "(":
            return UNKNOWN_LOCATION
        self._next()
        depth, parts = 0, []
        while True:
            token = self._next()
            parts.append(token.text if token.kind != "word" else f" {token.text} ")
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0:
                break
        if len(parts) == 3 and parts[1].startswith("#"):
            return self._locations.resolve(parts[1])
        return self._locations.resolve("loc" + "".join(parts))

    def _region(self, header: tuple[Value, ...] = ()) -> Block:
        """`{ [^bb0(args):] operations }`. `header` are arguments that the owner's syntax defined."""
        self._expect("{")
        self._scopes.append({f"%{v.name}": v for v in header})
        label, arguments = self._block_header() if self._peek().kind == "block" else ("", header)
        labels, blocks = [label], [Block(arguments, self._block_operations())]
        while not self._accept("}"):
            label, arguments = self._block_header()
            labels.append(label)
            blocks.append(Block(arguments, self._block_operations()))
        self._scopes.pop()
        return blocks[0] if len(blocks) == 1 else self._joined(labels, blocks)

    def _block_header(self) -> tuple[str, tuple[Value, ...]]:
        """`^bb0(args):`"""
        label = self._next().text
        arguments = self._typed_values("(", ")") if self._peek().text == "(" else ()
        self._expect(":")
        return label, arguments

    def _block_operations(self) -> tuple[Operation, ...]:
        operations: list[Operation] = []
        while self._peek().text not in ("}", "") and self._peek().kind != "block":
            operations.append(self._operation())
        if not operations or operations[-1].name not in _TERMINATORS:
            # MLIR omits a yield without operands.
            operations.append(Operation("scf.yield", (), (), {}, (), UNKNOWN_LOCATION))
        return tuple(operations)

    def _joined(self, labels: list[str], blocks: list[Block]) -> Block:
        """Several blocks as one block, whose only operation holds them and returns their results."""
        end = next((block.terminator for block in blocks if block.terminator.name == "tt.return"), blocks[0].terminator)
        results = tuple(self._fresh(value) for value in end.operands)
        jumps = Operation(BLOCKS, results, (), {"labels": tuple(labels)}, tuple(blocks), blocks[0].terminator.location)
        return Block(blocks[0].arguments, (jumps, Operation("tt.return", (), results, {}, (), end.location)))

    def _fresh(self, value: Value) -> Value:
        self._slots += 1
        return Value(self._slots - 1, value.name, value.type)

    def _operation(self) -> Operation:
        results: list[tuple[str, int]] = []
        while self._peek().kind == "value":
            name = self._next().text
            count = int(self._next().text) if self._accept(":") else 0
            results.append((name, count))
            self._accept(",")
        if results:
            self._expect("=")
        token = self._next()
        name = token.text.strip('"')
        special = self._special.get(name)
        if special is not None:
            operands, attributes, regions, types = special(self)
            if self._accept("attributes") or self._peek().text == "{":
                attributes |= self._attribute_dict()
        else:
            operands, attributes, regions, types = self._plain(name, token.line)
        location = self._location()
        return Operation(name, self._results(results, types), operands, attributes, regions, location)

    def _results(self, names: list[tuple[str, int]], types: tuple[Type, ...]) -> tuple[Value, ...]:
        values: list[Value] = []
        for name, count in names:
            for index in range(max(count, 1)):
                value = self._define(f"{name}#{index}" if count else name, types[len(values)])
                values.append(value)
        return tuple(values)

    _Parts = tuple[tuple[Value, ...], dict[str, Any], tuple[Block, ...], tuple[Type, ...]]

    def _for(self) -> _Parts:
        attributes: dict[str, Any] = {"unsigned": self._accept("unsigned")}
        variable = self._next().text
        self._expect("=")
        bounds = [self._value(self._next().text)]
        for word in ("to", "step"):
            self._expect(word)
            bounds.append(self._value(self._next().text))
        names, initial = self._bindings() if self._accept("iter_args") else ([], [])
        types = self._types() if self._accept("->") else ()
        index = self._type() if self._accept(":") else Type("index")
        self._scopes.append({})
        header = (self._define(variable, index), *(self._define(n, t) for n, t in zip(names, types, strict=True)))
        self._scopes.pop()
        return (*bounds, *initial), attributes, (self._region(header),), types

    def _bindings(self) -> tuple[list[str], list[Value]]:
        """`(%x = %init, ...)`."""
        names, initial = [], []
        self._expect("(")
        while not self._accept(")"):
            names.append(self._next().text)
            self._expect("=")
            initial.append(self._value(self._next().text))
            self._accept(",")
        return names, initial

    def _if(self) -> _Parts:
        condition = self._value(self._next().text)
        types = self._types() if self._accept("->") else ()
        regions = [self._region()]
        if self._accept("else"):
            regions.append(self._region())
        return (condition,), {}, tuple(regions), types

    def _while(self) -> _Parts:
        names, initial = self._bindings() if self._peek().text == "(" else ([], [])
        self._expect(":")
        before = self._types()
        self._expect("->")
        types = self._types()
        self._scopes.append({})
        header = tuple(self._define(n, t) for n, t in zip(names, before, strict=True))
        self._scopes.pop()
        first = self._region(header)
        self._expect("do")
        return tuple(initial), {}, (first, self._region()), types

    def _warp_specialize(self) -> _Parts:
        """`(%a, ..) attributes {..} default {..} partition0(%x: type, ..) num_warps(1) {..} : (types) -> (types)`."""
        operands: list[Value] = []
        self._expect("(")
        while not self._accept(")"):
            operands.append(self._value(self._next().text))
            self._accept(",")
        attributes = self._attribute_dict() if self._accept("attributes") else {}
        self._expect("default")
        regions = [self._region()]
        while self._peek().text.startswith("partition"):
            self._next()
            self._scopes.append({})
            header = self._typed_values("(", ")")
            self._scopes.pop()
            while self._peek().text != "{":
                self._next()
            regions.append(self._region(header))
        self._expect(":")
        self._types()
        self._expect("->")
        return tuple(operands), attributes, tuple(regions), self._types()

    def _jump(self) -> _Parts:
        """`^bb1(%a, %b : i32, f32)` or `%condition, ^bb1, ^bb2(%a : i32)`."""
        operands: list[Value] = []
        successors: list[tuple[str, int]] = []
        if self._peek().kind == "value":
            operands.append(self._value(self._next().text))
            self._expect(",")
        more = True
        while more:
            label, passed = self._next().text, 0
            if self._accept("("):
                while not self._accept(")"):
                    token = self._next()
                    if token.kind == "value":
                        operands.append(self._value(token.text))
                        passed += 1
            successors.append((label, passed))
            more = self._accept(",")
        return tuple(operands), {"successors": tuple(successors)}, (), ()

    _special: ClassVar[dict[str, Callable[[_Parser], _Parts]]] = {
        "scf.for": _for,
        "scf.if": _if,
        "scf.while": _while,
        "ttg.warp_specialize": _warp_specialize,
        **dict.fromkeys(_JUMPS, _jump),
    }

    def _plain(self, name: str, line: int) -> _Parts:
        """Any other operation: operands in order, words and attributes, regions, then a signature."""
        operands: list[Value] = []
        attributes: dict[str, Any] = {}
        regions: list[Block] = []
        words: list[Any] = []
        while not self._at_end(line):
            token = self._peek()
            if token.text == "(" and self._peek(1).text == "{":
                self._next()
                while not self._accept(")"):
                    regions.append(self._region())
                    self._accept(",")
                line = self._tokens[self._index - 1].line
            elif token.text in ("{", "<{"):
                attributes |= self._attribute_dict()
            elif token.kind == "value":
                operands.append(self._value(self._next().text))
            elif token.text == ":" and self._peek(1).kind == "value":
                self._next()  # tt.print names its operands after a colon
            elif token.text in (":", "->"):
                break
            elif token.kind == "word" and self._peek(1).text == "=":
                self._next()
                self._next()
                attributes[token.text] = self._attribute_value()
            elif token.kind in ("word", "number", "string", "symbol", "type"):
                words.append(self._attribute_value())
            else:
                self._next()
        attributes["words"] = tuple(words)
        inputs, outputs = self._signature(line)
        return tuple(operands), attributes, tuple(regions), result_types(name, inputs, outputs)

    def _at_end(self, line: int) -> bool:
        """True at the token after an operation: a location, a closing brace or a new line."""
        token = self._peek()
        return token.text in ("loc", "}", "") or token.line != line

    def _type(self) -> Type:
        return self._resolved(super()._type())

    def _resolved(self, type_: Type) -> Type:
        """The type with the layout that a name at the top of the module stands for."""
        return replace(type_, layout=self._layouts[type_.layout]) if type_.layout in self._layouts else type_

    def _skip_brackets(self) -> None:
        depth = 1
        while depth:
            token = self._next()
            depth += (token.text in ("<", "<{")) - (token.text in (">", "}>", ""))

    def _signature(self, line: int) -> tuple[list[Type], list[Type]]:
        """`: a, b -> c`, `: a to c`, `: a * b -> c`, `: (a, b) -> (c, d)`, `: c` or `-> c`, as (before, after)."""
        before: list[Type] = []
        after: list[Type] = []
        current = before
        if not self._accept(":") and self._peek().text != "->":
            return before, after
        while not self._at_end(line):
            token = self._next()
            if token.text in ("->", "to"):
                current = after
            elif token.kind in ("type", "word"):
                current.append(self._resolved(parse_type(token.text)))
            elif token.text == "<":  # a pointer or a view without the name of its type
                self._skip_brackets()
        return before, after
