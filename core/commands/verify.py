"""`verify [TOPIC ...]`: run the topics with their default parameters and test every claim."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from core.commands.claim_blocks import print_claim
from core.commands.session import engine_for, run_once
from core.contracts.claims import Claim, Finding
from core.contracts.registry import TOPICS
from core.contracts.registry import topic as find_topic
from core.contracts.topic import Topic
from core.engine.addresses import Target


def verify_topics(topic_ids: Sequence[str], *, device: Target, as_json: bool) -> int:
    """Print verdict and evidence of each claim. Returns exit code 1 if a verdict is not the expected one, else 0."""
    topics = [find_topic(topic_id) for topic_id in topic_ids or TOPICS]
    tested: list[tuple[Topic, Claim, Finding]] = []
    with engine_for(device) as (engine, engine_device):
        for topic in topics:
            result = run_once(engine, topic, topic.params(), engine_device)
            tested += [(topic, claim, claim.test(result)) for claim in topic.claims]
    if as_json:
        print(json.dumps([_as_row(*each) for each in tested], indent=2, ensure_ascii=False))
    else:
        console = Console()
        for topic, claim, finding in tested:
            print_claim(console, topic.id, claim, finding)
    return 1 if any(claim.is_surprised_by(finding) for _, claim, finding in tested) else 0


def _as_row(topic: Topic, claim: Claim, finding: Finding) -> dict[str, Any]:
    return {
        "topic": topic.id,
        "id": claim.id,
        "statement": str(claim.statement),
        "source": str(claim.source),
        "verdict": finding.verdict.value,
        "expected": claim.expected.value,
        "surprising": claim.is_surprised_by(finding),
        "evidence": str(finding.evidence),
    }
