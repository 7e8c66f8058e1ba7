"""Reads the question files: bounded, and without importing a topic.

Those that come with the program are checked by a test, so the window takes them as they are: checking imports pydantic,
which takes longer than everything else that home needs.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from core import language
from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr, verbatim
from core.files import read_regular, reason_of
from core.questions.building import Contents, book_of
from core.questions.question import QuestionBook

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "questions"

MAX_FILE_BYTES = 256 * 1024
MAX_GROUPS = 40
"""Files in the folder."""


class InvalidQuestions(TilescopeError):
    """A question file that cannot be used; the sentence names the file and what is wrong in it."""


def shipped_questions() -> QuestionBook:
    """The questions that come with the program, unchecked. Raises InvalidQuestions where they cannot be used."""
    try:
        return book_of(*_read(FOLDER))
    except (LookupError, TypeError, ValueError, AttributeError):
        return read_questions(FOLDER)  # says what is wrong


def read_questions(folder: Path = FOLDER) -> QuestionBook:
    """All questions of a folder, checked. A text that a language lacks is shown in English.

    Raises InvalidQuestions with one sentence for the first file that cannot be used.
    """
    from core.questions.checking import Wrong, check

    facts, texts = _read(folder)
    try:
        check(facts, texts)
    except Wrong as wrong:
        raise _invalid(folder / wrong.file, wrong.reason) from wrong
    return book_of(facts, texts)


def _read(folder: Path) -> tuple[dict[str, Contents], dict[str, dict[str, Contents]]]:
    """The facts of each group, and its texts by language."""
    paths = sorted(folder.glob("*.toml"))[: MAX_GROUPS + 1]
    if not paths:
        raise _invalid(folder, tr("there is no file in it"))
    if len(paths) > MAX_GROUPS:
        raise _invalid(folder, tr("it has more than {limit} files", limit=MAX_GROUPS))
    texts: dict[str, dict[str, Contents]] = {}
    for path in paths:
        of_group = {code: folder / code / path.name for code in language.LANGUAGES}
        texts[path.stem] = {
            code: _contents(each) for code, each in of_group.items() if code == language.ENGLISH or each.exists()
        }
    return {path.stem: _contents(path) for path in paths}, texts


def _contents(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_regular(path, MAX_FILE_BYTES).decode("utf-8"))
    except OSError as error:
        raise _invalid(path, reason_of(error)) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise _invalid(path, tr("it is no TOML: {reason}", reason=verbatim(error))) from error


def _invalid(path: Path, reason: Text) -> InvalidQuestions:
    return InvalidQuestions(tr("The questions in {path} cannot be used: {reason}.", path=str(path), reason=reason))
