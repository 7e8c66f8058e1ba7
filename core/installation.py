"""Where Tilescope lies: in a checkout, or installed as the package `tilescope`, and the command that starts it there.

An installed Tilescope has core, gui, kernels and resources in the folder of its package. No other program finds them
under these names; the processes of Tilescope have that folder first on their path (`start` in main.py).
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def is_checkout() -> bool:
    """Whether this is a checkout or an unpacked source archive, and not an installed package."""
    return (ROOT / "pyproject.toml").is_file()


def command(arguments: str = "") -> str:
    """What a user types to start Tilescope with these arguments, the way it is present here."""
    return f"{'python main.py' if is_checkout() else 'tilescope'} {arguments}".rstrip()
