"""The versions that are stored with a result, so that it can be reproduced."""

from __future__ import annotations

import importlib.metadata
import platform
import tomllib
from contextlib import suppress
from functools import cache
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
_LIBRARIES = ("torch", "triton", "numpy")


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


def _tilescope_version() -> str:
    """From pyproject.toml: Tilescope runs from its checkout, without being installed."""
    with _PROJECT.open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
