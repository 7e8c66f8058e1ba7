"""The runs that come with the program are those of today's program."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from core.contracts import registry
from core.recorded_runs import FOLDER, path_of, shipped_run
from core.recorded_runs.origin import origin_of_today, recorded_origins
from core.run_files.wording import environment_lines, environment_wordings

MOST_BYTES = 2 << 20


@pytest.mark.parametrize("topic_id", registry.TOPICS)
def test_that_a_recorded_run_is_of_the_defaults_and_the_code_of_today(topic_id: str) -> None:
    """If this fails: `make recorded-runs TOPICS=TOPIC` makes the run anew."""
    topic, saved = registry.topic(topic_id), shipped_run(topic_id)
    assert saved is not None, "the recorded run is missing, or today's result cannot hold it"
    assert saved.result.params == topic.params()
    assert saved.environment.device.startswith("cpu (")
    assert saved.environment.versions["tilescope"]
    assert saved.result.metrics
    assert recorded_origins()[topic_id].is_of_today(origin_of_today(topic_id))


@pytest.mark.parametrize("topic_id", registry.TOPICS)
def test_that_the_claims_of_a_recorded_run_have_their_expected_verdicts(topic_id: str) -> None:
    saved = shipped_run(topic_id)
    assert saved is not None
    for claim in registry.topic(topic_id).claims:
        finding = claim.test(saved.result)
        assert not claim.is_surprised_by(finding), f"{claim.id}: {finding.verdict}: {finding.evidence}"


def test_that_recorded_runs_are_small_and_nothing_else_is_in_their_folder() -> None:
    files = {path.name for path in FOLDER.iterdir()}
    assert files == {path_of(topic_id).name for topic_id in registry.TOPICS} | {"origins.toml"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= MOST_BYTES


def test_that_a_recorded_run_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert shipped_run("masks", tmp_path) is None
    path_of("masks", tmp_path).write_bytes(b"not a run")
    assert shipped_run("masks", tmp_path) is None
    path_of("masks", tmp_path).write_bytes(path_of("lora").read_bytes())
    assert shipped_run("masks", tmp_path) is None


def test_that_neither_a_machine_nor_a_folder_of_it_is_named() -> None:
    """The processor is; whose machine it was is nobody's business."""
    for topic_id in registry.TOPICS:
        saved = shipped_run(topic_id)
        assert saved is not None
        assert not saved.machine
        text = json.dumps(saved.result.as_json(), default=str)
        assert not re.findall(r'[\s"(](?:/|[A-Z]:\\\\)\w+/[^"\s]*', text)


def test_that_a_run_that_ships_says_that_its_times_are_no_benchmark() -> None:
    saved = shipped_run("decoder")
    assert saved is not None
    wordings = [str(each) for each in environment_wordings(saved)]
    assert "no benchmark" in wordings[0]
    assert "no benchmark" in str(environment_lines(saved))
    own = replace(saved, ships=False)
    assert "no benchmark" not in str(environment_lines(own)) + str(environment_wordings(own)[0])
