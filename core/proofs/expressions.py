"""The source text of an operation, as in 'row * stride', found by the place that Triton notes for it."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator

from core.interpreter.ir import Operation

_OPERATORS: dict[str, tuple[type[ast.operator], ...]] = {
    "arith.addi": (ast.Add,),
    "arith.subi": (ast.Sub,),
    "arith.muli": (ast.Mult,),
    "arith.shli": (ast.LShift,),
}


def expression(operation: Operation) -> str:
    """The expression of a line, or the whole line where it is not clear which it is. '' without a source."""
    place = operation.location
    line = linecache.getline(place.file, place.line).strip()
    found = list(_expressions(operation)) if line else []
    return found[0] if len(set(found)) == 1 else line


def _expressions(operation: Operation) -> Iterator[str]:
    """What a binary operator computes whose right side begins where Triton says, whatever the indentation of `def`."""
    place, kinds = operation.location, _OPERATORS.get(operation.name, ())
    text = "".join(linecache.getlines(place.file))
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.lineno <= place.line <= (function.end_lineno or 0):
            column = place.column + function.col_offset
            for node in ast.walk(function):
                value = _binary(node, kinds)
                if value is not None and (value.lineno, value.col_offset) == (place.line, column):
                    yield ast.unparse(node if isinstance(node, ast.BinOp) else _as_binary(node))


def _binary(node: ast.AST, kinds: tuple[type[ast.operator], ...]) -> ast.expr | None:
    """The right side of a binary operation."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, kinds):
        return node.right
    return node.value if isinstance(node, ast.AugAssign) and isinstance(node.op, kinds) else None


def _as_binary(node: ast.AST) -> ast.AST:
    """`a *= b` as `a * b`."""
    assert isinstance(node, ast.AugAssign)
    return ast.BinOp(ast.Name(ast.unparse(node.target)), node.op, node.value)
