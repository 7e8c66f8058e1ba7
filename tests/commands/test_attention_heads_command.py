"""`run attention-heads` as a user or a script meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.contracts.registry import TOPICS
from tests.commands.test_command_line import ROOT, tilescope

pytestmark = pytest.mark.skipif("attention-heads" not in TOPICS, reason="the topic is not registered yet")
SHORT = ["--set", "traced_context=64"]


def test_that_a_configuration_gives_bytes_what_fits_and_claims_as_json() -> None:
    pytest.importorskip("triton")
    config = ROOT / "resources" / "model_configs" / "gpt-oss-20b.json"
    finished = tilescope(
        "run", "attention-heads", "--set", f"config={config}", "--set", "context=131072", "--set", "batch=8", *SHORT,
        "--device", "cpu", "--json",
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    document = json.loads(finished.stdout)
    values = {name: metric["value"] for name, metric in document["metrics"].items()}
    assert values["cache.per_token"] == 24 * 2048
    assert values["cache.needed"] == 8 * 12 * 2048 * (131_072 + 128)
    assert values["cache.allocated"] == 8 * 12 * 2048 * (131_072 + 9 * 16)
    assert values["fit.context"] > 0
    assert len(document["claims"]) == 11
    assert "study" not in document


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ("{", "is not JSON"),
        ('{"model_type": "llama"}', "config.json"),
        ('{"model_type": "llama", "hidden_size": "wide"}', "hidden_size"),
    ],
)
def test_that_a_bad_configuration_ends_with_one_sentence_and_exit_code_2(
    tmp_path: Path, contents: str, words: str
) -> None:
    file = tmp_path / "config.json"
    file.write_text(contents)
    finished = tilescope("run", "attention-heads", "--set", f"config={file}", *SHORT)
    assert finished.returncode == 2
    assert words in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not finished.stdout


def test_that_kv_heads_that_do_not_divide_end_with_exit_code_2() -> None:
    finished = tilescope("run", "attention-heads", "--set", "kv_heads=3", *SHORT)
    assert finished.returncode == 2
    assert "divisor of 32" in " ".join(finished.stderr.split())
