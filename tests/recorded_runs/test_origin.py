"""Staleness is caught: what made a recorded run changes with its topic, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pytest

from core.contracts import registry
from core.contracts.params import choice, number
from core.contracts.text import tr
from core.contracts.topic import Topic
from core.recorded_runs import origin as module
from core.recorded_runs.origin import Origin, code_hash, recorded_origins, schema_hash, write_origins
from tests.gui.doubles import TOPIC, ToyParams, ToyResult


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The hash of a topic with that code in its files."""
    package = tmp_path / "topics" / "masks"
    monkeypatch.setattr(module, "_CORE", tmp_path)

    def version(**files: str) -> str:
        for name, text in files.items():
            path = package / (f"{name}.py" if name == "__init__" else f"{name.replace('__', '/')}.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return code_hash("masks")

    return version


def test_that_code_counts_and_comments_do_not(version: Callable[..., str]) -> None:
    before = version(plan='"""A plan."""\n\ndef plan():\n    """Plans."""\n    return 1\n')
    assert version(plan='"""The plan."""\n\n# a comment\ndef plan():\n    return   1\n') == before
    assert version(plan="def plan():\n    return 2\n") != before


def test_that_new_files_and_folders_count_and_claims_and_the_declaration_do_not(version: Callable[..., str]) -> None:
    before = version(plan="x = 1\n")
    assert version(claims="y = 1\n", claims__speed="z = 1\n", __init__="TOPIC = 1\n") == before
    assert version(experiment__run="x = 1\n") != before


def test_that_a_function_of_a_docstring_alone_stays_one(version: Callable[..., str]) -> None:
    assert version(plan='def plan():\n    """Nothing."""\n')


class _OneMore(ToyParams):
    extra: int = number(1, minimum=0, maximum=9, label=tr("Extra"), help=tr("One more."))


class _OtherDefault(ToyParams):
    heads: int = number(8, minimum=1, maximum=128, label=tr("Heads"), help=tr("Query heads."))


class _OtherChoice(ToyParams):
    dtype: str = choice("fp16", "fp16", "bf16", label=tr("Precision"), help=tr("Element type."))


class _OtherTextAndRange(ToyParams):
    heads: int = number(4, minimum=1, maximum=64, label=tr("Many heads"), help=tr("Heads of the query."))


@dataclass(frozen=True)
class _Part:
    values: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _ResultWithParts(ToyResult):
    parts: Mapping[str, _Part] = field(default_factory=dict)


def _hash(topic: Topic = TOPIC, **changes: Any) -> str:
    return schema_hash(replace(topic, **changes))


@pytest.mark.parametrize("params", [_OneMore, _OtherDefault, _OtherChoice])
def test_that_the_schema_changes_with_the_parameters(params: type[ToyParams]) -> None:
    assert _hash(params=params) != _hash()


def test_that_texts_and_ranges_are_no_schema() -> None:
    assert _hash(params=_OtherTextAndRange) == _hash()


def test_that_the_schema_changes_with_the_result_and_all_that_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with_parts = _hash(result=_ResultWithParts)
    assert with_parts != _hash()
    monkeypatch.setattr(fields(_Part)[0], "type", "tuple[float, ...]")
    assert _hash(result=_ResultWithParts) != with_parts


def test_that_the_code_version_decides_and_the_code_does_not() -> None:
    origin = Origin(1, "schema", "code")
    assert origin.is_of_today(replace(origin, code="other code"))
    assert not origin.is_of_today(replace(origin, schema="other schema"))
    assert not origin.is_of_today(replace(origin, code_version=2))


def test_that_origins_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "origins.toml"
    assert recorded_origins(path) == {}
    origins = {topic_id: Origin(number, f"{number:016x}", "ab") for number, topic_id in enumerate(registry.TOPICS)}
    write_origins(origins, path)
    assert recorded_origins(path) == origins
