"""The Jinja environment of chat templates: what transformers lets them do, within a budget, and with the origin of what
they write.

As in transformers: an immutable sandbox, `trim_blocks`, `lstrip_blocks`, loop controls, {% generation %}, `tojson`
without HTML escapes, `raise_exception` and `strftime_now`. There is no loader, so that no template reads a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from string import Formatter
from typing import Any

from jinja2 import TemplateError, nodes, pass_eval_context
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter
from jinja2.utils import Namespace

from core.chat.budget import Budget
from core.chat.compiling import OffsetParsing, TracingGenerator
from core.chat.guards import check_method, guarded_filters
from core.chat.traced import Run, TracedText, joined, recovered, runs_of
from core.chat.traced_data import TracedData

DEFAULT_DATE = datetime(2026, 1, 1, 12)
"""What `strftime_now` tells unless a date is given: the text must not depend on the day."""


class Refusal(TemplateError):
    """What a template says with `raise_exception`."""


class ChatEnvironment(OffsetParsing, ImmutableSandboxedEnvironment):
    """The environment of one template. `begin` prepares it for one rendering; it renders one conversation at a time."""

    code_generator_class = TracingGenerator
    concat = staticmethod(joined)
    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def __init__(self) -> None:
        self.literals: list[str] = []
        self.tags: list[tuple[int, int]] = []
        self.budget = Budget()
        super().__init__(trim_blocks=True, lstrip_blocks=True, optimized=False, extensions=[Generation, loopcontrols])
        self.filters.update(guarded_filters(lambda: self.budget, self._tojson))
        self.globals["raise_exception"] = _raise_exception
        self.globals["strftime_now"] = lambda format: self.date.strftime(format)
        self.globals["dict"] = _Dict()
        self.globals["namespace"] = _TemplateNamespace
        self.globals.pop("lipsum")
        self.begin(TracedData(), DEFAULT_DATE)

    def begin(self, data: TracedData, date: datetime) -> None:
        """Starts a rendering of messages and whatever else is in `data`."""
        self.budget = Budget()
        self.date = date
        self.length = 0
        self.generation_spans: list[tuple[int, int]] = []
        self._data = data
        self._message = -1
        self._enclosing: list[int] = []

    # What the compiled template calls

    def step(self, item: Any = None) -> None:
        """A round of a loop begins; `item` is its variable. A message is being rendered while it is the variable."""
        self.budget.step()
        if type(item) is dict:
            owner = self._data.owners.get(id(item), -1)
            self._message = self._message if owner < 0 else owner

    def enter_loop(self) -> None:
        self._enclosing.append(self._message)

    def leave_loop(self) -> None:
        self._message = self._enclosing.pop()

    def wrote(self, tag: int, value: str) -> str:
        """A text that the template writes, with its origin as far as it is not known yet: the tag and the message."""
        if not isinstance(value, str):
            raise TypeError(f"a text is written here, not {type(value).__name__}")
        self.budget.length(len(value))
        if type(value) is not TracedText and self._message >= 0:
            value = recovered(str.__str__(value), self._data.contents[self._message])
        start, end = self.tags[tag] if tag >= 0 else (-1, -1)
        return TracedText(value, tuple([self._stamped(run, start, end) for run in runs_of(value)]))

    def _stamped(self, run: Run, start: int, end: int) -> Run:
        length, run_start, run_end, message, from_content, generation = run
        if run_start < 0:
            run_start, run_end = start, end
        return Run(length, run_start, run_end, self._message if message < 0 else message, from_content, generation)

    def made(self, value: Any) -> Any:
        """A list, a tuple or a dict that the template builds."""
        return self.budget.made(value)

    def concatenated(self, values: Iterable[Any]) -> str:
        """`a ~ b ~ ...`"""
        for value in values:
            self.budget.weigh(value)
        texts = list(map(str, values))
        self.budget.length(sum(map(len, texts)))
        return joined(texts)

    # What Jinja calls

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.budget.step()
        if not isinstance(function, Macro):
            check_method(self.budget, function, args, kwargs)
        return self.budget.made(super().call(context, function, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        self.budget.binary(operator, left, right)
        return self.budget.made(super().call_binop(context, operator, left, right))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        if getattr(value, "__name__", "") not in ("format", "format_map"):
            return None
        wrapped = super().wrap_str_format(value)
        if wrapped is None or not isinstance(value.__self__, TracedText):
            return wrapped
        source, environment = value.__self__, self

        def formatted(*args: Any, **kwargs: Any) -> str:
            values = args[0] if value.__name__ == "format_map" else kwargs
            positional = () if value.__name__ == "format_map" else args
            text = _BoundedFormatter(environment).vformat(source, positional, values)
            return recovered(str.__str__(text), (*positional, *values.values()))

        return formatted

    def _tojson(
        self,
        value: Any,
        ensure_ascii: bool = False,
        indent: Any = None,
        separators: Any = None,
        sort_keys: bool = False,
    ) -> str:
        text = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
        if isinstance(value, TracedText):
            return recovered(text, (value,))
        owner = self._data.owners.get(id(value))
        return text if owner is None else TracedText(text, (Run(len(text), message=owner, from_content=True),))


class Generation(Extension):
    """{% generation %} ... {% endgeneration %}: what the model writes.

    The spans are counted as transformers counts them: from the characters that the template as a whole has written
    before."""

    tags = {"generation"}  # noqa: RUF012
    environment: ChatEnvironment

    def parse(self, parser: Parser) -> nodes.Node:
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_generation"), [], [], body).set_lineno(lineno)

    @pass_eval_context
    def _generation(self, context: nodes.EvalContext, caller: Macro) -> str:
        text: str = caller()
        start = self.environment.length
        self.environment.generation_spans.append((start, start + len(text)))
        return TracedText(text, tuple([run._replace(generation=True) for run in runs_of(text)]))


class _BoundedFormatter(SandboxedFormatter):
    """`str.format` with bounded widths and a bounded length of the result."""

    _env: ChatEnvironment

    def format_field(self, value: Any, format_spec: str) -> Any:
        budget = self._env.budget
        budget.step()
        budget.weigh(value)
        budget.numbers(format_spec)
        return budget.made(Formatter.format_field(self, value, format_spec))


class _Dict:
    """`dict` of templates: only what builds one, as in transformers."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


class _TemplateNamespace(Namespace):
    """A namespace without attributes that begin with an underscore, as in transformers."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, *rest = args
        attributes = dict(*rest, **kwargs)
        for name in attributes:
            _TemplateNamespace._check(name)
        Namespace.__init__(self, attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _TemplateNamespace._check(name)
        Namespace.__setitem__(self, name, value)

    def __repr__(self) -> str:
        return "<Namespace>"

    @staticmethod
    def _check(name: str) -> None:
        if isinstance(name, str) and name.startswith("_"):
            raise SecurityError(name)


def _raise_exception(message: Any = "") -> None:
    raise Refusal(str(message))
