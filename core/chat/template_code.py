"""A compiled chat template, kept, and what it writes for the data of a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from threading import Lock
from types import TracebackType

from jinja2 import Template, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError

from core.chat.budget import MAX_CHARACTERS
from core.chat.sandbox import ChatEnvironment, Refusal
from core.chat.template_errors import (
    BrokenTemplate,
    ForbiddenAccess,
    OutOfBudget,
    RefusedConversation,
    TooCostly,
    too_long,
)
from core.chat.traced import Run, joined, runs_of
from core.chat.traced_data import TracedData
from core.contracts.text import Text, tr
from core.outside import described, first_line

MAX_SOURCE = 200_000
"""Characters of a template. Public ones have up to some 20,000."""

_FILENAME = "<chat template>"
_LOADING = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)


@dataclass(frozen=True)
class Written:
    """What a template wrote: the text, the runs that cover it, and the spans that transformers notes."""

    text: str
    runs: tuple[Run, ...]
    generation_spans: tuple[tuple[int, int], ...]


class TemplateCode:
    """A template, compiled. It renders one conversation at a time. Raises BrokenTemplate if it cannot be compiled."""

    def __init__(self, source: str) -> None:
        self._lock = Lock()
        self._environment = ChatEnvironment()
        if len(source) > MAX_SOURCE:
            raise BrokenTemplate(
                tr("The template has {count:,} characters, more than {limit:,}.", count=len(source), limit=MAX_SOURCE)
            )
        try:
            tree = self._environment._parse(source, None, None)
            self._refuse_files(tree)
            self._branches: dict[int, int] = {}
            self._branch_count = 0
            self._number_branches(tree, 0)
            code = compile(self._environment._generate(tree, None, None), _FILENAME, "exec")
            self._template = Template.from_code(self._environment, code, self._environment.make_globals(None))
        except TemplateSyntaxError as error:
            raise self._invalid(error) from error
        except (RecursionError, MemoryError, SyntaxError) as error:
            raise BrokenTemplate(tr("The template is nested too deep to be compiled: make it flatter.")) from error
        except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError) as error:
            raise BrokenTemplate(tr("The template is not valid Jinja: {reason}.", reason=described(error))) from error

    def write(self, data: TracedData, date: datetime) -> Written:
        """Renders the data. Raises BrokenTemplate."""
        with self._lock:
            environment = self._environment
            environment.begin(data, date)
            parts: list[str] = []
            try:
                for part in self._template.root_render_func(self._template.new_context(data.variables)):
                    parts.append(part)
                    environment.length += len(part)
                    if environment.length > MAX_CHARACTERS:
                        raise too_long(MAX_CHARACTERS)
            except Exception as error:
                raise self._failed(error) from error
            text = joined(parts)
            return Written(str.__str__(text), runs_of(text), tuple(environment.generation_spans))

    def branch_of(self, offset: int) -> int:
        """The number of the branch of an {% if %} that holds the literal or the tag at an offset; 0 for none."""
        return self._branches.get(offset, 0)

    def _number_branches(self, node: nodes.Node, branch: int) -> None:
        """Notes the branch of each node and of the tag that holds it."""
        environment = self._environment
        if isinstance(node, nodes.Output | nodes.Expr):
            tag = environment.tag_at(node.lineno)
            for offset in (node.lineno, environment.tags[tag][0] if tag >= 0 else node.lineno):
                self._branches.setdefault(offset, branch)
        for name, value in node.iter_fields():
            inner = branch
            if isinstance(node, nodes.If) and name in ("body", "else_"):
                self._branch_count += 1
                inner = self._branch_count
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, nodes.Node):
                    self._number_branches(child, inner)

    def _refuse_files(self, tree: nodes.Template) -> None:
        loading = next(tree.find_all(_LOADING), None)
        if loading is not None:
            line, column = self._environment.place(loading.lineno)
            text = tr(
                "Line {line}, column {column} of the template reaches for another file, which no chat template may: "
                "paste its text there.",
                line=line,
                column=column,
            )
            raise ForbiddenAccess(text, line, column)

    def _invalid(self, error: TemplateSyntaxError) -> BrokenTemplate:
        line, column = self._environment.place(error.lineno)
        text = tr(
            "Line {line}, column {column} of the template is not valid Jinja: {reason}.",
            line=line,
            column=column,
            reason=_told(error),
        )
        return BrokenTemplate(text, line, column)

    def _failed(self, error: Exception) -> BrokenTemplate:
        """The error of a rendering, with the place in the template where it occurred."""
        line, column = self._environment.place(self._offset(error.__traceback__))
        if isinstance(error, SecurityError):
            text = tr(
                "Line {line}, column {column} of the template reaches for what templates may not use: {reason}.",
                line=line,
                column=column,
                reason=_told(error),
            )
            return ForbiddenAccess(text, line, column)
        if isinstance(error, Refusal):
            text = tr(
                "The template refuses the conversation at line {line}, column {column}: {reason}.",
                line=line,
                column=column,
                reason=_told(error),
            )
            return RefusedConversation(text, line, column)
        if isinstance(error, OutOfBudget | RecursionError | MemoryError | OverflowError):
            text = tr(
                "The template was stopped at line {line}, column {column}: {reason}.",
                line=line,
                column=column,
                reason=_excess(error),
            )
            return TooCostly(text, line, column)
        text = tr(
            "The template fails at line {line}, column {column}: {reason}.",
            line=line,
            column=column,
            reason=_told(error),
        )
        return BrokenTemplate(text, line, column)

    def _offset(self, traceback: TracebackType | None) -> int:
        """The offset of the innermost place of the template that a traceback goes through."""
        line = 0
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == _FILENAME:
                line = traceback.tb_lineno
            traceback = traceback.tb_next
        return self._template.get_corresponding_lineno(line)


def _told(error: Exception) -> str:
    """What Jinja or Python says, with the names that its user knows."""
    reason = first_line(error).strip().rstrip(".") or type(error).__name__
    return reason.replace("core.chat.traced.", "").replace("TracedText", "str")


def _excess(error: Exception) -> Text | str:
    if isinstance(error, OutOfBudget):
        return error.text
    return tr("a macro calls itself without end") if isinstance(error, RecursionError) else described(error)


@lru_cache(maxsize=64)
def compiled(source: str) -> TemplateCode:
    """The compiled template. Raises BrokenTemplate."""
    return TemplateCode(source)
