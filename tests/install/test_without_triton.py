"""Where Triton does not exist, as on macOS and Windows: an environment without it, in which everything opens.

Not part of `make test`: run it with `make test-install`.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from core.contracts.registry import TOPICS
from tests.install.environments import ROOT, Environment, linked_environment

pytestmark = [pytest.mark.install, pytest.mark.slow, pytest.mark.timeout(900)]

NEEDS_TRITON = {"kernel-lab": [], "decoder": []}
"""Pages whose runs consist of Triton kernels: they say so before they do anything."""

GOES_ON: dict[str, list[str]] = {
    "flash-attention": ["seq_len=128", "heads=1", "kv_heads=1"],
    "masks": [],
    "quantization": ["kernels=true"],
}
LEFT_OUT = "Triton, which exists for Linux only, is not installed here"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return linked_environment(tmp_path_factory.mktemp("without") / "environment", without=("triton", "liger_kernel"))


def python(environment: Environment, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(environment.python), *arguments],
        cwd=ROOT,
        env={**os.environ, **environment.home, "QT_QPA_PLATFORM": "offscreen", "LANGUAGE": "en"},
        capture_output=True,
        text=True,
        timeout=800,
    )


@pytest.fixture(scope="module")
def pages(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What every page shows, after the runs of some."""
    out = tmp_path_factory.mktemp("pictures")
    runs = {topic: (NEEDS_TRITON | GOES_ON).get(topic) for topic in TOPICS}
    outcome = python(environment, "-m", "tests.install.without_triton", str(out), json.dumps(runs))
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert {path.stem for path in out.glob("*.png")} == set(TOPICS)
    shown: dict[str, dict[str, Any]] = json.loads(outcome.stdout)
    return shown


def test_that_every_page_opens_and_draws_its_plan(pages: dict[str, dict[str, Any]]) -> None:
    assert {topic for topic, page in pages.items() if page["planned"]} == set(TOPICS)


def test_that_a_page_of_kernels_says_in_one_sentence_what_it_needs(pages: dict[str, dict[str, Any]]) -> None:
    for topic in NEEDS_TRITON:
        sentence = pages[topic]["failed"]
        assert sentence.startswith("Tracing needs Triton"), topic
        assert sentence == pages[topic]["banner"], topic
        assert sentence.count(".") == 1, topic


def test_that_other_pages_show_what_needs_no_triton_and_say_what_is_left_out(pages: dict[str, dict[str, Any]]) -> None:
    for topic in GOES_ON:
        page = pages[topic]
        assert page["failed"] == "", topic
        assert page["metrics"] > 10, topic
        assert any(message.startswith(LEFT_OUT) for message in page["messages"]), topic
        assert LEFT_OUT in page["banner"], topic


@pytest.mark.parametrize("topic", GOES_ON)
def test_that_the_command_line_prints_a_result(environment: Environment, topic: str) -> None:
    settings = [part for assignment in GOES_ON[topic] for part in ("--set", assignment)]
    outcome = python(environment, "main.py", "run", topic, *settings, "--json")
    assert (outcome.returncode, outcome.stderr.strip()) == (0, "")
    found = json.loads(outcome.stdout)
    assert "triton" not in found["provenance"]
    assert "TTIR" not in found["provenance"]["backend"]
    assert "traced" not in {metric["provenance"] for metric in found["metrics"].values()}
    assert [message for message in found["messages"] if message["text"].startswith(LEFT_OUT)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "kernel-lab"),
        ("run", "decoder", "--set", "weights=reversal"),
        ("trace", "resources/examples/vector_add.py"),
    ],
)
def test_that_a_command_that_needs_triton_is_one_sentence(environment: Environment, arguments: tuple[str, ...]) -> None:
    outcome = python(environment, "main.py", *arguments)
    assert (outcome.returncode, outcome.stdout.strip()) == (2, "")
    assert "Tracing needs Triton" in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) == 1


def test_that_implementations_without_triton_are_compared(environment: Environment) -> None:
    outcome = python(environment, "main.py", "bench", "softmax", "--sweep", "none", "--json")
    assert outcome.returncode == 0, outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert "torch" in outcome.stdout
