"""Help and errors of the parser, in both languages, whatever version of typer words them."""

from __future__ import annotations

import pytest

from core import language
from core.commands.parser import worded
from tests.commands.conftest import Command
from tests.latin_names import CHINESE, english_words

COMMANDS = ("run", "screenshot", "verify", "trace", "doctor", "credentials", "scheduler", "worker")
LATIN = (
    "python main.py",
    "main.py",
    "NAME=VALUE",
    "FILE.py::FUNCTION",
    "THEME",
    "TOPIC",
    "DEVICE",
    "CODE",
    "DIR",
    "WxH",
)


@pytest.mark.parametrize(
    ("error", "english", "chinese"),
    [
        ("No such command 'dance'.", "No such command 'dance'.", "没有命令“dance”。"),
        (
            "No such command 'rn'. Did you mean 'run'?",
            "No such command 'rn'. Did you mean run?",
            "没有命令“rn”。是否想输入 run？",
        ),
        ("No such option: --fast", "No such option: --fast.", "没有选项 --fast。"),
        (
            "No such option: --jsn (Possible options: --json, --set)",
            "No such option: --jsn. Did you mean --json, --set?",
            "没有选项 --jsn。是否想输入 --json、--set？",
        ),
        (
            "No such option: --jsn Did you mean --json?",
            "No such option: --jsn. Did you mean --json?",
            "没有选项 --jsn。是否想输入 --json？",
        ),
        ("Missing argument 'TOPIC'.", "Missing argument 'TOPIC'.", "缺少参数 TOPIC。"),
        ("Missing option '--out'.", "Missing option '--out'.", "缺少选项 --out。"),
        ("Option '--set' requires an argument.", "Option '--set' requires a value.", "选项 --set 需要一个值。"),
        ("Option '--json' does not take a value.", "Option '--json' does not take a value.", "选项 --json 不带值。"),
        ("Got unexpected extra argument (x)", "Unexpected arguments: x.", "多余的参数：x。"),
        ("Got unexpected extra argument(s) (x y)", "Unexpected arguments: x y.", "多余的参数：x y。"),
        ("Got unexpected extra arguments (x y)", "Unexpected arguments: x y.", "多余的参数：x y。"),
        ("Not known yet.", "Not known yet.", "Not known yet."),
    ],
)
def test_that_an_error_of_the_parser_is_worded_in_both_languages(error: str, english: str, chinese: str) -> None:
    assert worded(error).in_language("en") == english
    assert worded(error).in_language("zh") == chinese


@pytest.mark.parametrize(
    "arguments",
    [
        ["dance"],
        ["run", "masks", "--fast"],
        ["run"],
        ["run", "masks", "x"],
        ["--theme"],
        ["screenshot", "all"],
        ["run", "x", "--json=1"],
    ],
    ids=" ".join,
)
def test_that_every_error_of_this_typer_is_recognized(arguments: list[str], command: Command) -> None:
    outcome = command("--lang", "zh", *arguments)
    assert outcome.returncode == 2
    assert CHINESE.search(outcome.stderr)
    assert english_words(outcome.stderr.replace("python main.py --help", "")) == []


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_that_the_help_is_chinese_at_80_columns(name: str, command: Command) -> None:
    outcome = command(*([name] if name else []), "--help", "--lang=zh")
    assert outcome.returncode == 0
    assert outcome.stdout.startswith("用法：")
    for line in outcome.stdout.splitlines():
        text = line
        for latin in LATIN:
            text = text.replace(latin, "")
        assert english_words(text) == [], line


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_that_the_help_names_every_option_with_a_description(name: str, command: Command) -> None:
    outcome = command(*([name] if name else []), "-h")
    lines = outcome.stdout.splitlines()
    assert lines[0].startswith("Usage: ")
    assert all(len(line) <= 80 for line in lines)
    options = [line.split() for line in lines if line.startswith("  -")]
    assert options
    assert all(len(words) > 2 for words in options)


def test_that_the_language_is_that_of_the_system_unless_chosen_and_is_left_as_it_was(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    assert command("dance").stderr.startswith("没有命令")
    assert command("dance", "--lang", "en").stderr.startswith("No such command")
    monkeypatch.setenv("LANGUAGE", "en")
    assert command("dance").stderr.startswith("No such command")
    assert language.current() == "en"


@pytest.mark.parametrize("arguments", [["--lang"], ["--lang=tlh"], ["run", "masks", "--lang", "fr"]])
def test_that_a_language_that_is_not_spoken_is_refused(arguments: list[str], command: Command) -> None:
    outcome = command(*arguments)
    assert outcome.returncode == 2
    assert outcome.stderr == "--lang takes the code of a language: en, zh.\n"
