"""The versions that a result names, so that it can be repeated."""

from __future__ import annotations

import importlib.metadata
import platform
import tomllib
from functools import cache
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
_LIBRARIES = ("torch", "triton", "numpy")


@cache
def versions() -> dict[str, str]:
    """Of Tilescope, Python and the libraries that computed; one that is not installed is left out. Imports none."""
    found = {"tilescope": _own_version(), "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _own_version() -> str:
    """From pyproject.toml: Tilescope runs from its checkout, without being installed."""
    with _PROJECT.open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
