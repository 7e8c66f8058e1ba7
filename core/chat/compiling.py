"""Compiles a chat template so that every text that it writes knows its place in the source.

Jinja knows the line of a token. Here each token carries its offset in place of its line, so that every node of the
syntax tree, every literal and every error has an exact place. The generated code is Jinja's own, except that literals
are traced texts, that what is written goes through `environment.wrote`, and that loops count their rounds.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.lexer import TokenStream

from core.chat.traced import Run, TracedText, joined

_BEGINS = ("block_begin", "variable_begin", "comment_begin", "raw_begin")
_ENDS = ("block_end", "variable_end", "comment_end", "raw_end")


class OffsetParsing(Environment):
    """Gives every token its offset in the source, in the place of its line.

    `ends` are the ends of literals by their offset; `tags` are the ranges of all tags, in order.
    """

    source: str
    tags: list[tuple[int, int]]
    literals: list[str]

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        self.ends: dict[int, int] = {}
        self.source = source
        located = self._located(source)
        return TokenStream(self.lexer.wrap(located, name, filename), name, filename)

    def _located(self, source: str) -> Iterator[tuple[int, str, str]]:
        """The raw tokens with their offsets. The lexer drops only white space between them, before a '{%-'."""
        position = tag_start = 0
        kind = ""
        try:
            for _, kind, value in self.lexer.tokeniter(source, None):
                while not source.startswith(value, position):
                    position += 1
                if kind in _BEGINS:
                    tag_start = position
                elif kind in ("string", "data"):
                    self.ends[position] = position + len(value)
                yield position, kind, value
                position += len(value)
                if kind in _ENDS:
                    self.tags.append((tag_start, position - (len(value) - len(value.rstrip()))))
        except TemplateSyntaxError as error:
            rest = source[position:]
            error.lineno = tag_start if kind in _BEGINS else position + len(rest) - len(rest.lstrip())
            raise

    def tag_at(self, offset: int) -> int:
        """The index of the tag that encloses an offset, -1 for none."""
        index = bisect_right(self.tags, (offset, sys.maxsize)) - 1
        return index if index >= 0 and offset < self.tags[index][1] else -1

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of an offset in the source."""
        return self.source.count("\n", 0, offset) + 1, offset - self.source.rfind("\n", 0, offset)


class TracingGenerator(CodeGenerator):
    """Jinja's code generator, with the calls that trace and count."""

    environment: OffsetParsing

    def position(self, node: nodes.Node) -> str:
        return ":".join(map(str, self.environment.place(node.lineno)))

    def visit_For(self, node: nodes.For, frame: Frame) -> None:
        target = [nodes.Name(node.target.name, "load")] if isinstance(node.target, nodes.Name) else []
        step = nodes.Call(nodes.EnvironmentAttribute("step"), target, [], None, None)
        node.body.insert(0, nodes.ExprStmt(step).set_lineno(node.lineno))
        self.writeline("environment.enter_loop()")
        super().visit_For(node, frame)
        self.writeline("environment.leave_loop()")

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:
        if isinstance(node.node, nodes.EnvironmentAttribute):
            self.write(f"environment.{node.node.name}(")
            for argument in node.args:
                self.visit(argument, frame)
            self.write(")")
        else:
            super().visit_Call(node, frame, forward_caller=forward_caller)

    def visit_Const(self, node: nodes.Const, frame: Frame) -> None:
        if isinstance(node.value, str) and node.lineno in self.environment.ends:
            self.write(self._literal(TracedText(node.value, self._runs(node))))
        else:
            super().visit_Const(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        if frame.eval_ctx.volatile or frame.eval_ctx.autoescape:
            super().visit_Concat(node, frame)
            return
        self.write("environment.concatenated((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:
        self._counted(node, node.items, frame, super().visit_List)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:
        if node.ctx == "load":
            self._counted(node, node.items, frame, super().visit_Tuple)
        else:
            super().visit_Tuple(node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        self._counted(node, [pair.value for pair in node.items], frame, super().visit_Dict)

    def start_write(self, frame: Frame, node: nodes.Node | None = None) -> None:
        super().start_write(frame, node)
        self.write(f"environment.wrote({-1 if node is None else self.environment.tag_at(node.lineno)}, ")

    def end_write(self, frame: Frame) -> None:
        self.write(")")
        super().end_write(frame)

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible()
        return TracedText(super()._output_child_to_const(node, frame, finalize), self._runs(node))

    def _output_const_repr(self, group: Any) -> str:
        return f"environment.wrote(-1, {self._literal(joined(group))})"

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write(f"environment.wrote({self.environment.tag_at(node.lineno)}, ")
        super()._output_child_pre(node, frame, finalize)

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        super()._output_child_post(node, frame, finalize)
        self.write(")")

    def _runs(self, node: nodes.Const | nodes.TemplateData) -> tuple[Run, ...]:
        text = node.data if isinstance(node, nodes.TemplateData) else node.value
        return (Run(len(text), node.lineno, self.environment.ends[node.lineno]),) if text else ()

    def _literal(self, text: str) -> str:
        self.environment.literals.append(text)
        return f"environment.literals[{len(self.environment.literals) - 1}]"

    def _counted(self, node: nodes.Expr, items: Any, frame: Frame, visit: Any) -> None:
        if all(isinstance(item, nodes.Const) for item in items):
            visit(node, frame)
            return
        self.write("environment.made(")
        visit(node, frame)
        self.write(")")
