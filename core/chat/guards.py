"""The filters and methods of Jinja and of Python's strings that can build something large from something small, each
with the check that runs before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from jinja2 import pass_eval_context
from jinja2.filters import FILTERS, make_attrgetter
from jinja2.nodes import EvalContext
from markupsafe import Markup

from core.chat.budget import Budget
from core.chat.template_errors import too_large, too_long
from core.chat.traced import TracedText, recovered

_PADDING = ("center", "ljust", "rjust", "zfill", "to_bytes")
_CODECS = ("utf8", "ascii", "latin1", "iso88591", "utf16", "utf32")
_SLOW = {"urlize": 20_000, "wordwrap": 20_000, "striptags": 200_000, "pprint": 20_000, "title": 2_000_000}
"""Filters that take long for long texts, and the number of characters up to which they may run."""


def check_method(budget: Budget, method: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """`method(*args, **kwargs)` is about to be called: a method of a text, of bytes or of a number."""
    owner, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
    if not isinstance(owner, str | bytes | int):
        return
    values = [*args, *kwargs.values()]
    if name in _PADDING:
        for value in values:
            budget.width(value)
    elif name == "expandtabs" and isinstance(owner, str | bytes):
        size = next((value for value in values if isinstance(value, int)), 8)
        budget.width(size)
        budget.length(len(owner) * max(size, 1))
    elif name == "replace" and len(args) >= 2 and isinstance(owner, str | bytes):
        _check_replace(budget, owner, args[0], args[1])
    elif name == "join" and args and isinstance(owner, str | bytes):
        budget.weigh(args[0])
        if isinstance(args[0], list | tuple):
            budget.length(sum(len(item) + len(owner) for item in args[0] if isinstance(item, str | bytes)))
    elif name == "translate" and isinstance(owner, str) and args and isinstance(args[0], dict):
        longest = max((len(text) for text in args[0].values() if isinstance(text, str)), default=1)
        budget.length(len(owner) * max(longest, 1))
    elif name in ("encode", "decode") and isinstance(owner, str | bytes):
        for value in values[:1]:
            if isinstance(value, str) and value.lower().replace("-", "").replace("_", "") not in _CODECS:
                raise LookupError(f"unknown encoding: {value}")


def _check_replace(budget: Budget, text: Any, old: Any, new: Any) -> None:
    if isinstance(old, str | bytes) and isinstance(new, str | bytes) and type(text) in (str, bytes, TracedText, Markup):
        budget.length(len(text) + (text.count(old) if len(new) > len(old) else 0) * len(new))


def guarded_filters(budget_of: Callable[[], Budget], tojson: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Jinja's filters and this `tojson`, each counted as a step, with checked sizes and traced results."""
    filters = {**FILTERS, "tojson": tojson}
    guarded = {name: _guarded(function, name, budget_of) for name, function in filters.items()}
    return {**guarded, "join": _join(budget_of)}


def _guarded(function: Callable[..., Any], name: str, budget_of: Callable[[], Budget]) -> Callable[..., Any]:
    skipped = 1 if hasattr(function, "jinja_pass_arg") else 0
    check = _CHECKS.get(name)

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        budget = budget_of()
        budget.step()
        given = args[skipped:]
        if check and given:
            check(budget, *given, **kwargs)
        limit = _SLOW.get(name)
        if limit and given and 16 * budget.weigh(given[0]) > limit + 16:
            raise too_long(limit)
        result = budget.made(function(*args, **kwargs))
        if not given or type(given[0]) is not TracedText:
            return result
        if name == "indent":  # it joins the lines by text of its own
            return recovered(str.__str__(result), given[0].splitlines())
        return recovered(result, given) if type(result) is str else result

    return guarded


def _join(budget_of: Callable[[], Budget]) -> Callable[..., Any]:
    whole: Callable[..., Any] = FILTERS["join"]

    @pass_eval_context
    def join(eval_ctx: EvalContext, value: Any, d: Any = "", attribute: Any = None) -> Any:
        budget = budget_of()
        budget.step()
        if attribute is not None:
            value = map(make_attrgetter(eval_ctx.environment, attribute), value)
        items = list(value)
        budget.weigh(items)
        budget.length(sum(len(item) for item in items if isinstance(item, str)) + len(str(d)) * len(items))
        if eval_ctx.autoescape:
            return whole(eval_ctx, items, d)
        return budget.made(TracedText(d, getattr(d, "_runs", None)).join(map(str, items)))

    return join


def _check_width(budget: Budget, value: Any, *widths: Any, **named: Any) -> None:
    for width in (*widths, *named.values()):
        budget.width(width)


def _check_indent(budget: Budget, text: Any, width: Any = 4, *rest: Any, **named: Any) -> None:
    budget.width(width)
    if isinstance(text, str):
        size = len(width) if isinstance(width, str) else width if isinstance(width, int) else 0
        budget.length(len(text) + (len(str.splitlines(text)) + 1) * max(size, 0))


def _check_replacement(budget: Budget, text: Any, old: Any = "", new: Any = "", *rest: Any, **named: Any) -> None:
    budget.weigh(text)
    _check_replace(budget, str(text), str(old), str(new))


def _check_format(budget: Budget, text: Any, *args: Any, **named: Any) -> None:
    if isinstance(text, str):
        budget.percent(text, named or args)


def _check_sum(budget: Budget, values: Any, attribute: Any = None, start: Any = 0) -> None:
    """Lists are added one by one, each time to a new list."""
    if not isinstance(start, int | float) and not (isinstance(values, list | tuple) and len(values) <= 1_000):
        raise too_large(1_000)
    budget.weigh(values)


def _check_json(budget: Budget, value: Any, *args: Any, **named: Any) -> None:
    budget.weigh(value)
    for setting in (*args, *named.values()):
        budget.width(setting)
        for text in setting if isinstance(setting, list | tuple) else (setting,):
            if isinstance(text, str) and len(text) > 100:
                raise too_long(100)
        if isinstance(setting, int) and setting > 100:
            raise too_long(100)


_CHECKS: dict[str, Callable[..., None]] = {
    "center": _check_width,
    "batch": _check_width,
    "slice": _check_width,
    "round": lambda budget, value, precision=0, *rest, **named: budget.bits(4 * abs(int(precision))),
    "indent": _check_indent,
    "wordwrap": lambda budget, text, width=79, long=True, wrapstring="", *rest, **named: budget.length(
        len(text) * (1 + len(wrapstring or ""))
    ),
    "replace": _check_replacement,
    "format": _check_format,
    "sum": _check_sum,
    "tojson": _check_json,
    "string": lambda budget, value: budget.weigh(value),
    "pprint": lambda budget, value: budget.weigh(value),
}
