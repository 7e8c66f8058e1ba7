"""Reads the source as text: which calls make messages, and which string literals look like text for the user.

A message is what Babel extracts, with the keywords of the Makefile. Everything else that reads like a sentence, or that
goes to a widget or a painter, bypasses the catalogue.
"""

from __future__ import annotations

import ast
import gc
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.latin_names import english_words

ROOT = Path(__file__).resolve().parents[1]
_MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
KEYWORDS: tuple[str, ...] = tuple(re.findall(r"-k (\S+)", re.findall(r"^KEYWORDS := (.+)$", _MAKEFILE, re.M)[0]))
"""As Babel's `-k` takes them, such as 'tr_plural:1,2'."""
PATHS: tuple[str, ...] = tuple(re.findall(r"--project Tilescope -o \S+ (.+)$", _MAKEFILE, re.M)[0].split())
MESSAGE_CALLS = {keyword.partition(":")[0] for keyword in KEYWORDS}

VERBATIM = "verbatim"
_SHOWING = {
    # Qt
    "QAction", "QCheckBox", "QGroupBox", "QLabel", "QMenu", "QPushButton", "QRadioButton", "QDockWidget", "TextItem",
    "addAction", "addItem", "addItems", "addMenu", "addRow", "addTab", "drawText", "getOpenFileName", "getSaveFileName",
    "insertItem", "setAccessibleDescription", "setAccessibleName", "setHeaderData", "setHtml", "setInformativeText",
    "setItemText", "setLabel", "setPlaceholderText", "setPlainText", "setPrefix", "setSpecialValueText", "setStatusTip",
    "setSuffix", "setTabText", "setTabToolTip", "setText", "setTitle", "setToolTip", "setWhatsThis", "setWindowTitle",
    "showMessage", "showText", "critical", "information", "question", "warning", "setDetailedText", "appendPlainText",
    # the command line
    "Argument", "Option", "print", "echo",
}  # fmt: skip
"""Calls whose strings the user sees, whatever they look like."""
_NAMING = {
    "Card", "CardSpec", "Claim", "Column", "Figure", "Finding", "Legend", "Message", "Progress", "Segments", "Switcher",
    "Topic", "as_text", "choice", "number", "show_empty", "show_error", "show_text", "switch", "text",
    "InvalidParams", "MissingRequirement", "RunFailed", "TilescopeError", "UnknownName",
}  # fmt: skip
"""Calls of the program that take ids beside texts: a word in lower case is an id."""
_SILENT_KEYWORDS = ("style", "header_style")
"""Arguments that say how a text looks."""
_SILENT = {
    # internal errors: they never reach the user
    "ArithmeticError", "AssertionError", "AttributeError", "IndexError", "KeyError", "LookupError",
    "FloatingPointError", "NotImplementedError", "OSError", "RuntimeError", "TimeoutError", "TypeError", "ValueError",
    # what is no text for anybody
    "compile", "findall", "finditer", "fullmatch", "match", "search", "split", "sub", "subn", "setObjectName",
    "setProperty", "property", "setStyleSheet", "getLogger", "debug", "exception", "log", "filterwarnings",
    "startswith", "endswith", "removeprefix", "removesuffix", "partition", "find", "index", "count", "replace",
    "getattr", "setattr", "hasattr", "import_module", "TypeVar", "NewType", "namedtuple", "dtype", "QColor", "QFont",
    "QKeySequence", "QSettings", "strftime", "Expected", "icon", "Path", "joinpath", "with_suffix", "command",
}  # fmt: skip
_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
_SENTENCE = re.compile(r"(?<![\w./_-])[A-Za-z]{2,}(?:'[a-z]+)?[,:;]? (?:\{\} )?[a-z]{2,}(?![\w_(./=-])")
_AROUND_VALUE = re.compile(r"\{\} [a-z]{3,}(?![\w_(./=])|(?<![\w./_])[A-Za-z][a-z]{2,}:? \{\}")
_CITATION = re.compile(r"[A-Z][\w-]+ (?:et al\.|and [A-Z][\w-]+) \d{4}|\(arXiv [\d.]+\)")
_NAME = re.compile(r"[\w-]+(?:[./:_][\w-]+)+")
"""A path, a module, a name with a dot or an underscore."""
_SQL = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|PRAGMA|BEGIN|VACUUM)\b")
_ID = re.compile(r"[a-z\d]+(?:[-_/][a-z\d]+)*")
_CODE = re.compile(
    r"^(?:python|pip|make) |[{;]\s*$|\{\{|^\s*[.#@&<]|\\[dsw(]|==|\bdef |\bimport |\breturn |\bself\.|^[a-z-]+: [^ ]+;",
    re.M,
)


@dataclass(frozen=True)
class Literal:
    """A string in the source. `{}` stands for each value of an f-string."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text if len(self.text) < 110 else self.text[:107] + '…'}"


@dataclass(frozen=True)
class MessageCall:
    """A call of a message function: `message` is None where it is not a literal."""

    path: str
    line: int
    function: str
    message: str | None
    strings: tuple[str, ...]
    values: frozenset[str] | None
    """The names of its values; None where they are not written one by one."""


def files(*paths: str) -> Iterator[Path]:
    for path in paths or PATHS:
        yield from sorted((ROOT / path).rglob("*.py")) if (ROOT / path).is_dir() else [ROOT / path]


@cache
def message_calls() -> list[MessageCall]:
    """Every call of a message function in the source."""
    return [call for path in files() for call in _message_calls(path)]


def bypassing(path: Path) -> list[Literal]:
    """The literals of a file that look like text for the user, and are neither a message nor the id of one."""
    found = bypassing_of(_tree(path), path.relative_to(ROOT).as_posix())
    return [literal for literal in found if not all(_has_label(part) for part in literal.text.split(", "))]


def _has_label(part: str) -> bool:
    return part in labelled_ids() or not english_words(part)


@cache
def labelled_ids() -> frozenset[str]:
    """The ids that the source gives a label, such as "in between" of {"in between": tr("intermediate")}."""
    constants = dict(pair for path in files() for pair in _constants(_tree(path)))
    labelled = (
        key
        for path in files()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(value, ast.Call) and _name(value.func) in (*MESSAGE_CALLS, VERBATIM)
    )
    return frozenset(key.value if _is_string(key) else constants.get(_name(key), "") for key in labelled if key)


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that a module gives to strings, one by one or in a tuple."""
    for node in tree.body:
        for target in node.targets if isinstance(node, ast.Assign) else ():
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            pairs = zip(names, values, strict=False)  # a name may stand for what is taken apart elsewhere
            yield from ((_name(name), value.value) for name, value in pairs if _is_string(value))


