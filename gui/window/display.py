"""Whether a window can be shown on this machine. Finds out without Qt, which aborts where it cannot."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from pathlib import Path

from core.contracts.errors import MissingRequirement
from core.contracts.text import Text, sentences, tr
from core.installation import command

_HEADLESS_PLATFORMS = ("offscreen", "minimal", "vnc")
_XCB_LIBRARIES = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}


def why_no_display() -> Text | None:
    """One sentence that says why no window can be shown, or None if one can."""
    if os.environ.get("QT_QPA_PLATFORM", "").split(":")[0] in _HEADLESS_PLATFORMS or sys.platform != "linux":
        return None
    if os.environ.get("WAYLAND_DISPLAY"):
        return None
    display = os.environ.get("DISPLAY", "")
    if not display:
        return tr("There is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set).")
    if not _x_server_answers(display):
        return tr("The X server of DISPLAY={display} does not answer.", display=display)
    missing = [package for library, package in _XCB_LIBRARIES.items() if not _loads(library)]
    if missing:
        return tr(
            "Qt needs X11 libraries that are not installed: apt-get install {packages}.", packages=" ".join(missing)
        )
    return None


def require_display() -> None:
    """Raise MissingRequirement where no window can be shown."""
    reason = why_no_display()
    if reason is not None:
        hint = tr("To save pictures without a display: {command}", command=command("screenshot all --out gallery"))
        raise MissingRequirement(sentences(reason, hint))


def _x_server_answers(display: str) -> bool:
    host, _, rest = display.rpartition(":")
    number = rest.split(".")[0]
    if not number.isdigit():
        return False
    try:
        if host in ("", "unix"):
            return _connects(socket.AF_UNIX, f"/tmp/.X11-unix/X{number}") or _connects(
                socket.AF_UNIX, f"\0/tmp/.X11-unix/X{number}"
            )
        if host.startswith("/"):  # macOS and some sandboxes name the socket itself
            return Path(host).exists()
        return _connects(socket.AF_INET, (host, 6000 + int(number)))
    except (OSError, OverflowError):
        return False


def _connects(family: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        return probe.connect_ex(address) == 0


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
