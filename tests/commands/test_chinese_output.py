"""What the command line prints in Chinese has no English but names: results, errors, help, the checks of doctor."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import main
from core.commands import doctor, run, trace, traced_runs, verify
from core.contracts.registry import TOPICS
from core.contracts.registry import topic as find_topic
from core.contracts.result import Result
from tests.commands.conftest import Command
from tests.commands.test_command_line import BAD_INPUT, ROOT
from tests.gui.example_pages import EXAMPLES
from tests.gui.pages.kernel_lab.lab_result import SOURCE
from tests.latin_names import CHINESE, english_words

COMMANDS = sorted(main.build_cli().registered_commands, key=lambda command: command.callback.__name__)
COMMAND_NAMES = [command.name or command.callback.__name__.replace("_", "-") for command in COMMANDS]
NOT_WORDS = re.compile(
    r"(?<![\w-])--?[a-z][a-z-]*(?: [A-Z=]+| WxH)?|\(?(?<!\w)(?:/[\w.+-]+)+\)?|python main\.py[\w -]*|pip install \S+"
)
"""Options with what they take, paths, and commands to copy."""


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")


@contextmanager
def _no_engine(device: str, wanted_first: object = ()) -> Iterator[tuple[None, str]]:
    yield None, device


def results_come_from(examples: dict[str, Result], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (run, verify, trace):
        monkeypatch.setattr(module, "engine_for", _no_engine)
    for module in (run, verify, traced_runs):
        monkeypatch.setattr(module, "run_once", lambda engine, topic, *rest, **named: examples[topic.id])


def assert_chinese(output: str, names: Collection[str] = ()) -> None:
    """Cell by cell: columns are two spaces apart."""
    assert CHINESE.search(output)
    output = NOT_WORDS.sub(" ", output)
    cells = [cell for line in output.splitlines() for cell in re.split(r"\s{2,}", line.strip()) if cell]
    left = [f"{cell!r}: {', '.join(words)}" for cell in cells if (words := english_words(cell, names))]
    if left:
        pytest.fail(f"{len(left)} of {len(cells)} cells are not Chinese\n  " + "\n  ".join(left), pytrace=False)


def names_of(result: Result) -> set[str]:
    topic = find_topic(result.topic)
    environment = {result.environment.device, result.environment.backend}
    return {topic.id, *environment, *result.metrics, *(claim.id for claim in topic.claims)}


@pytest.mark.parametrize("topic_id", TOPICS)
def test_that_the_numbers_and_claims_of_a_run_are_chinese(
    topic_id: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, result = EXAMPLES[topic_id](tmp_path)
    results_come_from({topic_id: result}, monkeypatch)
    monkeypatch.setattr(run, "parse_assignments", lambda *_: result.params)
    outcome = command("--lang", "zh", "run", topic_id)
    assert outcome.returncode == find_topic(topic_id).exit_status(result)
    assert_chinese(outcome.stdout, names_of(result))
    assert_chinese(command("--lang", "zh", "verify", topic_id).stdout, names_of(result))


def test_that_the_tables_of_a_trace_are_chinese(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, result = EXAMPLES["kernel-lab"](tmp_path)
    results_come_from({"kernel-lab": result}, monkeypatch)
    outcome = command("--lang", "zh", "trace", f"{tmp_path / 'copy.py'}::main")
    assert_chinese(outcome.stdout, {*names_of(result), *(line.strip() for line in SOURCE.splitlines())} - {""})


@pytest.mark.parametrize("works", [True, False], ids=["everything works", "nothing works"])
def test_that_doctor_is_chinese(works: bool, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("core.engine.Engine", _engine_double(works))
    if not works:
        monkeypatch.setattr(doctor, "_version", lambda name: None)
        monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
        monkeypatch.setattr(doctor.os, "access", lambda *_: False)
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    outcome = command("--lang", "zh", "doctor")
    assert_chinese(outcome.stdout, {*doctor.LIBRARIES, *_machine_names()})


def _machine_names() -> set[str]:
    """Hardware, and the font that this machine has for Chinese, if it has one."""
    host, font = doctor.host_facts(), doctor._chinese_font()
    return {host.cpu_name, *host.gpu_names, *([str(font.found)] if font.state is doctor.State.OK else [])}


def _engine_double(works: bool) -> type:
    from core.engine.state import EngineState, Phase

    class Double:
        state = EngineState(Phase.READY if works else Phase.FAILED, device="cpu")

        def on_state(self, callback: Any) -> None:
            callback(self.state)

        def start(self) -> None: ...

        def close(self) -> None: ...

    return Double


@pytest.mark.parametrize("case", BAD_INPUT)
def test_that_bad_input_gets_a_chinese_sentence(case: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    arguments, _ = BAD_INPUT[case]
    outcome = command("--lang", "zh", *arguments)
    assert outcome.returncode == 2
    assert_chinese(outcome.stderr, {*arguments, *TOPICS, *(part for word in arguments for part in word.split("="))})


@pytest.mark.parametrize("name", ["", *COMMAND_NAMES])
def test_that_help_is_chinese(name: str, command: Command) -> None:
    outcome = command("--lang", "zh", *([name] if name else []), "--help")
    assert outcome.returncode == 0
    assert_chinese(outcome.stdout, set(COMMAND_NAMES))


def test_that_the_language_is_english_again_afterwards(command: Command) -> None:
    command("--lang", "zh", "run", "no-such-topic")
    assert not CHINESE.search(command("run", "no-such-topic").stderr)
