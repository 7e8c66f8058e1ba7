"""`--lang`: the language of the window and of everything that the command line prints."""

from __future__ import annotations

from collections.abc import Sequence

from core.contracts.errors import UnknownName
from core.contracts.text import listed, tr
from core.language import LANGUAGES

OPTION = "--lang"


def take_language(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The code after `--lang`, None without it, and the other arguments.

    It is read before the parser is built, since the help and the errors of the parser are in that language too, and it
    may stand before or after the command. Raises UnknownName, listing the languages.
    """
    code: str | None = None
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        option, equals, value = argument.partition("=")
        if argument == "--":
            rest += [argument, *remaining]
        elif option == OPTION:
            code = value if equals else next(remaining, "")
            if code not in LANGUAGES:
                raise UnknownName(tr("--lang takes the code of a language: {codes}.", codes=listed(LANGUAGES)))
        else:
            rest.append(argument)
    return code, rest