def bypassing_of(tree: ast.Module, path: str) -> list[Literal]:
    return list(_Scan(path).of(tree))


@cache
def _tree(path: Path) -> ast.Module:
    """It stays, as all of them do: the garbage collector would look through them again and again, for seconds."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def _message_calls(path: Path) -> Iterator[MessageCall]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Call) and _name(node.func) in MESSAGE_CALLS:
            strings = [argument.value if _is_string(argument) else None for argument in node.args]
            function = _name(node.func)
            first = 1 if function == "tr_in" else 0
            yield MessageCall(
                path.relative_to(ROOT).as_posix(),
                node.lineno,
                function,
                strings[first] if len(strings) > first else None,
                tuple(string for string in strings[first:] if string is not None),
                None if any(word.arg is None for word in node.keywords) else frozenset(w.arg for w in node.keywords),
            )


class _Scan:
    """Walks a module, and knows on the way whether a string may be seen."""

    def __init__(self, path: str) -> None:
        self.path = path

    def of(self, node: ast.AST, shown: str = "") -> Iterator[Literal]:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and looks_like_text(node.value, shown):
                yield Literal(self.path, node.lineno, node.value)
        elif isinstance(node, ast.JoinedStr):
            text = "".join(part.value if _is_string(part) else "{}" for part in node.values)
            if looks_like_text(text, shown):
                yield Literal(self.path, node.lineno, text)
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield from self.of(part.value)
        elif isinstance(node, ast.Call):
            yield from self._of_call(node, shown)
        else:
            for child in _visible_children(node):
                yield from self.of(child, shown if isinstance(node, _CARRIERS) else "")

    def _of_call(self, node: ast.Call, shown: str) -> Iterator[Literal]:
        name = _name(node.func)
        if isinstance(node.func, ast.Attribute):
            yield from self.of(node.func.value, shown if name in ("join", "format") else "")
        if name in _SILENT:
            return
        for argument in [*node.args, *(word.value for word in node.keywords if word.arg not in _SILENT_KEYWORDS)]:
            if name in MESSAGE_CALLS and (_is_string(argument) or isinstance(argument, ast.JoinedStr)):
                continue  # test_messages says what is wrong with messages
            if name == VERBATIM and _is_string(argument) and not looks_like_text(argument.value):
                continue
            yield from self.of(argument, _shown_by(name, shown))


_CARRIERS = (ast.IfExp, ast.BinOp, ast.BoolOp, ast.List, ast.Tuple, ast.Starred, ast.GeneratorExp, ast.ListComp)
"""What hands a string on to the call around it."""


def _shown_by(function: str, shown: str) -> str:
    """Where the arguments of a call go: '' nowhere, 'text' where the user looks, 'id or text' where ids go too."""
    if function in _SHOWING:
        return "text"
    if function in _NAMING:
        return "id or text"
    return shown if function in ("str", "join", "format") else ""


def looks_like_text(text: str, shown: str = "") -> bool:
    """Whether a string reads like text for the user; `shown` says that it goes where the user looks."""
    plain = re.sub(r"<[^>]*>|&\w+;", " ", text)
    if _CITATION.search(plain):
        return bool(re.search(r"(?<![\w./_])[a-z]{4,}", _CITATION.sub(" ", plain)))
    if _NAME.fullmatch(plain) or _SQL.match(plain) or (shown == "id or text" and _ID.fullmatch(plain)):
        return False
    if not english_words(plain.replace("{}", " ")):
        return False
    if (
        shown
        and not plain.startswith("--")
        and re.search(r"(?<![\w./_])[A-Z][a-z]{2,}|(?<![\w./_{])[a-z]{3,}(?![\w_(./=}])", plain)
    ):
        return True
    if _CODE.search(plain):
        return False
    return bool(_SENTENCE.search(plain) or _AROUND_VALUE.search(plain))


def _visible_children(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a node whose strings may be seen: no docstrings, annotations, keys, comparisons, internal checks."""
    if isinstance(node, ast.ClassDef) and any(_name(base).endswith("Enum") for base in node.bases):
        yield from (child for child in node.body if not isinstance(child, ast.Assign | ast.Expr))  # values are ids
    elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield from (child for child in node.body if not _is_bare_string(child))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (default for default in [*node.args.defaults, *node.args.kw_defaults] if default is not None)
    elif isinstance(node, ast.AnnAssign):
        if node.value is not None:
            yield node.value
    elif isinstance(node, ast.Assign):
        if not any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            yield node.value
    elif isinstance(node, ast.Dict):
        yield from node.values
    elif isinstance(node, ast.Subscript):
        yield node.value
    elif isinstance(node, ast.Compare | ast.Assert | ast.arguments | ast.MatchValue):
        return
    else:
        yield from (child for child in ast.iter_child_nodes(node) if not _is_bare_string(child))


def _is_bare_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
