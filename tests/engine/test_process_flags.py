"""What only Linux can promise does nothing elsewhere: the names that other systems lack are never asked for."""

from __future__ import annotations

import signal

import pytest

from core.engine import process_flags


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_that_other_systems_than_linux_are_left_alone(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(process_flags.ctypes, "CDLL", lambda _: pytest.fail("there is no such library"))
    monkeypatch.delattr(signal, "SIGKILL")
    process_flags.die_with_the_parent()
    process_flags.adopt_orphans()
