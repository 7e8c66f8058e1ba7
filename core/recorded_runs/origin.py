"""What made a recorded run, so that a test can say when it is no longer what the program of today would make."""

from __future__ import annotations

import ast
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from core.contracts import registry
from core.contracts.topic import Topic
from core.files import write_whole
from core.recorded_runs.shipped import FOLDER

MANIFEST = FOLDER / "origins.toml"
_CORE = Path(__file__).resolve().parents[1]
_DECLARATION, _CLAIMS = "__init__.py", "claims"


@dataclass(frozen=True)
class Origin:
    """`code_version` is that of the topic (see `Topic`), `schema` a hash of its parameters and its result, and `code` a
    hash of its code."""

    code_version: int
    schema: str
    code: str

    def is_of_today(self, today: Origin) -> bool:
        """Whether the program of today makes such a run. Code may change without changing what it makes: the topic's
        code version says when it does, so `code` does not count."""
        return (self.code_version, self.schema) == (today.code_version, today.schema)


def origin_of_today(topic_id: str) -> Origin:
    """What would make the run now."""
    topic = registry.topic(topic_id)
    return Origin(topic.code_version, schema_hash(topic), code_hash(topic_id))


def schema_hash(topic: Topic) -> str:
    """A hash of the names, types, defaults and choices of the parameters, and of the fields and types of the result and
    of everything in it. Ranges and texts do not count: they change no run."""
    specs = [(spec.name, spec.kind.__name__, spec.default, spec.choices) for spec in topic.params.specs()]
    return _digest(repr((specs, sorted(_dataclasses_in(topic.result).items()))))


def code_hash(topic_id: str) -> str:
    """A hash of the code of a topic: its parameters, plan, result and experiment. `make recorded-runs` makes runs anew
    whose code has changed.

    Comments, docstrings and layout do not count, and neither do the declaration of the topic and its claims, which are
    tested when a run is shown.
    """
    package = _CORE / "topics" / registry.TOPICS[topic_id].rpartition(".")[2]
    parts = []
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        if inside.as_posix() != _DECLARATION and _CLAIMS not in (inside.parts[0], inside.stem):
            parts.append(f"{inside.as_posix()}\n{ast.dump(_without_docstrings(ast.parse(path.read_text('utf-8'))))}")
    return _digest("\n".join(parts))


def recorded_origins(path: Path = MANIFEST) -> dict[str, Origin]:
    """What made each recorded run, by topic. {} without a manifest."""
    if not path.is_file():
        return {}
    return {topic_id: Origin(**values) for topic_id, values in tomllib.loads(path.read_text("utf-8")).items()}


def write_origins(origins: Mapping[str, Origin], path: Path = MANIFEST) -> None:
    lines = ["# What made each recorded run, by `make recorded-runs`. A test compares it with the program of today."]
    for topic_id in registry.TOPICS:
        if topic_id in origins:
            values = asdict(origins[topic_id]).items()  # a number, and hashes: JSON writes both as TOML does
            lines += ["", f"[{topic_id}]", *(f"{name} = {json.dumps(value)}" for name, value in values)]
    write_whole(path, ("\n".join(lines) + "\n").encode())


def _dataclasses_in(kind: Any) -> dict[str, tuple[tuple[str, str], ...]]:
    """The fields of all dataclasses that a value of this type may hold, by class, and their types."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    waiting = [kind]
    while waiting:
        kind = waiting.pop()
        waiting += get_args(kind)
        if isinstance(kind, type) and is_dataclass(kind) and kind.__qualname__ not in found:
            # As they are written: how Python shows a type depends on its version.
            found[kind.__qualname__] = tuple((item.name, str(item.type)) for item in fields(kind))
            hints = get_type_hints(kind)
            waiting += [hints[item.name] for item in fields(kind)]
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            body = [each for each in node.body if not _is_string(each)]
            node.body = body or [ast.Pass()]
    return tree


def _is_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
