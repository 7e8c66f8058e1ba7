"""What the desktop asks for, told by commands that stand in for its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core.desktop import asks_for_less_motion

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the commands are those of Linux desktops")


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose only commands are in this folder, which is also the home."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def says(folder: Path, command: str, text: str, status: int = 0) -> None:
    script = folder / command
    script.write_text(f"#!/bin/sh\necho '{text}'\nexit {status}\n")
    script.chmod(0o755)


def test_that_a_desktop_that_says_nothing_asks_for_nothing(desktop: Path) -> None:
    assert not asks_for_less_motion()
    says(desktop, "gsettings", "false", status=1)
    (desktop / "kdeglobals").write_text("no section\n")
    assert not asks_for_less_motion()


@pytest.mark.parametrize(
    ("command", "less", "usual"),
    [("gdbus", "(<uint32 1>,)", "(<uint32 0>,)"), ("gsettings", "false", "true")],
)
def test_that_the_portal_and_gnome_are_asked(desktop: Path, command: str, less: str, usual: str) -> None:
    says(desktop, command, usual)
    assert not asks_for_less_motion()
    says(desktop, command, less)
    assert asks_for_less_motion()


@pytest.mark.parametrize(("factor", "asks"), [("0", True), ("0.5", False), ("fast", False)])
def test_that_the_animations_of_plasma_count(desktop: Path, factor: str, asks: bool) -> None:
    (desktop / "kdeglobals").write_text(f"[KDE]\nAnimationDurationFactor={factor}\n")
    assert asks_for_less_motion() is asks
