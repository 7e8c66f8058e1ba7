"""Inlines function calls: each `tt.call` gets a copy of its callee as a region, with slots of its own."""

from __future__ import annotations

from dataclasses import replace

from core.interpreter.ir import Block, Function, Location, Module, Operation, Value


def inlined(module: Module) -> Function:
    """The entry of `module` with every function that it calls, directly or not, as regions. Triton has no recursion."""
    entry = module.entry
    if not any(operation.name == "tt.call" for operation in entry.body.walk()):
        return entry
    copier = _Copier(module)
    values: dict[int, Value] = {}
    arguments = copier.define(entry.arguments, values)
    body = copier.block(entry.body, values, ())
    return replace(entry, arguments=arguments, body=body, slots=copier.slots)


class _Copier:
    """Copies blocks; every value gets the next free slot."""

    def __init__(self, module: Module) -> None:
        self._functions = module.functions
        self.slots = 0

    def define(self, values: tuple[Value, ...], known: dict[int, Value]) -> tuple[Value, ...]:
        copies = []
        for value in values:
            copies.append(replace(value, slot=self.slots))
            known[value.slot] = copies[-1]
            self.slots += 1
        return tuple(copies)

    def block(self, block: Block, known: dict[int, Value], callers: tuple[tuple[str, int], ...]) -> Block:
        arguments = self.define(block.arguments, known)
        return Block(arguments, tuple(self._operation(operation, known, callers) for operation in block.operations))

    def _operation(
        self, operation: Operation, known: dict[int, Value], callers: tuple[tuple[str, int], ...]
    ) -> Operation:
        location = operation.location
        regions = tuple(self.block(region, known, callers) for region in operation.regions)
        if operation.name == "tt.call":
            regions = (*regions, self._callee(operation, (_place(location), *callers)))
        return Operation(
            name=operation.name,
            operands=tuple(known[value.slot] for value in operation.operands),
            results=self.define(operation.results, known),
            attributes=operation.attributes,
            regions=regions,
            location=replace(location, callers=(*location.callers, *callers)) if callers else location,
        )

    def _callee(self, call: Operation, callers: tuple[tuple[str, int], ...]) -> Block:
        function = self._functions[str(call.attributes["words"][0]).removeprefix("@").strip('"')]
        inner: dict[int, Value] = {}
        arguments = self.define(function.arguments, inner)
        return Block(arguments, self.block(function.body, inner, callers).operations)


def _place(location: Location) -> tuple[str, int]:
    return location.file, location.line
