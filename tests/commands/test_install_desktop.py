"""The entry in the menu of applications, written into a data folder of the test's own."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.commands import install_desktop
from core.run_files import MIME_TYPE
from tests.commands.conftest import Command

linux = pytest.mark.skipif(sys.platform != "linux", reason="desktop entries are for Linux")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


def entry_of(text: str) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(delimiters="=")
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser["Desktop Entry"]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.is_file()}


OURS = {
    "applications/tilescope.desktop",
    "mime/packages/tilescope.xml",
    "icons/hicolor/scalable/apps/tilescope.svg",
    "icons/hicolor/scalable/mimetypes/application-x-tilescope-run.svg",
}


@linux
def test_that_the_entry_is_installed_and_removed_without_a_trace_of_ours(command: Command, data: Path) -> None:
    outcome = command("install-desktop")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "install-desktop --remove" in outcome.stdout
    assert files(data) >= OURS
    assert command("install-desktop").returncode == 0, "a second time it replaces what is there"
    assert "no longer" in command("install-desktop", "--remove").stdout
    assert not files(data) & OURS
    assert "nothing to remove" in command("install-desktop", "--remove").stdout


@linux
def test_that_the_entry_starts_this_program_with_the_file(command: Command, data: Path) -> None:
    command("install-desktop")
    entry = entry_of((data / "applications/tilescope.desktop").read_text())
    assert entry["Exec"].endswith(" %f")
    program = parsed_exec(entry["Exec"].removesuffix(" %f"))
    outcome = subprocess.run([*program, "run", "no-such-topic"], capture_output=True, text=True, cwd=data)
    assert outcome.returncode == 2
    assert "no-such-topic" in outcome.stderr
    assert entry["Comment"] != entry["Comment[zh]"]
    assert f"{MIME_TYPE};" == entry["MimeType"]


@linux
@pytest.mark.skipif(shutil.which("desktop-file-validate") is None, reason="needs desktop-file-utils")
def test_that_the_entry_is_valid(command: Command, data: Path) -> None:
    command("install-desktop")
    entry = data / "applications/tilescope.desktop"
    assert subprocess.run(["desktop-file-validate", entry], capture_output=True, text=True).stdout == ""


KINDS = """
import sys
from PySide6.QtCore import QMimeDatabase
print(*(QMimeDatabase().mimeTypeForFile(path).name() for path in sys.argv[1:]))
"""


@linux
def test_that_a_desktop_knows_saved_runs_by_name_and_by_content(command: Command, data: Path, tmp_path: Path) -> None:
    command("install-desktop")
    beginning = b"PK\x03\x04" + bytes(26) + b"mimetype" + MIME_TYPE.encode()
    contents = {"a run.tilescope": b"anything", "run": beginning + bytes(100), "other": b"PK\x03\x04" + bytes(100)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    asked = [sys.executable, "-c", KINDS, *(str(tmp_path / name) for name in contents)]
    answer = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert answer.split() == [MIME_TYPE, MIME_TYPE, "application/zip"]


def test_that_the_description_of_the_file_type_is_well_formed() -> None:
    root = ElementTree.fromstring(install_desktop.file_type().encode())
    (kind,) = root
    assert kind.attrib == {"type": MIME_TYPE}
    assert len({comment.text for comment in kind.iter() if comment.tag.endswith("comment")}) == 2


def parsed_exec(value: str) -> list[str]:
    """As the specification says: a string of a key file first, then quoted arguments, then field codes."""
    escapes = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
    plain = re.sub(r"\\(.)", lambda match: escapes[match[1]], value)
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', plain)
    return [re.sub(r"\\(.)", r"\1", part).replace("%%", "%") for part in quoted]


@given(st.lists(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1), min_size=1, max_size=3))
def test_that_any_path_survives_the_quoting_of_the_entry(program: list[str]) -> None:
    (line,) = [line for line in install_desktop.desktop_entry(program).split("\n") if line.startswith("Exec=")]
    assert parsed_exec(line.removeprefix("Exec=").removesuffix(" %f")) == program


@linux
def test_that_a_folder_that_cannot_be_written_is_one_sentence(command: Command, data: Path) -> None:
    data.parent.mkdir(exist_ok=True)
    data.write_text("a file")
    outcome = command("install-desktop")
    assert outcome.returncode == 2
    assert "cannot be written (a part of the path is not a folder)" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_that_on_other_systems_one_sentence_says_so(
    command: Command, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    outcome = command("install-desktop")
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("install-desktop works on Linux only")


@linux
def test_that_without_the_tools_of_the_desktop_a_hint_says_what_to_install(
    command: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install_desktop.shutil, "which", lambda _: None)
    assert "shared-mime-info" in command("install-desktop").stdout
    assert files(data) == OURS
