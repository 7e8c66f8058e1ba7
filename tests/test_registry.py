"""Every topic is complete: a model, claims, a page, notes in both languages, tests."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from core.contracts.claims import Claim
from core.contracts.errors import UnknownName
from core.contracts.registry import TOPICS, topic

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("topic_id", TOPICS)
def test_that_a_topic_has_all_its_parts(topic_id: str) -> None:
    name = topic_id.replace("-", "_")
    registered = topic(topic_id)

    assert registered.id == topic_id
    assert registered.plan(registered.params()) is not None
    assert registered.claims
    assert all(isinstance(claim, Claim) and claim.source for claim in registered.claims)
    assert all(claim.statement for claim in registered.claims)
    assert len({claim.id for claim in registered.claims}) == len(registered.claims)
    for language in ("en", "zh"):
        assert (ROOT / "resources/notes" / language / f"{topic_id}.md").stat().st_size > 500
    assert list((ROOT / "tests").rglob(f"test_{name}*.py")), f"no tests/**/test_{name}*.py"


@pytest.mark.parametrize("topic_id", TOPICS)
def test_that_the_experiment_of_a_topic_exists(topic_id: str) -> None:
    module, function = topic(topic_id).experiment.split(":")
    spec = importlib.util.find_spec(module)  # does not import it: that would bring torch
    assert spec is not None
    assert spec.origin is not None
    defined = {node.name for node in ast.parse(Path(spec.origin).read_text()).body if isinstance(node, ast.FunctionDef)}
    assert function in defined


def test_that_every_topic_has_a_page_and_every_page_a_topic() -> None:
    from gui.pages import PAGES

    assert set(PAGES) == set(TOPICS)
    for target in PAGES.values():
        assert importlib.util.find_spec(target.split(":")[0]) is not None


def test_that_every_parameter_has_a_label_and_help() -> None:
    for topic_id in TOPICS:
        for spec in topic(topic_id).params.specs():
            assert spec.help, f"{topic_id}: {spec.name} has no help"
            assert spec.label, f"{topic_id}: {spec.name} has no label"
            assert spec.choices or spec.kind in (bool, str) or spec.minimum is not None, f"{spec.name} has no range"


def test_that_the_error_for_an_unknown_topic_lists_the_topics() -> None:
    with pytest.raises(UnknownName, match=r"no topic 'flash-atention': did you mean flash-attention\? The topics are"):
        topic("flash-atention")
