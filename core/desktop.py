"""What the desktop asks of its programs, where Qt does not say: less motion. Files and its own commands tell."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

_PATIENCE_S = 2.0
"""A service of the desktop that does not answer by then is not asked again."""

_PORTAL = (
    *("gdbus", "call", "--session", "--dest", "org.freedesktop.portal.Desktop"),
    *("--object-path", "/org/freedesktop/portal/desktop", "--method", "org.freedesktop.portal.Settings.ReadOne"),
    *("org.freedesktop.appearance", "reduced-motion"),
)
"""The settings that are the same on all desktops: https://flatpak.github.io/xdg-desktop-portal, Settings."""

_GNOME = ("gsettings", "get", "org.gnome.desktop.interface", "enable-animations")
_MACOS = ("defaults", "read", "com.apple.universalaccess", "reduceMotion")


def asks_for_less_motion() -> bool:
    """Whether the user has asked the desktop for reduced motion. False where that cannot be found out.

    It waits for other programs: not for the GUI thread.
    """
    if sys.platform == "darwin":
        return _answer(_MACOS) == "1"
    if sys.platform != "linux":
        return False
    return (
        re.search(r"uint32\s1", _answer(_PORTAL)) is not None or _answer(_GNOME) == "false" or _kde_has_no_animations()
    )


def _answer(command: tuple[str, ...]) -> str:
    """What a command prints; '' if it does not exist, fails or does not end."""
    with suppress(OSError, subprocess.SubprocessError, UnicodeDecodeError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""


def _kde_has_no_animations() -> bool:
    """Whether Plasma's speed of animations is “instant”."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    config = configparser.RawConfigParser(strict=False)
    with suppress(OSError, ValueError, configparser.Error):
        config.read(folder / "kdeglobals", encoding="utf-8")
        return float(config.get("KDE", "AnimationDurationFactor", fallback="1")) == 0
    return False
