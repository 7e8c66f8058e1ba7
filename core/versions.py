"""The versions that are stored with a result, so that it can be reproduced: of libraries, and of this program."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess
import tomllib
from contextlib import suppress
from functools import cache

from core.installation import ROOT, is_checkout

_LIBRARIES = ("torch", "triton", "numpy")
_GIT_TIMEOUT_S = 5.0


@cache
def versions(*packages: str) -> dict[str, str]:
    """Versions of Tilescope, Python, the libraries that compute, and `packages`, except those that are not installed.

    Imports none of them.
    """
    installed = {"tilescope": _tilescope_version(), "python": platform.python_version()}
    for name in (*_LIBRARIES, *packages):
        with suppress(importlib.metadata.PackageNotFoundError):
            installed[name] = importlib.metadata.version(name)
    return installed


@cache
def commit() -> str:
    """The commit of this checkout, with '+' where its files were changed; '' where git does not say."""
    revision = _git("rev-parse", "--short=12", "HEAD")
    if not revision:
        return ""
    return f"{revision}+" if _git("status", "--porcelain", "--untracked-files=no") else revision


def _git(*arguments: str) -> str:
    """What git says of this checkout; '' where it fails, or finds another one around it."""
    program = shutil.which("git")
    if program is None or not (ROOT / ".git").exists():
        return ""
    command = [program, "-C", str(ROOT), *arguments]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return said.stdout.strip()


def _tilescope_version() -> str:
    """From pyproject.toml in a checkout, which need not be installed, and else from the metadata of the package."""
    if not is_checkout():
        return importlib.metadata.version("tilescope")
    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
