"""The parser of the command line in the current language: its help pages and its errors.

typer words both in English, and which of its texts can be translated differs from version to version. So the help is
laid out here, and an error is recognized by its English sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from rich.cells import cell_len
from typer.core import TyperCommand, TyperGroup

from core.commands.wrapping import wrapped
from core.contracts.text import Text, listed, tr, verbatim
from core.run_files.names import SUFFIX

_MAX_FIRST_COLUMN = 26
_ERRORS: tuple[tuple[str, Callable[..., Text]], ...] = (
    (
        r"No such command '(?P<name>.*?)'\. Did you mean (?P<close>.*)\?",
        lambda name, close: tr("No such command '{name}'. Did you mean {close}?", name=name, close=_names(close)),
    ),
    (r"No such command '(?P<name>.*?)'\.", lambda name: tr("No such command '{name}'.", name=name)),
    (
        r"No such option: (?P<name>\S+?)\.? (?:\(Possible options: (?P<close>.*)\)|Did you mean (?P<one>.*)\?)",
        lambda name, close, one: tr(
            "No such option: {name}. Did you mean {close}?", name=name, close=_names(close or one)
        ),
    ),
    (r"No such option: (?P<name>\S+)", lambda name: tr("No such option: {name}.", name=name)),
    (r"Missing argument '(?P<name>.*?)'\.", lambda name: tr("Missing argument '{name}'.", name=name)),
    (r"Missing option '(?P<name>.*?)'\.", lambda name: tr("Missing option '{name}'.", name=name)),
    (
        r"Option '(?P<name>.*?)' requires an argument\.",
        lambda name: tr("Option '{name}' requires a value.", name=name),
    ),
    (
        r"Option '(?P<name>.*?)' does not take a value\.",
        lambda name: tr("Option '{name}' does not take a value.", name=name),
    ),
    (
        r"Got unexpected extra arguments?(?:\(s\))? \((?P<values>.*)\)",
        lambda values: tr("Unexpected arguments: {values}.", values=values),
    ),
)
"""The sentences of the parser, tried in this order, and the text of each with the values in it."""


def worded(error: str) -> Text:
    """An error of the parser, given as its English sentence, as a text to translate."""
    for pattern, text in _ERRORS:
        if match := re.fullmatch(pattern, error):
            return text(**match.groupdict())
    return verbatim(error)


def _names(suggestion: str) -> Text:
    return listed(name.strip("'") for name in suggestion.split(", "))


class Command(TyperCommand):
    """A command with its help in the current language."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(help_page(self, ctx, formatter.width))


REST = "tilescope.rest"
"""The key, in the `meta` of a context, of what followed `--`."""


class CommandWithRest(Command):
    """A command with any number of arguments, and a command line for what it starts behind `--`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        place = args.index("--") if "--" in args else len(args)
        ctx.meta[REST] = args[place + 1 :]
        parsed: list[str] = super().parse_args(ctx, args[:place])
        return parsed


class Group(TyperGroup):
    """The program itself: what it does without a command, and its commands. A file in place of a command is opened."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands and args[0].lower().endswith(SUFFIX):
            args = ["open", *args]
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(help_page(self, ctx, formatter.width))


def help_page(command: Any, context: Any, width: int) -> str:
    """Usage, description, arguments, options and commands, `width` columns wide."""
    parameters = command.get_params(context)
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    options = [each for each in parameters if each.param_type_name == "option"]
    commands = getattr(command, "commands", {})
    usage = [context.command_path, str(tr("[OPTIONS]")), *map(_argument_in_usage, arguments)]
    if commands:
        usage.append(str(tr("[COMMAND]")))
    lines = [str(tr("Usage: {usage}", usage=" ".join(usage))), ""]
    lines += [f"  {line}" for line in wrapped(command.help or "", width - 2)]
    lines += _section(tr("Arguments:"), [(_name(each), _description(each)) for each in arguments], width)
    lines += _section(tr("Options:"), [(_option_names(each), _description(each)) for each in options], width)
    lines += _section(tr("Commands:"), [(name, each.help or "") for name, each in commands.items()], width)
    return "".join(f"{line}\n" for line in lines)


def _section(title: Text, rows: Iterable[tuple[str, str]], width: int) -> list[str]:
    """A blank line, the title, and two columns."""
    rows = list(rows)
    if not rows:
        return []
    column = min(_MAX_FIRST_COLUMN, max(cell_len(name) for name, _ in rows)) + 4
    lines = ["", str(title)]
    for name, description in rows:
        first, *others = wrapped(description, width - column)
        if cell_len(name) + 4 > column:
            lines.append(f"  {name}")
            name = ""
        lines.append(f"  {name}{' ' * (column - 2 - cell_len(name))}{first}")
        lines += [" " * column + line for line in others]
    return lines


def _name(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _argument_in_usage(argument: Any) -> str:
    name = _name(argument) + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _option_names(option: Any) -> str:
    names = ", ".join(sorted(option.opts, key=len))
    return names if option.is_flag else f"{names} {_name(option)}"


def _description(parameter: Any) -> str:
    if "--help" in parameter.opts:
        return str(tr("Show this help and exit."))
    text = parameter.help or ""
    if parameter.required:
        return str(tr("{text} Required.", text=text))
    if parameter.default and not getattr(parameter, "is_flag", False):
        return str(tr("{text} Default: {default}.", text=text, default=str(parameter.default)))
    return text
